//! What to paste into each client, for the terminal and for the page that a person sees first.
//!
//! `docs/connect.md` says the same at more length; a test below keeps the two together.

use std::fmt;

use serde_json::Value;
use url::{Host, Url};

/// How one client is connected to one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snippet {
    /// As its makers write it.
    pub(crate) client: &'static str,
    /// What to do, in one or two sentences; says why not, where it can't be done.
    pub(crate) what: String,
    /// What to paste, ready for a shell or a file.
    pub(crate) paste: Option<String>,
    /// False if the client calls from its maker's cloud and so never finds `localhost`.
    pub(crate) reaches_loopback: bool,
}

/// One snippet for each client, the most used ones first.
///
/// `mcp_url` is the URL of the endpoint as clients see it. Cloud clients get steps only if it is not loopback.
pub(crate) fn snippets(server_name: &str, mcp_url: &str) -> Vec<Snippet> {
    let (name, url) = (shell(server_name), shell(mcp_url));
    vec![
        local(
            "Claude Code",
            "Run this, then type /mcp in Claude Code, choose the server and “Authenticate”.",
            format!("claude mcp add --scope user --transport http {name} {url}"),
        ),
        local(
            "Claude Desktop",
            "Settings › Developer › Edit Config; merge this in and restart it. (A “connector” won't do: those are called \
             from Anthropic's cloud.) Needs Node.js.",
            mcp_servers(
                server_name,
                &[
                    ("command", json("npx")),
                    (
                        "args",
                        format!(
                            "[\"-y\", {}, {}, \"--auth-timeout\", \"300\"]",
                            json(MCP_REMOTE),
                            json(mcp_url)
                        ),
                    ),
                ],
            ),
        ),
        local(
            "Cursor",
            "Merge this into ~/.cursor/mcp.json, then Settings › MCP and “Connect” beside the server.",
            mcp_servers(server_name, &[("url", json(mcp_url))]),
        ),
        local(
            "VS Code",
            "Run this, then “MCP: List Servers” in the command palette, choose the server, “Start Server”, and allow the \
             sign-in.",
            format!(
                "code --add-mcp {}",
                shell(&format!(
                    "{{\"name\":{},\"type\":\"http\",\"url\":{}}}",
                    json(server_name),
                    json(mcp_url)
                ))
            ),
        ),
        local(
            "Codex",
            "Run both; the second opens the browser.",
            format!("codex mcp add {name} --url {url}\ncodex mcp login {name}"),
        ),
        local(
            "Gemini CLI",
            &format!("Run this, then type /mcp auth {server_name} in Gemini CLI."),
            format!("gemini mcp add --scope user --transport http {name} {url}"),
        ),
        local(
            "MCP Inspector",
            "Run this and press “Connect”. Needs Node.js 22.19 or newer.",
            format!("npx -y @modelcontextprotocol/inspector --transport http --server-url {url}"),
        ),
        cloud(
            "Claude on the web and on phones",
            "Settings › Connectors › Add custom connector, and paste the URL.",
            mcp_url,
        ),
        cloud(
            "ChatGPT",
            "Settings › Apps & Connectors › Advanced: turn developer mode on, then Create, and paste the URL.",
            mcp_url,
        ),
    ]
}

impl fmt::Display for Snippet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}: {}", self.client, self.what)?;
        for line in self.paste.iter().flat_map(|paste| paste.lines()) {
            writeln!(out, "    {line}")?;
        }
        Ok(())
    }
}

fn local(client: &'static str, what: &str, paste: String) -> Snippet {
    Snippet {
        client,
        what: what.to_owned(),
        paste: Some(paste),
        reaches_loopback: true,
    }
}

fn cloud(client: &'static str, what: &str, mcp_url: &str) -> Snippet {
    let (what, paste) = if is_loopback(mcp_url) {
        let why = "It calls from a cloud, which can't reach this machine. Give Keystile a public https address with \
                   --public-url first.";
        (why.to_owned(), None)
    } else {
        (what.to_owned(), Some(mcp_url.to_owned()))
    };
    Snippet {
        client,
        what,
        paste,
        reaches_loopback: false,
    }
}

/// RFC 6761 §6.3: every name under `localhost` is this machine.
fn is_loopback(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// As one word of a POSIX shell.
fn shell(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/:@%+=,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The file that most clients copied from the first one. Written by hand, so that the keys stand in the order that people
/// know.
fn mcp_servers(name: &str, entries: &[(&str, String)]) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|(key, value)| format!("      {}: {value}", json(key)))
        .collect();
    let (name, entries) = (json(name), entries.join(",\n"));
    format!("{{\n  \"mcpServers\": {{\n    {name}: {{\n{entries}\n    }}\n  }}\n}}")
}

fn json(text: &str) -> String {
    Value::from(text).to_string()
}

/// The one that was tried. Its own `--auth-timeout`, 30 seconds, is too short to make the first account.
const MCP_REMOTE: &str = "mcp-remote@0.15";

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://localhost:7717/knowledge-base/mcp";

    fn paste(name: &str, url: &str, client: &str) -> String {
        let mut found = snippets(name, url)
            .into_iter()
            .filter(|snippet| snippet.client == client);
        found
            .next()
            .and_then(|snippet| snippet.paste)
            .expect("there is something to paste")
    }

    #[test]
    fn the_page_on_connecting_shows_the_same_snippets() {
        let page = include_str!("../../../docs/connect.md");
        for snippet in snippets("knowledge-base", URL) {
            assert!(page.contains(snippet.client), "{}", snippet.client);
            if let Some(paste) = snippet.paste {
                assert!(
                    page.contains(&format!("\n{paste}\n")),
                    "{}:\n{paste}",
                    snippet.client
                );
            }
        }
    }

    #[test]
    fn cloud_clients_get_steps_only_for_an_address_they_can_reach() {
        for url in [
            URL,
            "http://127.0.0.2:1/a/mcp",
            "http://[::1]:7717/a/mcp",
            "http://a.localhost/mcp",
        ] {
            let cloud = snippets("a", url)
                .into_iter()
                .filter(|snippet| !snippet.reaches_loopback);
            assert!(
                cloud.clone().count() == 2 && cloud.clone().all(|snippet| snippet.paste.is_none())
            );
        }
        let url = "https://mcp.example.com/a/mcp";
        assert!(
            snippets("a", url)
                .iter()
                .all(|snippet| snippet.paste.is_some())
        );
        assert_eq!(paste("a", url, "ChatGPT"), url);
    }

    #[test]
    fn what_goes_into_a_file_is_json() {
        let value: Value = serde_json::from_str(&paste("a\"b", URL, "Claude Desktop")).unwrap();
        assert_eq!(value["mcpServers"]["a\"b"]["args"][2], URL);
        let value: Value = serde_json::from_str(&paste("a", URL, "Cursor")).unwrap();
        assert_eq!(value["mcpServers"]["a"]["url"], URL);
    }

    #[test]
    fn nothing_in_a_name_ends_a_word_of_the_shell() {
        for (word, quoted) in [
            ("knowledge-base", "knowledge-base"),
            (URL, URL),
            ("", "''"),
            ("a b", "'a b'"),
            ("$(x)`y`;&", "'$(x)`y`;&'"),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(shell(word), quoted);
        }
        assert_eq!(
            paste("a'; rm b", URL, "Codex")
                .lines()
                .next()
                .unwrap_or_default(),
            format!(r"codex mcp add 'a'\''; rm b' --url {URL}")
        );
    }

    #[test]
    fn the_text_says_what_to_do_and_then_what_to_paste() {
        let snippet = snippets("kb", URL)
            .into_iter()
            .find(|snippet| snippet.client == "Codex");
        let text = snippet.expect("Codex is listed").to_string();
        assert_eq!(
            text,
            format!(
                "Codex: Run both; the second opens the browser.\n    codex mcp add kb --url {URL}\n    codex mcp login kb\n"
            )
        );
    }
}
