//! How two addresses differ, when they should be the same byte for byte: the small differences that
//! people stare at for an hour.

use std::borrow::Cow;

use super::Diagnosis;
use crate::flow::without_query;

/// The one thing in which two URIs differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// `http` and `https`, or another scheme.
    Scheme,
    /// A user name, or a password.
    User,
    /// The host.
    Host,
    /// `localhost`, `127.0.0.1` and `[::1]` are three names.
    LoopbackName,
    /// The port.
    Port,
    /// The path.
    Path,
    /// A slash at the end.
    Slash,
    /// Upper and lower case.
    Case,
    /// What stands behind `?`.
    Query,
    /// What stands behind `#`.
    Fragment,
}

impl Difference {
    /// Each there is.
    pub const ALL: [Self; 10] = [
        Self::Scheme,
        Self::User,
        Self::Host,
        Self::LoopbackName,
        Self::Port,
        Self::Path,
        Self::Slash,
        Self::Case,
        Self::Query,
        Self::Fragment,
    ];

    /// The last word of the reason.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheme => "scheme",
            Self::User => "user",
            Self::Host => "host",
            Self::LoopbackName => "loopback_name",
            Self::Port => "port",
            Self::Path => "path",
            Self::Slash => "slash",
            Self::Case => "case",
            Self::Query => "query",
            Self::Fragment => "fragment",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Scheme => "in the scheme",
            Self::User => "in a user name or a password, which do not belong there",
            Self::Host => "in the host",
            Self::LoopbackName => {
                "in the name of this computer: localhost, 127.0.0.1 and [::1] are three hosts"
            }
            Self::Port => "in the port",
            Self::Path => "in the path",
            Self::Slash => "in slashes at the end",
            Self::Case => "in upper and lower case",
            Self::Query => "behind the question mark",
            Self::Fragment => "behind the #",
        }
    }

    fn of(part: usize, one: &str, other: &str) -> Self {
        match part {
            _ if one.eq_ignore_ascii_case(other) => Self::Case,
            0 => Self::Scheme,
            1 => Self::User,
            2 if is_loopback(one) && is_loopback(other) => Self::LoopbackName,
            2 => Self::Host,
            3 => Self::Port,
            4 if one.trim_end_matches('/') == other.trim_end_matches('/') => Self::Slash,
            4 => Self::Path,
            5 => Self::Query,
            _ => Self::Fragment,
        }
    }
}

/// One part in which two URIs differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Differing<'a> {
    /// What it comes to.
    pub(crate) difference: Difference,
    /// The name of the part.
    pub(crate) part: &'static str,
    /// What came.
    pub(crate) asked: &'a str,
    /// What would have done.
    pub(crate) expected: &'a str,
}

/// Every part in which two URIs differ; the port is none of them where it may be any.
pub(crate) fn differing<'a>(
    asked: &'a str,
    expected: &'a str,
    any_port: bool,
) -> Vec<Differing<'a>> {
    let pairs = parts(asked).into_iter().zip(parts(expected));
    let pairs = PARTS.into_iter().zip(pairs).enumerate();
    pairs
        .filter(|(_, (part, (one, other)))| one != other && !(any_port && *part == "port"))
        .map(|(at, (part, (asked, expected)))| Differing {
            difference: Difference::of(at, asked, expected),
            part,
            asked,
            expected,
        })
        .collect()
}

/// Names how an address differs from the nearest of those that would have done: `WHAT_differs_in_PART`,
/// or `otherwise` when it differs from each in several things, all of which are found then.
#[must_use]
pub fn diagnose<'a>(
    what: &'static str,
    otherwise: &'static str,
    asked: &str,
    expected: impl Iterator<Item = &'a str>,
) -> Diagnosis {
    nearest(what, otherwise, asked, expected, false)
}

/// [`diagnose`], where the port may be any or not.
pub(crate) fn nearest<'a>(
    what: &'static str,
    otherwise: &'static str,
    asked: &str,
    expected: impl Iterator<Item = &'a str>,
    any_port: bool,
) -> Diagnosis {
    let in_what = |other| differing(asked, other, any_port);
    let mut expected: Vec<&str> = expected.collect();
    expected.sort_by_cached_key(|other| in_what(other).len());
    let nearest = expected.first().copied();
    let shown: Vec<String> = expected.iter().take(3).map(|uri| quoted(uri)).collect();
    let differences = nearest.map(in_what).unwrap_or_default();
    let (came, reason) = (quoted(asked), Cow::Borrowed(otherwise));
    let (reason, found) = match (&*differences, nearest) {
        ([one], _) => (
            Cow::Owned(format!("{what}_differs_in_{}", one.difference.as_str())),
            format!("{came} came; it differs only {}.", one.difference.words()),
        ),
        ([], _) | (_, None) => (reason, format!("{came} came.")),
        (several, Some(nearest)) => {
            let words = several.iter().map(|one| one.difference.words());
            let words = words.collect::<Vec<_>>().join("; ");
            let (nearest, count) = (quoted(nearest), several.len());
            let found =
                format!("{came} came; it differs from {nearest} in {count} things: {words}.");
            (reason, found)
        }
    };
    let mut diagnosis = Diagnosis::named(reason, found);
    if !shown.is_empty() {
        diagnosis.expected = format!("{} Expected {}.", diagnosis.expected, shown.join(" or "));
    }
    diagnosis
}

/// So that the full stop behind it is not read as a part of it.
fn quoted(uri: &str) -> String {
    format!("'{}'", without_query(uri))
}

const PARTS: [&str; 7] = [
    "scheme", "user", "host", "port", "path", "query", "fragment",
];

/// The [`PARTS`] of a URI.
fn parts(text: &str) -> [&str; 7] {
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())),
        None => ("", rest),
    };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (user, authority) = authority.rsplit_once('@').unwrap_or(("", authority));
    let after_host = authority.rfind(']').unwrap_or(0);
    let port = authority[after_host..].find(':').map(|at| after_host + at);
    let (host, port) = authority.split_at(port.unwrap_or(authority.len()));
    let port = port.trim_start_matches(':');
    [scheme, user, host, port, path, query, fragment]
}

/// The names of this computer that people write.
pub(super) fn is_loopback(host: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].contains(&host)
}
