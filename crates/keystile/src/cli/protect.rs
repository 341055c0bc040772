//! `keystile protect URL | -- CMD ARGS…`: one server, quick mode.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use keystile_gateway::relay::Transport;
use keystile_protocol::issuer::is_loopback_host;
use url::Url;

use crate::cli::Global;
use crate::cli::serving::{Serving, duration, name_from};
use crate::failure::Failure;
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
                let url = upstream_url(text)?;
                let name = url_name(&url);
                let transport = self.transport.into();
                let upstream = Upstream::Http { url, transport };
                self.serving.serve(global, upstream, &name)
            }
            None => {
                let name = command_name(&self.command);
                let env = environment(&self.env, self.env_file.as_deref())?;
                let upstream = Upstream::Stdio {
                    known_as: KnownAs::Command(as_written(&self.command)),
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

fn upstream_url(text: &str) -> Result<Url, Failure> {
    let help =
        "write the MCP endpoint, for example http://127.0.0.1:3000/mcp, or a command after --";
    // `localhost:3000/mcp` would be a URL with the scheme `localhost`.
    if !text.contains("://") {
        let meant = format!("http://{text}");
        let likely = Url::parse(&meant).is_ok_and(|url| url.port().is_some());
        let help = match likely {
            true => format!("did you mean {meant}?"),
            false => help.to_owned(),
        };
        return Err(Failure::usage(
            "upstream_url",
            format!("{text} is not an http or https URL"),
            help,
        ));
    }
    let url = Url::parse(text)
        .map_err(|error| Failure::usage("upstream_url", format!("{text}: {error}"), help))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(Failure::usage(
            "upstream_url",
            format!("{text} is not an http or https URL"),
            help,
        ));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(Failure::usage(
            "upstream_url",
            format!("{} has a user name or a fragment", redacted(&url)),
            help,
        ));
    }
    Ok(url)
}

fn redacted(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_password(None).and_then(|()| url.set_username(""));
    url.to_string()
}

/// Not where the command was found, which an upgrade of it moves. But `./server` of another folder is another one.
fn as_written(argv: &[OsString]) -> Vec<OsString> {
    let mut words = argv.to_vec();
    if let Some(first) = words.first_mut() {
        let path = PathBuf::from(&*first);
        if path.components().count() > 1 || path.starts_with(".") {
            *first = std::path::absolute(&path).unwrap_or(path).into();
        }
    }
    words
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
    let shown = first.to_string_lossy().into_owned();
    let path = PathBuf::from(first);
    let found = if path.components().count() > 1 {
        is_executable(&path).then(|| std::path::absolute(&path).unwrap_or(path))
    } else {
        #[expect(
            clippy::disallowed_methods,
            reason = "commands are found as a shell finds them"
        )]
        let search = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&search)
            .map(|folder| folder.join(&path))
            .find(|file| is_executable(file))
    };
    let found = found.ok_or_else(|| {
        Failure::failed(
            "stdio_command_missing",
            format!("the command {shown} was not found, or is not executable"),
            "check its spelling and PATH; it is started without a shell, so no aliases and no pipes",
        )
    })?;
    argv[0] = found.into();
    Ok(argv)
}

fn is_executable(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
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
    let mut variables = BTreeMap::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "the operator's own variables are passed on by name only"
    )]
    let own = |name: &str| std::env::var_os(name);
    for name in keystile_gateway::stdio::INHERITED {
        variables.extend(own(name).map(|value| (OsString::from(name), value)));
    }
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::configuration(
                "env_file",
                format!("{}: {error}", path.display()),
                "name a readable file of NAME=VALUE lines",
            )
        })?;
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
        {
            let (name, value) = line
                .split_once('=')
                .filter(|(name, _)| is_name(name))
                .ok_or_else(|| {
                    Failure::configuration(
                        "env_file",
                        format!(
                            "{} line {}: expected NAME=VALUE",
                            path.display(),
                            number + 1
                        ),
                        "values are taken as they are, without quotes",
                    )
                })?;
            variables.insert(name.into(), value.into());
        }
    }
    for word in named {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.into())),
            None => (word.as_str(), own(word)),
        };
        let value = value.filter(|_| is_name(name)).ok_or_else(|| {
            let why = match (name.is_empty(), is_name(name)) {
                (true, _) => {
                    format!("--env {word:.1}: there is no name of a variable before the =")
                }
                (_, false) => format!("--env {name}: that is no name of a variable"),
                (_, true) => format!("--env {name}: it is not set here"),
            };
            Failure::usage("env", why, "write --env NAME=VALUE, or export NAME first")
        })?;
        variables.insert(name.into(), value);
    }
    Ok(variables.into_iter().collect())
}

fn is_name(name: &str) -> bool {
    let first = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    first
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
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
    fn a_child_gets_four_variables_and_what_was_named() {
        let found = environment(&["TOKEN=abc=d".to_owned()], None).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|(name, _)| name.to_string_lossy().into_owned())
            .collect();
        assert!(names.contains(&"TOKEN".to_owned()));
        assert!(
            names
                .iter()
                .all(|name| ["HOME", "LANG", "PATH", "TMPDIR", "TOKEN"].contains(&name.as_str())),
            "{names:?}"
        );
        assert_eq!(
            environment(&["NOT_SET_ANYWHERE_1".to_owned()], None)
                .unwrap_err()
                .exit,
            2
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

    #[test]
    fn an_upstream_is_a_plain_url() {
        for bad in [
            "3000",
            "ftp://x/mcp",
            "http://user:pass@x/mcp",
            "http://x/mcp#a",
        ] {
            let refused = upstream_url(bad).unwrap_err();
            assert_eq!(refused.exit, 2, "{bad}");
            assert!(!refused.message.contains("pass@"), "{}", refused.message);
        }
    }
}
