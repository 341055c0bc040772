//! `[servers.NAME]`: one MCP server each.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use keystile_gateway::relay::Transport;

use super::form::{Key, Kind, Section};
use super::reader::Reader;
use crate::upstream::{self, Environment};
use crate::wire::{KnownAs, Upstream};

pub(super) static FORM: Section = Section {
    name: "servers",
    is_named: true,
    about: "One MCP server each, at /NAME/mcp: an HTTP server by its url, or a stdio server by its command.",
    keys: &[
        Key {
            name: "url",
            kind: Kind::Text,
            default: "",
            about: "The MCP endpoint of a running HTTP server. It should listen on loopback only, since Keystile is its only door.",
            example: "\"http://127.0.0.1:3000/mcp\"",
            flag: None,
        },
        Key {
            name: "transport",
            kind: Kind::OneOf(&["auto", "http", "sse"]),
            default: "auto",
            about: "How the HTTP server is spoken to: found out when Keystile starts; streamable HTTP, since 2025-03-26; or HTTP+SSE of 2024-11-05, where the url is that of its event stream.",
            example: "\"auto\"",
            flag: Some("--transport"),
        },
        Key {
            name: "command",
            kind: Kind::Texts,
            default: "",
            about: "The command of a stdio server and its arguments. It is started as it is, without a shell. A relative path begins at the folder of this file.",
            example: "[\"uvx\", \"mcp-server-git\", \"--repository\", \"/srv/git/docs\"]",
            flag: None,
        },
        Key {
            name: "env",
            kind: Kind::Variables,
            default: "none",
            about: "Variables that the stdio server gets, besides PATH, HOME, LANG and TMPDIR. With _file behind its name, a variable gets the content of that file.",
            example: "{ LOG_LEVEL = \"info\", API_KEY_file = \"/run/secrets/git-api-key\" }",
            flag: Some("--env"),
        },
        Key {
            name: "pass_env",
            kind: Kind::Texts,
            default: "none",
            about: "Names of Keystile's own variables that the stdio server gets, too.",
            example: "[\"HTTPS_PROXY\"]",
            flag: Some("--env"),
        },
        Key {
            name: "env_file",
            kind: Kind::Path,
            default: "none",
            about: "A file of variables that the stdio server gets, one NAME=VALUE a line.",
            example: "\"git.env\"",
            flag: Some("--env-file"),
        },
        Key {
            name: "idle",
            kind: Kind::Time,
            default: "30m",
            about: "End a process of the stdio server that nobody has used for this long, 1s to 30d.",
            example: "\"30m\"",
            flag: Some("--idle"),
        },
    ],
};

/// A server and its name.
pub(crate) struct Server {
    /// `{server}` of its path.
    pub(crate) name: String,
    pub(crate) upstream: Upstream,
}

/// For how long a process may rest.
const RESTS_FOR: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 3600);
/// For how long it does where nobody says otherwise.
pub(crate) const RESTS: Duration = Duration::from_secs(30 * 60);

impl Server {
    /// None if there is nothing to serve; that is a mistake.
    pub(super) fn read(name: String, reader: &mut Reader<'_>, folder: &Path) -> Option<Self> {
        if !upstream::is_legal_name(&name) {
            reader.missing(
                &format!("{name} can't be a server's name"),
                &format!("a name has {}", upstream::NAMES),
            );
        }
        let upstream = match (reader.has("url"), reader.has("command")) {
            (true, false) => http(reader),
            (false, true) => stdio(reader, folder),
            (true, true) => {
                reader.wrong("command", "there is a url, too: a server has one of them");
                None
            }
            (false, false) => {
                reader.missing(
                    &format!("{name} has neither url nor command"),
                    "write url = \"http://127.0.0.1:3000/mcp\" or command = [\"npx\", \"…\"]",
                );
                None
            }
        }?;
        Some(Self { name, upstream })
    }
}

fn http(reader: &mut Reader<'_>) -> Option<Upstream> {
    for key in ["env", "pass_env", "env_file", "idle"] {
        if reader.has(key) {
            reader.wrong(key, "only a server with a command has it");
        }
    }
    let transport = match reader.word("transport") {
        Some("http") => Transport::StreamableHttp,
        Some("sse") => Transport::HttpSse,
        _ => Transport::Detect,
    };
    let url = reader.parsed("url", |text| {
        upstream::url(text).map_err(|(message, help)| format!("{message}; {help}"))
    })?;
    Some(Upstream::Http { url, transport })
}

fn stdio(reader: &mut Reader<'_>, folder: &Path) -> Option<Upstream> {
    if reader.has("transport") {
        reader.wrong("transport", "only a server with a url has it");
    }
    let words = reader.texts("command");
    let mut argv: Vec<OsString> = words.into_iter().map(|(_, word)| word.into()).collect();
    if argv.is_empty() {
        reader.wrong("command", "there is no program in it");
        return None;
    }
    let known_as = KnownAs::Command(upstream::as_written(&argv, folder));
    // One that is not there now may be later: the others are served all the same.
    if let Some(found) = upstream::program(&argv[0], folder) {
        argv[0] = found.into();
    }
    let mut environment = Environment::inherited();
    if let Some(file) = reader.path("env_file")
        && let Err(error) = environment.read(&file)
    {
        reader.wrong("env_file", error);
    }
    for (name, value) in reader.variables("env") {
        if let Err(error) = environment.set(&name, Some(&value)) {
            reader.wrong("env", format!("{name}: {error}"));
        }
    }
    for (_, name) in reader.texts("pass_env") {
        if let Err(error) = environment.set(&name, None) {
            reader.wrong("pass_env", format!("{name}: {error}"));
        }
    }
    Some(Upstream::Stdio {
        argv,
        known_as,
        env: environment.into_pairs(),
        idle: reader.time("idle", &RESTS_FOR).unwrap_or(RESTS),
    })
}
