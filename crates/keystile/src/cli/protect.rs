//! `keystile protect URL | -- CMD ARGS…`: one server, quick mode.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use keystile_gateway::relay::Transport;
use keystile_protocol::issuer::is_loopback_host;
use url::Url;

use crate::cli::Global;
use crate::cli::serving::Serving;
use crate::config::duration;
use crate::failure::Failure;
use crate::upstream::{self, Environment, name_from};
use crate::wire::{KnownAs, Upstream};

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "keystile protect [OPTIONS] <URL>\n       keystile protect [OPTIONS] -- <CMD> [ARGS]..."
)]
pub(crate) struct Protect {
    #[command(flatten)]
    serving: Serving,
    /// The MCP endpoint of a running HTTP server.
    #[arg(
        value_name = "URL",
        conflicts_with = "command",
        required_unless_present = "command"
    )]
    url: Option<String>,
    /// How the HTTP server is spoken to.
    #[arg(long, value_enum, default_value_t, conflicts_with = "command")]
    transport: SpokenTo,
    /// Give the stdio server this variable: NAME=VALUE, or NAME to pass on your own. Without, it gets
    /// PATH, HOME, LANG and TMPDIR only. May be given several times.
    #[arg(long, value_name = "NAME[=VALUE]", conflicts_with = "url")]
    env: Vec<String>,
    /// Give the stdio server the variables of this file, one NAME=VALUE a line.
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    env_file: Option<PathBuf>,
    /// End a process of the stdio server that nobody has used for this long.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = duration)]
    idle: Duration,
    /// The command of a stdio server, after `--`; it is started as it is, without a shell.
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// The transport of an HTTP server.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum SpokenTo {
    /// Found out when Keystile starts.
    #[default]
    Auto,
    /// Streamable HTTP, since 2025-03-26.
    Http,
    /// HTTP+SSE of 2024-11-05: the URL is that of its event stream.
    Sse,
}

impl From<SpokenTo> for Transport {
    fn from(spoken: SpokenTo) -> Self {
        match spoken {
            SpokenTo::Auto => Self::Detect,
            SpokenTo::Http => Self::StreamableHttp,
            SpokenTo::Sse => Self::HttpSse,
        }
    }
}

impl Protect {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        match &self.url {
            Some(text) => {
                let refused = |(message, help): (String, String)| {
                    Failure::usage("upstream_url", message, help)
                };
                let url = upstream::url(text).map_err(refused)?;
                let name = url_name(&url);
                let transport = self.transport.into();
                let upstream = Upstream::Http { url, transport };
                self.serving.serve(global, upstream, &name)
            }
            None => {
                let name = command_name(&self.command);
                let env = environment(&self.env, self.env_file.as_deref())?;
                let upstream = Upstream::Stdio {
                    known_as: KnownAs::Command(upstream::as_written(&self.command, &here())),
                    argv: program(self.command)?,
                    env,
                    idle: self.idle,
                };
                self.serving.serve(global, upstream, &name)
            }
        }
    }
}

/// `http://127.0.0.1:3000/mcp` → `mcp-3000`, so that two servers of one machine have two names;
/// `https://tickets.example.com/mcp` → `tickets-example-com`.
fn url_name(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) if is_loopback_host(host) => format!("mcp-{port}"),
        None if is_loopback_host(host) => "mcp".to_owned(),
        _ => name_from(host),
    }
}

/// Where paths of the command line begin.
fn here() -> PathBuf {
    std::env::current_dir().unwrap_or_default()
}

/// Finds the program now, so that a typo is said at once and not at the first call.
fn program(mut argv: Vec<OsString>) -> Result<Vec<OsString>, Failure> {
    let Some(first) = argv.first() else {
        return Err(Failure::usage(
            "stdio_command",
            "there is no command after --",
            "write the command of the stdio server after --",
        ));
    };
    let found = upstream::program(first, &here()).ok_or_else(|| {
        let shown = first.to_string_lossy();
        Failure::failed(
            "stdio_command_missing",
            format!("the command {shown} was not found, or is not executable"),
            "check its spelling and PATH; it is started without a shell, so no aliases and no pipes",
        )
    })?;
    argv[0] = found.into();
    Ok(argv)
}

/// `npx -y @scope/server-everything` → `server-everything`; `python -m my_server` → `my-server`.
fn command_name(argv: &[OsString]) -> String {
    let words = argv.iter().map(|word| word.to_string_lossy().into_owned());
    let plain = words.filter(|word| !word.starts_with('-')).map(|word| {
        let last = word.rsplit('/').next().unwrap_or_default();
        // `package@version`
        let last = last.split('@').next().unwrap_or_default();
        last.trim_end_matches(".py")
            .trim_end_matches(".js")
            .trim_end_matches(".mjs")
            .to_owned()
    });
    let name = plain
        .into_iter()
        .find(|word| !word.is_empty() && !is_runner(word) && word != "run");
    name_from(&name.unwrap_or_default())
}

/// Whether a program is there to run others.
pub(super) fn is_runner(word: &str) -> bool {
    const RUNNERS: [&str; 11] = [
        "npx", "uvx", "node", "deno", "bun", "bunx", "python", "python3", "uv", "pipx", "docker",
    ];
    RUNNERS.contains(&word)
}

fn environment(
    named: &[String],
    file: Option<&std::path::Path>,
) -> Result<Vec<(OsString, OsString)>, Failure> {
    let mut environment = Environment::inherited();
    if let Some(path) = file {
        environment.read(path).map_err(|error| {
            let help = "name a readable file of NAME=VALUE lines; values are taken as they are, without quotes";
            Failure::configuration("env_file", error, help)
        })?;
    }
    for word in named {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.as_str(), None),
        };
        environment.set(name, value).map_err(|error| {
            let help = "write --env NAME=VALUE, or export NAME first";
            // Without its value.
            let shown = if name.is_empty() { "=" } else { name };
            Failure::usage("env", format!("--env {shown}: {error}"), help)
        })?;
    }
    Ok(environment.into_pairs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(command: &str) -> String {
        command_name(&command.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_server_is_named_after_its_package() {
        assert_eq!(
            named("npx -y @modelcontextprotocol/server-everything"),
            "server-everything"
        );
        assert_eq!(
            named("npx -y @modelcontextprotocol/server-everything@2026.8.31 stdio"),
            "server-everything"
        );
        assert_eq!(named("uvx mcp-server-git --repository x"), "mcp-server-git");
        assert_eq!(named("python3 -m my_server"), "my-server");
        assert_eq!(named("./target/debug/thing"), "thing");
    }

    #[test]
    fn servers_of_one_machine_are_named_by_their_port() {
        let named = |text: &str| url_name(&text.parse().expect("a URL"));
        assert_eq!(named("http://127.0.0.1:3000/mcp"), "mcp-3000");
        assert_eq!(named("http://localhost/mcp"), "mcp");
        assert_eq!(
            named("https://tickets.example.com/mcp"),
            "tickets-example-com"
        );
    }

    #[test]
    fn a_missing_command_is_said_at_once() {
        let refused = program(vec!["no-such-program-here".into()]).unwrap_err();
        assert_eq!(
            (refused.code.as_str(), refused.exit),
            ("stdio_command_missing", 1)
        );
        assert!(
            program(vec!["sh".into()]).unwrap()[0]
                .to_string_lossy()
                .starts_with('/')
        );
    }
}
