//! Redirect URIs: what may be registered, and when one that comes is the registered one.
//!
//! RFC 9700 §4.1, RFC 8252 §7, OAuth 2.1 §2.3.1, CHECKLIST R6. A URI is judged as the bytes that
//! were sent; whatever a second parser could read differently is refused.

use thiserror::Error;
use url::Url;

use crate::issuer::is_loopback_host;
use crate::mutation::weakened;

/// A redirect URI of a legal form. Only [`RedirectUri::parse`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    kind: RedirectKind,
}

/// Where a redirect URI leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedirectKind {
    /// `https://host…`: a web page of that host.
    Https {
        /// ASCII host, lower case.
        host: String,
    },
    /// `http://` to `localhost`, 127.0.0.0/8 or `[::1]`: a program on this computer.
    Loopback {
        /// What stands before the port, for example `http://127.0.0.1`.
        before_port: String,
        /// What stands after the port, for example `/callback`.
        after_port: String,
    },
    /// `scheme:…`: the program that claims the scheme on this computer (RFC 8252 §7.1).
    PrivateUse {
        /// Lower case.
        scheme: String,
    },
}

/// Why a text is no redirect URI of a legal form.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum RedirectError {
    /// Empty or over 2,000 bytes.
    #[error("a redirect URI has 1 to 2000 bytes")]
    Length,
    /// Control characters, spaces, backslashes, non-ASCII, quotes.
    #[error("a redirect URI is printable ASCII without spaces, quotes, backslashes, <, >")]
    Characters,
    /// `#…`
    #[error("a redirect URI has no fragment (RFC 6749 section 3.1.2)")]
    Fragment,
    /// `user@`
    #[error("a redirect URI has no user name")]
    Userinfo,
    /// `/../`, `/./` or an encoded form of them.
    #[error("a redirect URI has no dot segments")]
    DotSegments,
    /// `?iss=…`: the answer would say it twice, and a client could believe the wrong one.
    #[error("the query of a redirect URI names no code, state, iss or error: the answer does")]
    AnswerParameter,
    /// Not an absolute URI, or a host that parsers read differently.
    #[error("it is not an absolute URI, or its host is not written in its plain form")]
    Malformed,
    /// `javascript:`, `data:` and their kin.
    #[error("the scheme is not one that a sign-in may end in")]
    Scheme,
    /// `http` to a host that is not this computer.
    #[error("http is only for localhost, 127.0.0.1 and [::1]; use https")]
    PlainHttp,
}

/// Schemes that browsers run, show or open themselves: never a redirect.
const NEVER: [&str; 22] = [
    "about",
    "blob",
    "chrome",
    "data",
    "feed",
    "file",
    "filesystem",
    "ftp",
    "intent",
    "jar",
    "javascript",
    "mailto",
    "ms-appx",
    "res",
    "resource",
    "sms",
    "tel",
    "urn",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

/// What an authorization response says, once (RFC 6749 §4.1.2, RFC 9207 §2).
const ANSWER: [&str; 6] = [
    "code",
    "error",
    "error_description",
    "error_uri",
    "iss",
    "state",
];

impl RedirectUri {
    /// Judges the form of a redirect URI.
    ///
    /// ```
    /// use keystile_protocol::redirect::RedirectUri;
    /// assert!(RedirectUri::parse("http://127.0.0.1:4711/callback").is_ok());
    /// assert!(RedirectUri::parse("https://good@evil.example/").is_err());
    /// ```
    ///
    /// # Errors
    /// [`RedirectError`] names the first rule that is broken.
    pub fn parse(text: &str) -> Result<Self, RedirectError> {
        if text.is_empty() || text.len() > 2000 {
            return Err(RedirectError::Length);
        }
        let illegal = |byte: u8| !byte.is_ascii_graphic() || b"\\\"<>^`{|}".contains(&byte);
        if text.bytes().any(illegal) && !weakened("a_011") {
            return Err(RedirectError::Characters);
        }
        if text.contains('#') && !weakened("a_009") {
            return Err(RedirectError::Fragment);
        }
        if names_answer(text) && !weakened("n_as_24") {
            return Err(RedirectError::AnswerParameter);
        }
        let (scheme, rest) = text.split_once(':').ok_or(RedirectError::Malformed)?;
        let kind = match scheme {
            "https" | "http" => hierarchical(scheme, text, rest)?,
            _ => private_use(scheme, rest)?,
        };
        Ok(Self {
            text: text.to_owned(),
            kind,
        })
    }

    /// The bytes as they were sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it leads.
    #[must_use]
    pub const fn kind(&self) -> &RedirectKind {
        &self.kind
    }

    /// Whether it leads to a program on this computer by loopback.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        matches!(self.kind, RedirectKind::Loopback { .. })
    }

    /// Whether a URI that came is this registered one: the same bytes, or, for a client that may
    /// vary it, a loopback URI that differs in the port only (RFC 8252 §7.3).
    #[must_use]
    pub fn accepts(&self, came: &Self, any_loopback_port: bool) -> bool {
        if self.text == came.text {
            return true;
        }
        if (weakened("n_as_18") || weakened("n_as_38")) && came.text.starts_with(&self.text) {
            return true;
        }
        match (&self.kind, &came.kind) {
            (
                RedirectKind::Loopback {
                    before_port,
                    after_port,
                },
                RedirectKind::Loopback {
                    before_port: before,
                    after_port: after,
                },
            ) => any_loopback_port && before_port == before && after_port == after,
            _ => false,
        }
    }

    /// The place it leads to: the origin (RFC 6454 §6.2), or the scheme with its colon. It is what an
    /// owner approves of, and what a Content-Security-Policy `form-action` must name for a redirect to
    /// this URI (Chromium applies it to the redirect after a POST).
    ///
    /// ```
    /// use keystile_protocol::redirect::RedirectUri;
    /// let place = |text| RedirectUri::parse(text).map(|uri| uri.place());
    /// assert_eq!(place("https://app.example:8443/cb?x=1")?, "https://app.example:8443");
    /// assert_eq!(place("notes:/callback")?, "notes:");
    /// # Ok::<(), keystile_protocol::redirect::RedirectError>(())
    /// ```
    #[must_use]
    pub fn place(&self) -> String {
        match &self.kind {
            RedirectKind::PrivateUse { scheme } => format!("{scheme}:"),
            RedirectKind::Https { .. } | RedirectKind::Loopback { .. } => Url::parse(&self.text)
                .map_or_else(|_| String::new(), |url| url.origin().ascii_serialization()),
        }
    }

    /// The URI with response parameters added to its query; the registered bytes stay as they are
    /// (RFC 6749 §3.1.2: an existing query is kept).
    #[must_use]
    pub fn with_params(&self, params: &[(&str, &str)]) -> String {
        let mut text = if weakened("n_as_31") {
            Url::parse(&self.text).map_or_else(|_| String::new(), String::from)
        } else {
            self.text.clone()
        };
        let mut joint = match text.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        for (name, value) in params {
            text.push_str(joint);
            text.push_str(name);
            text.push('=');
            text.extend(url::form_urlencoded::byte_serialize(value.as_bytes()));
            joint = "&";
        }
        text
    }
}

/// Names are compared as a client reads them: decoded.
fn names_answer(text: &str) -> bool {
    let query = text.split_once('?').map_or("", |(_, query)| query);
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| ANSWER.contains(&&*name))
}

fn hierarchical(scheme: &str, text: &str, rest: &str) -> Result<RedirectKind, RedirectError> {
    let rest = rest.strip_prefix("//").ok_or(RedirectError::Malformed)?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path_and_query) = rest.split_at(end);
    if authority.contains('@') && !weakened("a_002") {
        return Err(RedirectError::Userinfo);
    }
    if dotted(path_and_query) && !weakened("a_003") {
        return Err(RedirectError::DotSegments);
    }
    let (host, port) = split_port(authority).ok_or(RedirectError::Malformed)?;
    let url = Url::parse(text).map_err(|_| RedirectError::Malformed)?;
    let loopback = is_loopback_host(host);
    // One parser and the raw text must agree on the host: no encodings, no case, no trailing dot.
    // A `*` is what somebody meant as a pattern, and nothing here is one.
    let plain = url.host_str() == Some(host) && !host.ends_with('.') && !host.contains('*');
    if !plain && !weakened("a_005") && !weakened("a_002") && !weakened("a_011") {
        return Err(RedirectError::Malformed);
    }
    if scheme == "https" {
        return Ok(RedirectKind::Https {
            host: host.to_owned(),
        });
    }
    let prefix =
        weakened("a_004") && (host.starts_with("localhost") || host.starts_with("127.0.0.1"));
    let look_alike = weakened("a_005") && url.host_str().is_some_and(is_loopback_host);
    if !loopback && !prefix && !look_alike && !weakened("n_as_17") {
        return Err(RedirectError::PlainHttp);
    }
    let before_port = format!("http://{host}");
    let after_port = path_and_query.to_owned();
    debug_assert_eq!(before_port.len() + port + after_port.len(), text.len());
    Ok(RedirectKind::Loopback {
        before_port,
        after_port,
    })
}

/// Host, and the length of `:port`.
fn split_port(authority: &str) -> Option<(&str, usize)> {
    let host_end = match authority.strip_prefix('[') {
        Some(inside) => inside.find(']')? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(host_end);
    let digits = port.strip_prefix(':').unwrap_or("1");
    let legal = digits
        .parse::<u16>()
        .is_ok_and(|number| number > 0 && number.to_string() == digits);
    (legal && !host.is_empty()).then_some((host, port.len()))
}

/// Whether a path has `.` or `..` segments, plain, encoded or with path parameters (`..;`).
fn dotted(path_and_query: &str) -> bool {
    let path = path_and_query.split('?').next().unwrap_or_default();
    let lower = path
        .to_ascii_lowercase()
        .replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "/");
    let bare = |segment: &str| {
        segment
            .split([';', '%'])
            .next()
            .is_some_and(|name| name == "." || name == "..")
    };
    lower.split('/').any(bare)
}

fn private_use(scheme: &str, rest: &str) -> Result<RedirectKind, RedirectError> {
    // RFC 3986 §3.1, lower case so that the bytes are the only spelling.
    let first = scheme
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase());
    let legal =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    if !first || !scheme.bytes().all(legal) || rest.is_empty() {
        return Err(RedirectError::Malformed);
    }
    if NEVER.contains(&scheme) && !weakened("a_006") {
        return Err(RedirectError::Scheme);
    }
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())),
        None => ("", rest),
    };
    if authority.contains('@') {
        return Err(RedirectError::Userinfo);
    }
    if dotted(path) {
        return Err(RedirectError::DotSegments);
    }
    Ok(RedirectKind::PrivateUse {
        scheme: scheme.to_owned(),
    })
}

#[cfg(test)]
mod tests;
