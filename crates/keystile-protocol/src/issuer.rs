//! The issuer identifier (RFC 8414 §2, RFC 9207).

use std::fmt;

use thiserror::Error;
use url::Url;

use crate::mutation::weakened;

/// An issuer: an origin without a path, written without a trailing slash.
///
/// It comes from the configuration only (CHECKLIST R15) and is compared as a string.
///
/// ```
/// use keystile_protocol::issuer::Issuer;
/// let issuer = Issuer::parse("http://localhost:7717/").unwrap();
/// assert_eq!(issuer.as_str(), "http://localhost:7717");
/// assert_eq!(issuer.at("/oauth/token"), "http://localhost:7717/oauth/token");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Issuer {
    text: String,
    authority: String,
    https: bool,
}

/// Why a text is no public URL of ours.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum IssuerError {
    /// Not a URL at all.
    #[error("it is not a URL; write an origin such as https://mcp.example.com")]
    NotAUrl,
    /// Not http or https.
    #[error("the scheme must be https, or http on loopback")]
    Scheme,
    /// `http` with a host that is not loopback (MCP authorization: all endpoints over HTTPS).
    #[error(
        "http is only for localhost; clients refuse an http issuer on another name, so use https"
    )]
    PlainHttp,
    /// Path, query, fragment or userinfo.
    #[error(
        "it must be an origin: scheme, host and port, without path, query, fragment or user name"
    )]
    NotAnOrigin,
}

impl Issuer {
    /// Parses a public URL as the operator wrote it.
    ///
    /// # Errors
    /// [`IssuerError`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, IssuerError> {
        let url = Url::parse(text).map_err(|_| IssuerError::NotAUrl)?;
        let host = url.host_str().ok_or(IssuerError::NotAUrl)?;
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(IssuerError::Scheme),
        };
        if !https && !is_loopback_host(host) && !weakened("n_as_16") {
            return Err(IssuerError::PlainHttp);
        }
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(IssuerError::NotAnOrigin);
        }
        let text = url.origin().ascii_serialization();
        let authority = text
            .split_once("://")
            .map_or("", |(_, rest)| rest)
            .to_owned();
        Ok(Self {
            text,
            authority,
            https,
        })
    }

    /// The identifier, byte for byte as it stands in `iss` and the metadata.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and, unless it is the default one, port: what a right `Host` header says.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether the public URL is https.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.https
    }

    /// The absolute URL of a path (which begins with `/`) on this origin.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `localhost`, a dotted quad of 127.0.0.0/8, or `[::1]`; nothing that merely resolves to them.
#[must_use]
pub fn is_loopback_host(host: &str) -> bool {
    if host == "localhost" || host == "[::1]" {
        return true;
    }
    let quad: Vec<&str> = host.split('.').collect();
    let octet = |text: &str| {
        text.parse::<u8>()
            .is_ok_and(|value| value.to_string() == text)
    };
    quad.len() == 4 && quad.first() == Some(&"127") && quad.iter().all(|text| octet(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_kept_and_the_rest_is_refused() {
        assert_eq!(
            Issuer::parse("https://Mcp.Example.com:443/")
                .unwrap()
                .as_str(),
            "https://mcp.example.com"
        );
        assert_eq!(
            Issuer::parse("http://[::1]:7717").unwrap().authority(),
            "[::1]:7717"
        );
        for (text, why) in [
            ("mcp.example.com", IssuerError::NotAUrl),
            ("ftp://example.com", IssuerError::Scheme),
            ("http://example.com", IssuerError::PlainHttp),
            ("http://localhost.evil", IssuerError::PlainHttp),
            ("https://example.com/path", IssuerError::NotAnOrigin),
            ("https://example.com/?a", IssuerError::NotAnOrigin),
            ("https://user@example.com/", IssuerError::NotAnOrigin),
        ] {
            assert_eq!(Issuer::parse(text).unwrap_err(), why, "{text}");
        }
    }
}
