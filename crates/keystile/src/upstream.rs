//! What an operator writes of a server: its URL, or its command and what that gets of the environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use url::Url;

/// The URL of an MCP endpoint.
///
/// # Errors
/// What is wrong with it, and what to write.
pub(crate) fn url(text: &str) -> Result<Url, (String, String)> {
    let help =
        "write the MCP endpoint, for example http://127.0.0.1:3000/mcp, or a command after --";
    let refused = |message: String| Err((message, help.to_owned()));
    // `localhost:3000/mcp` would be a URL with the scheme `localhost`.
    if !text.contains("://") {
        let meant = format!("http://{text}");
        let likely = Url::parse(&meant).is_ok_and(|url| url.port().is_some());
        let help = match likely {
            true => format!("did you mean {meant}?"),
            false => help.to_owned(),
        };
        return Err((format!("{text} is not an http or https URL"), help));
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return refused(format!("{text}: {error}")),
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return refused(format!("{text} is not an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        let mut shown = url;
        let _ = shown
            .set_password(None)
            .and_then(|()| shown.set_username(""));
        return refused(format!("{shown} has a user name or a fragment"));
    }
    Ok(url)
}

/// The command as the operator means it, by which it is known again; paths begin at this folder. Not where the command
/// was found, which an upgrade of it moves. But `./server` of another folder is another one.
pub(crate) fn as_written(argv: &[OsString], folder: &Path) -> Vec<OsString> {
    let mut words = argv.to_vec();
    if let Some(first) = words.first_mut()
        && is_path(first)
    {
        *first = folder.join(&*first).into();
    }
    words
}

/// Where the program of a command is: at its path, from this folder, or as a shell finds it.
pub(crate) fn program(name: &OsStr, folder: &Path) -> Option<PathBuf> {
    if is_path(name) {
        let path = folder.join(name);
        return is_executable(&path).then_some(path);
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "commands are found as a shell finds them"
    )]
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search)
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
}

fn is_path(word: &OsStr) -> bool {
    let path = Path::new(word);
    path.components().count() > 1 || path.starts_with(".")
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// What a child gets of the environment.
#[derive(Debug, Default)]
pub(crate) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// What every child gets of our own ([`keystile_gateway::stdio::INHERITED`]).
    pub(crate) fn inherited() -> Self {
        let names = keystile_gateway::stdio::INHERITED.into_iter();
        Self(
            names
                .filter_map(|name| Some((name.into(), own(name)?)))
                .collect(),
        )
    }

    /// A variable with a value, or our own of that name.
    ///
    /// # Errors
    /// That is no name of a variable, or it is not set here.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        if name.is_empty() {
            return Err("there is no name of a variable before the =".to_owned());
        }
        if !is_name(name) {
            return Err("that is no name of a variable".to_owned());
        }
        let value = match value {
            Some(value) => Some(value.into()),
            None => own(name),
        };
        let value = value.ok_or_else(|| "it is not set here".to_owned())?;
        self.0.insert(name.into(), value);
        Ok(())
    }

    /// The variables of a file, one `NAME=VALUE` a line.
    ///
    /// # Errors
    /// It can't be read, or a line is none.
    pub(crate) fn read(&mut self, path: &Path) -> Result<(), String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let lines = text.lines().enumerate();
        for (number, line) in
            lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
        {
            let (name, value) = line
                .split_once('=')
                .filter(|(name, _)| is_name(name))
                .ok_or_else(|| {
                    format!(
                        "{} line {}: expected NAME=VALUE",
                        path.display(),
                        number + 1
                    )
                })?;
            self.0.insert(name.into(), value.into());
        }
        Ok(())
    }

    /// For the child.
    pub(crate) fn into_pairs(self) -> Vec<(OsString, OsString)> {
        self.0.into_iter().collect()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the operator's own variables are passed on by name only"
)]
fn own(name: &str) -> Option<OsString> {
    std::env::var_os(name)
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

/// Names that would hide a path of ours.
const RESERVED: [&str; 8] = [
    "oauth",
    "ks",
    "authorize",
    "token",
    "register",
    "healthz",
    "readyz",
    "metrics",
];

/// Whether a server may have this name.
pub(crate) fn is_legal_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.starts_with('-')
        && !RESERVED.contains(&name)
}

/// What a name of a server is.
pub(crate) const NAMES: &str =
    "1 to 64 small letters, digits and hyphens, and no path of Keystile's own";

/// A name out of a program or host: what is legal of it, or `mcp`.
pub(crate) fn name_from(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            _ if name.ends_with('-') || name.is_empty() => {}
            _ => name.push('-'),
        }
    }
    let name = name
        .trim_end_matches('-')
        .chars()
        .take(64)
        .collect::<String>();
    let name = name.trim_end_matches('-').to_owned();
    if name.is_empty() || RESERVED.contains(&name.as_str()) {
        "mcp".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_out_legal() {
        for (text, name) in [
            (
                "@modelcontextprotocol/server-everything",
                "modelcontextprotocol-server-everything",
            ),
            ("127.0.0.1", "127-0-0-1"),
            ("My Server!", "my-server"),
            ("oauth", "mcp"),
            ("---", "mcp"),
        ] {
            assert_eq!(name_from(text), name);
            assert!(is_legal_name(&name_from(text)));
        }
        assert!(!is_legal_name("a/b"));
        assert!(!is_legal_name("ks"));
    }

    #[test]
    fn a_child_gets_four_variables_and_what_was_named() {
        let mut environment = Environment::inherited();
        environment.set("TOKEN", Some("abc=d")).unwrap();
        assert!(environment.set("NOT_SET_ANYWHERE_1", None).is_err());
        assert!(environment.set("", Some("x")).is_err());
        let names: Vec<_> = environment
            .into_pairs()
            .into_iter()
            .map(|(name, _)| name.to_string_lossy().into_owned())
            .collect();
        assert!(names.contains(&"TOKEN".to_owned()));
        assert!(
            names
                .iter()
                .all(|name| ["HOME", "LANG", "PATH", "TMPDIR", "TOKEN"].contains(&name.as_str())),
            "{names:?}"
        );
    }

    #[test]
    fn a_program_is_found_as_a_shell_finds_it() {
        let here = Path::new("/");
        assert!(program("no-such-program-here".as_ref(), here).is_none());
        let found = program("sh".as_ref(), here).unwrap();
        assert!(found.is_absolute());
        assert_eq!(
            program("./bin/sh".as_ref(), here).unwrap(),
            Path::new("/./bin/sh")
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
            let (message, _) = url(bad).unwrap_err();
            assert!(!message.contains("pass@"), "{message}");
        }
    }
}
