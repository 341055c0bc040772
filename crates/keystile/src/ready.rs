//! What a serving process prints once it answers.

use serde::Serialize;

use crate::connect_snippets::snippets;

/// The ready line (`--json`), and the facts of the text for people.
#[derive(Debug, Serialize)]
pub(crate) struct Ready {
    /// What clients connect to, where there is one server.
    pub(crate) mcp_url: Option<String>,
    /// `{server}`, where there is one.
    pub(crate) name: Option<String>,
    /// All servers.
    pub(crate) servers: Vec<ReadyServer>,
    /// The issuer.
    pub(crate) issuer: String,
    /// Where the first person makes an account, or none if somebody has one.
    pub(crate) setup_url: Option<String>,
    /// The code that the first sign-in page asks for.
    pub(crate) setup_code: Option<String>,
    /// Health and readiness.
    pub(crate) ops_url: String,
    /// This process.
    pub(crate) pid: u32,
    /// How commands for this installation begin; for people at the terminal.
    #[serde(skip)]
    pub(crate) admin_command: String,
}

/// A server and where it is.
#[derive(Debug, Serialize)]
pub(crate) struct ReadyServer {
    /// `{server}`.
    pub(crate) name: String,
    /// What clients connect to.
    pub(crate) mcp_url: String,
}

impl Ready {
    /// The text for people.
    pub(crate) fn text(&self) -> String {
        let issuer = &self.issuer;
        let mut text = match &*self.servers {
            [ReadyServer { name, mcp_url }] => {
                format!("\nKeystile protects {name}\n\n  MCP URL  {mcp_url}\n  Issuer   {issuer}\n")
            }
            servers => {
                let urls = servers
                    .iter()
                    .map(|server| format!("  {}\n", server.mcp_url));
                let urls: String = urls.collect();
                let count = servers.len();
                format!("\nKeystile protects {count} servers\n\n{urls}\n  Issuer   {issuer}\n")
            }
        };
        if let (Some(url), Some(code)) = (&self.setup_url, &self.setup_code) {
            text += &format!(
                "\nNobody has an account yet. The first sign-in page asks for this code: {code}\nOr make the account now: {url}\n"
            );
        }
        if self.admin_command != "keystile" {
            text += &format!("\nAdminister it with: {} …\n", self.admin_command);
        }
        let [ReadyServer { name, mcp_url }] = &*self.servers else {
            return text
                + "\nEach of them is connected in the same way: docs/connect.md.\n\nStop with Ctrl-C.\n";
        };
        text += "\nConnect a client:\n";
        let (reach, far): (Vec<_>, Vec<_>) = snippets(name, mcp_url)
            .into_iter()
            .partition(|snippet| snippet.reaches_loopback);
        for snippet in &reach {
            text += &format!("\n{}\n", indented(&snippet.to_string()));
        }
        for snippet in &far {
            text += &format!("\n{}\n", indented(&snippet.to_string()));
        }
        text + "\nStop with Ctrl-C.\n"
    }
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
