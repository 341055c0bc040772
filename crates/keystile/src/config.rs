//! `keystile.toml`: many servers, one file. Each section has its file here, which says what its keys are and what may be
//! wrong with them; flags of the commands that need no file are held to the same.

mod clients;
mod form;
mod listen;
mod mistake;
mod reader;
pub(crate) mod reference;
mod server;
mod shown;
mod source;
mod time;
mod tokens;

use std::path::Path;

use crate::failure::Failure;

pub(crate) use clients::{Clients, fetch_allow, trusted_host};
pub(crate) use listen::{Listen, PORT, legal_origin, network};
use mistake::{Mistake, Place};
use reader::Reader;
pub(crate) use server::Server;
use source::Source;
pub(crate) use time::duration;
pub(crate) use tokens::{LIVES_FOR, SIGNS_FOR, Tokens};

/// Everything that the file says, checked.
pub(crate) struct Config {
    pub(crate) listen: Listen,
    pub(crate) tokens: Tokens,
    pub(crate) clients: Clients,
    /// In the order of the file; at least one.
    pub(crate) servers: Vec<Server>,
}

/// Where the file is where nobody says otherwise.
pub(crate) const FILE: &str = "keystile.toml";

impl Config {
    /// Reads the file and the variables of this process that say otherwise.
    ///
    /// # Errors
    /// `config_missing`, `config_unreadable`, or `config` with all mistakes.
    pub(crate) fn load(file: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Failure::configuration(
                "config_missing",
                format!("there is no {}", file.display()),
                "name the file with --config, or write one with keystile config init",
            ),
            _ => Failure::configuration(
                "config_unreadable",
                format!("{}: {error}", file.display()),
                "make it a text file that this user may read",
            ),
        })?;
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
        let folder = file.parent().unwrap_or(Path::new("/"));
        let environment = std::env::vars_os();
        let environment = environment.filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self::read(&text, folder, environment).map_err(|mistakes| mistake::failure(mistakes, &file))
    }

    /// Reads a file's text; relative paths begin at the folder.
    fn read(
        text: &str,
        folder: &Path,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let source = Source::read(text, environment, &mut mistakes);
        let names = source.names(&server::FORM);
        if names.is_empty() {
            let mistake = Mistake::new(Place::Nowhere, "there is no server to protect");
            mistakes
                .push(mistake.with_help("write a section [servers.NAME] with a url or a command"));
        }
        let from = (&source, folder);
        let listen = Listen::read(&mut Reader::of(from, &listen::FORM, &mut mistakes));
        let tokens = Tokens::read(&mut Reader::of(from, &tokens::FORM, &mut mistakes));
        let clients = Clients::read(&mut Reader::of(from, &clients::FORM, &mut mistakes));
        let mut servers = Vec::new();
        for name in names {
            let mut reader = Reader::of_named(from, &server::FORM, &name, &mut mistakes);
            servers.extend(Server::read(name, &mut reader, folder));
        }
        match mistakes.is_empty() {
            true => Ok(Self {
                listen,
                tokens,
                clients,
                servers,
            }),
            false => Err(mistakes),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn read(text: &str) -> Result<Config, Vec<Mistake>> {
        read_with(text, &[])
    }

    fn read_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, Vec<Mistake>> {
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::read(text, Path::new("/srv/keystile"), variables)
    }

    fn told(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
        let mut mistakes = read_with(text, variables).err().expect("mistakes");
        mistakes.sort_by(|one, other| one.place.cmp(&other.place));
        mistakes.iter().map(ToString::to_string).collect()
    }

    const ONE: &str = "[servers.kb]\nurl = \"http://127.0.0.1:3000/mcp\"\n";

    #[test]
    fn a_file_with_one_server_is_enough() {
        let config = read(ONE).unwrap();
        assert_eq!(config.servers[0].name, "kb");
        assert_eq!(config.listen.port, PORT);
        assert_eq!(config.listen.ops().port(), PORT + 1);
        assert_eq!(
            config.tokens.access_token_lifetime,
            Duration::from_secs(600)
        );
    }

    #[test]
    fn the_example_of_the_reference_is_right() {
        let text = reference::example();
        let plain: String = text
            .lines()
            .map(|line| line.strip_prefix("#:").unwrap_or(line).to_owned() + "\n")
            .collect();
        read(&text).map(drop).unwrap();
        let mistakes = read(&plain).err().unwrap_or_default();
        // What can't be there together, and the files that it names.
        let expected = |mistake: &Mistake| {
            [
                "leave one of them out",
                "No such file",
                "it is not set here",
            ]
            .iter()
            .any(|text| mistake.message.contains(text))
        };
        let others: Vec<_> = mistakes.iter().filter(|it| !expected(it)).collect();
        assert!(others.is_empty(), "{others:#?}");
    }

    #[test]
    fn all_mistakes_are_told_at_once_and_where_they_are() {
        let text = "\
[listen]
prot = 1
origins = [\"https://app.example.com\", \"app\"]

[token]
access_token_lifetime = \"10m\"

[tokens]
key_rotation = \"1h\"

[servers.Git]
command = []
transport = \"sse\"

[servers.both]
url = \"localhost:3000/mcp\"
command = [\"x\"]

[servers.none]
idle = 5
";
        let told = told(text, &[]);
        let begins: Vec<_> = told
            .iter()
            .map(|text| text.lines().next().unwrap_or_default())
            .collect();
        assert_eq!(
            begins,
            [
                "keystile.toml:2:1: listen has no key prot; did you mean port?",
                "keystile.toml:3:39: listen.origins: \"app\": that is not an origin as browsers write it; write scheme, host and port only, for example https://app.example.com",
                "keystile.toml:5:2: there is no section token; did you mean tokens?",
                "keystile.toml:9:16: tokens.key_rotation: takes 86400 to 31536000 seconds",
                "keystile.toml:11:10: Git can't be a server's name",
                "keystile.toml:12:11: servers.Git.command: there is no program in it",
                "keystile.toml:13:13: servers.Git.transport: only a server with a url has it",
                "keystile.toml:17:11: servers.both.command: there is a url, too: a server has one of them",
                "keystile.toml:19:10: none has neither url nor command",
            ]
        );
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_place() {
        let told = told(
            "[listen\nport = 1\n[servers.kb]\nurl = \"http://127.0.0.1/\"\n",
            &[],
        );
        assert!(told[0].starts_with("keystile.toml:1:"), "{told:?}");
        assert!(told[0].contains("this is no TOML"), "{told:?}");
    }

    #[test]
    fn variables_say_otherwise_than_the_file() {
        let config = read_with(
            ONE,
            &[
                ("KEYSTILE_LISTEN__PORT", "9000"),
                (
                    "KEYSTILE_LISTEN__ORIGINS",
                    "https://a.example, https://b.example",
                ),
                ("KEYSTILE_SERVERS__KB__URL", "http://127.0.0.1:4000/mcp"),
                ("KEYSTILE_DATA_DIR", "/nowhere"),
            ],
        )
        .unwrap();
        assert_eq!(config.listen.port, 9000);
        assert_eq!(
            config.listen.origins,
            ["https://a.example", "https://b.example"]
        );
        assert!(config.servers[0].upstream.fingerprint().contains("4000"));
        let told = told(
            ONE,
            &[
                ("KEYSTILE_LISTEN__PORT", "many"),
                ("KEYSTILE_LISTEN__PROT", "1"),
                ("KEYSTILE_LISTN__PORT", "1"),
            ],
        );
        assert_eq!(told.len(), 3, "{told:#?}");
        assert!(
            told.iter().all(|text| text.starts_with("KEYSTILE_")),
            "{told:#?}"
        );
    }

    #[test]
    fn nobody_listens_beyond_loopback_without_tls() {
        let text = format!("[listen]\naddress = \"0.0.0.0:7717\"\n{ONE}");
        let told = told(&text, &[]);
        assert!(told[0].contains("has no TLS"), "{told:?}");
        let text = format!(
            "[listen]\naddress = \"0.0.0.0:7717\"\ntrusted_proxies = [\"10.0.0.7\"]\npublic_url = \"https://mcp.example.com\"\n{ONE}"
        );
        read(&text).map(drop).unwrap();
    }

    #[test]
    fn a_variable_of_a_child_may_come_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "hunter2\n").unwrap();
        let text =
            "[servers.git]\ncommand = [\"sh\"]\nenv = { API_KEY_file = \"key\", MODE = \"x\" }\n";
        let config = Config::read(text, folder.path(), std::iter::empty())
            .map_err(|mistakes| format!("{mistakes:?}"))
            .unwrap();
        let crate::wire::Upstream::Stdio { env, .. } = &config.servers[0].upstream else {
            panic!("a stdio server");
        };
        assert!(env.contains(&("API_KEY".into(), "hunter2".into())));
        assert!(env.contains(&("MODE".into(), "x".into())));
    }
}
