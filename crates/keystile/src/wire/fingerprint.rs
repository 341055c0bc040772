//! By what the data directory knows an upstream again (DESIGN §2): a digest of what the operator wrote, and the same
//! for people to read, without what may be a secret.

use std::ffi::OsString;

use keystile_domain::shown as fit;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::wire::{KnownAs, Upstream};

impl Upstream {
    /// `KIND:DIGEST TEXT`. The same command or URL has the same digest; the values of variables are secrets and no
    /// part of it, nor are the path of this program and where a command was found.
    pub(crate) fn fingerprint(&self) -> String {
        let (kind, words, text) = match self {
            Self::Http { url, .. } => ("http", vec![url.as_str().into()], shown_url(url)),
            Self::Stdio { known_as, .. } => match known_as {
                KnownAs::Demo(None) => ("demo", vec![], "keystile demo".to_owned()),
                KnownAs::Demo(Some(folder)) => {
                    let text = format!("keystile demo --folder {}", folder.display());
                    ("demo", vec![folder.clone().into_os_string()], text)
                }
                KnownAs::Command(words) => ("stdio", words.clone(), shown(words)),
            },
        };
        let text: String = fit::line(&text).chars().take(LONGEST).collect();
        format!("{kind}:{} {text}", digest(kind, &words))
    }
}

/// Whether both are fingerprints of the same server.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.split(' ').next() == other.split(' ').next()
}

/// What people read of it.
pub(crate) fn text(fingerprint: &str) -> &str {
    fingerprint
        .split_once(' ')
        .map_or(fingerprint, |(_, text)| text)
}

fn digest(kind: &str, words: &[OsString]) -> String {
    let mut hash = Sha256::new();
    let words = words.iter().map(|word| word.as_encoded_bytes());
    for part in [kind.as_bytes()].into_iter().chain(words) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash: [u8; 32] = hash.finalize().into();
    let bytes = hash.iter().take(16);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// Some servers want a key in the query.
fn shown_url(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(url.query().map(|_| HIDDEN));
    shown.set_fragment(None);
    shown.as_str().replace("%E2%80%A6", HIDDEN)
}

/// The words of a command, as a shell would take them.
fn shown(words: &[OsString]) -> String {
    let mut hide_next = false;
    let mut shown = Vec::new();
    for word in words {
        let word = word.to_string_lossy();
        let is_flag = word.starts_with('-');
        let hidden = std::mem::replace(&mut hide_next, false) && !is_flag;
        let text = match word.split_once('=') {
            _ if hidden => HIDDEN.to_owned(),
            Some((name, _)) if sounds_secret(name) || is_variable(name) => {
                format!("{name}={HIDDEN}")
            }
            _ if word.contains("://") => Url::parse(&word).map_or(HIDDEN.to_owned(), |mut url| {
                // A URL that can have neither has none.
                let _ = url.set_username("").and_then(|()| url.set_password(None));
                shown_url(&url)
            }),
            _ if is_opaque(&word) => HIDDEN.to_owned(),
            _ if word.contains(char::is_whitespace) => format!("'{word}'"),
            _ => word.clone().into_owned(),
        };
        hide_next = is_flag && !word.contains('=') && sounds_secret(&word);
        shown.push(text);
    }
    shown.join(" ")
}

/// Flags and names whose value is nobody's business.
fn sounds_secret(name: &str) -> bool {
    const SECRET: [&str; 10] = [
        "key", "token", "secret", "pass", "pwd", "auth", "cred", "cookie", "bearer", "header",
    ];
    let lower = name.to_ascii_lowercase();
    name == "-H" || SECRET.iter().any(|part| lower.contains(part))
}

/// `NAME` of an environment variable, as in `docker run -e NAME=VALUE`.
fn is_variable(name: &str) -> bool {
    let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !name.is_empty() && name.bytes().all(upper)
}

/// Looks like a key that stands by itself.
fn is_opaque(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    word.len() >= 20 && digits >= 3 && !word.contains(['/', '@']) && !word.starts_with("--")
}

const HIDDEN: &str = "…";
/// Characters of a text.
const LONGEST: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    fn stdio(line: &str) -> String {
        Upstream::Stdio {
            argv: vec!["/somewhere".into()],
            known_as: KnownAs::Command(line.split(' ').map(Into::into).collect()),
            env: vec![("API_KEY".into(), "hunter2".into())],
            idle: std::time::Duration::ZERO,
        }
        .fingerprint()
    }

    #[test]
    fn another_command_or_url_is_another_server() {
        let http = |url: &str| {
            let (url, transport) = (url.parse().unwrap(), Default::default());
            Upstream::Http { url, transport }.fingerprint()
        };
        assert!(!same(&stdio("a bc"), &stdio("ab c")));
        let (one, other) = (
            http("http://127.0.0.1:1/mcp"),
            http("http://127.0.0.1:2/mcp"),
        );
        assert!(!same(&one, &other));
        assert!(same(&one, &http("http://127.0.0.1:1/mcp")));
        let keyed = |key: &str| http(&format!("http://127.0.0.1:1/mcp?key={key}"));
        assert!(!same(&keyed("a"), &keyed("b")));
        assert_eq!(text(&keyed("a")), "http://127.0.0.1:1/mcp?…");
    }

    #[test]
    fn what_is_kept_for_people_has_no_secret() {
        for (line, expected) in [
            (
                "npx -y @scope/server@2026.8.31 .",
                "npx -y @scope/server@2026.8.31 .",
            ),
            ("srv --api-key hunter2 x", "srv --api-key … x"),
            ("srv --token=hunter2 -H hunter2", "srv --token=… -H …"),
            ("docker run -e NAME=hunter2 img", "docker run -e NAME=… img"),
            ("srv sk-0123456789abcdefghij", "srv …"),
            (
                "srv https://u:hunter2@x.example/?k=hunter2",
                "srv https://x.example/?…",
            ),
            ("srv\u{1b}[2J", "srv?[2J"),
        ] {
            let kept = stdio(line);
            assert_eq!(text(&kept), expected);
            assert!(
                !kept.contains("hunter2") && !kept.contains("0123456789"),
                "{kept}"
            );
        }
    }
}
