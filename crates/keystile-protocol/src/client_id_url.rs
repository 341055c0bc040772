//! A `client_id` that is a URL (OAuth Client ID Metadata Document draft §3, MCP client registration).

use std::fmt;

use url::{Host, Url};

use crate::mutation::weakened;

/// A `client_id` that names the document which describes the client.
///
/// It is kept byte for byte as the client sent it. Only a URL that is already in the one form that
/// the WHATWG parser gives it is accepted: so no second spelling of the same address exists, and
/// comparing bytes is comparing addresses.
#[derive(Clone)]
pub struct ClientIdUrl {
    url: Url,
}

impl ClientIdUrl {
    /// Reads a `client_id` as a URL.
    ///
    /// A query is accepted although the draft advises against one, because ChatGPT has used
    /// `…/client.json?token_endpoint_auth_method=none`.
    ///
    /// ```
    /// use keystile_protocol::client_id_url::ClientIdUrl;
    ///
    /// let id = ClientIdUrl::parse("https://claude.ai/oauth/claude-code-client-metadata")?;
    /// assert_eq!(id.host(), "claude.ai");
    /// assert!(ClientIdUrl::parse("https://claude.ai:443/oauth/x").is_err());
    /// # Ok::<(), keystile_protocol::client_id_url::ClientIdUrlError>(())
    /// ```
    ///
    /// # Errors
    /// The first rule that the URL breaks.
    pub fn parse(text: &str) -> Result<Self, ClientIdUrlError> {
        if text.len() > MAX_LENGTH {
            return Err(ClientIdUrlError::TooLong);
        }
        if !text.starts_with("https://") {
            return Err(ClientIdUrlError::Scheme);
        }
        let url = Url::parse(text).map_err(|_| ClientIdUrlError::Malformed)?;
        if url.fragment().is_some() {
            return Err(ClientIdUrlError::Fragment);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ClientIdUrlError::UserInfo);
        }
        if url.path() == "/" {
            return Err(ClientIdUrlError::NoPath);
        }
        if url.query() == Some("") {
            return Err(ClientIdUrlError::EmptyQuery);
        }
        if matches!(url.host(), Some(Host::Domain(name)) if name.ends_with('.')) {
            return Err(ClientIdUrlError::TrailingDot);
        }
        // Upper case, `:443`, `/../`, `%2e`, backslashes, tabs, other spellings of an address.
        if url.as_str() != text && !weakened("n_as_10") {
            return Err(ClientIdUrlError::NotCanonical);
        }
        Ok(Self { url })
    }

    /// Whether a `client_id` claims to be a URL, so that it is never looked up as anything else.
    ///
    /// ```
    /// use keystile_protocol::client_id_url::ClientIdUrl;
    ///
    /// assert!(ClientIdUrl::is_meant_by("HTTP://example.com/client.json"));
    /// assert!(!ClientIdUrl::is_meant_by("ksc_5f2d"));
    /// ```
    #[must_use]
    pub fn is_meant_by(client_id: &str) -> bool {
        client_id.contains("://")
    }

    /// The bytes that the client sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The same as a URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The host without port, in lower case and punycode; what a consent page shows first.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().expect("an https URL has a host")
    }
}

impl PartialEq for ClientIdUrl {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ClientIdUrl {}

impl std::hash::Hash for ClientIdUrl {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for ClientIdUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ClientIdUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a `client_id` is not the URL of a client metadata document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientIdUrlError {
    /// More than [`MAX_LENGTH`] bytes.
    #[error("a client_id URL has at most 1024 bytes")]
    TooLong,
    /// Another scheme, or `HTTPS`.
    #[error("a client_id URL begins with https:// in lower case")]
    Scheme,
    /// No URL at all.
    #[error("the client_id is no valid URL")]
    Malformed,
    /// `#…`
    #[error("a client_id URL has no fragment")]
    Fragment,
    /// `user:password@`
    #[error("a client_id URL has no user name or password")]
    UserInfo,
    /// `https://host` or `https://host/`
    #[error("a client_id URL has a path, such as https://client.example/client.json")]
    NoPath,
    /// A `?` with nothing behind it.
    #[error("a client_id URL has no empty query")]
    EmptyQuery,
    /// `https://host./…`
    #[error("the host of a client_id URL does not end with a dot")]
    TrailingDot,
    /// Any spelling but the one a URL parser would write.
    #[error(
        "a client_id URL is in its canonical form: host in lower case, no default port, no dot \
         segments, no unescaped characters"
    )]
    NotCanonical,
}

/// The longest `client_id` URL in bytes; the draft recommends a short one.
pub const MAX_LENGTH: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_known_clients_are_read() {
        for id in [
            "https://claude.ai/oauth/mcp-oauth-client-metadata",
            "https://chatgpt.com/oauth/Dyp26IIu2iQg/client.json?token_endpoint_auth_method=none",
            "https://vscode.dev/oauth/client-metadata.json",
            "https://127.0.0.1:8443/client.json",
            "https://[2001:db8::1]/client.json",
            "https://xn--bcher-kva.example/client%2Fid.json",
        ] {
            assert_eq!(ClientIdUrl::parse(id).expect(id).as_str(), id);
        }
    }

    /// Client ID Metadata Document draft §3; every second spelling of one address.
    #[test]
    fn n_as_10_a_client_id_url_has_one_spelling_and_no_dangerous_part() {
        use ClientIdUrlError as E;
        let cases: &[(&str, E)] = &[
            ("http://client.example/c.json", E::Scheme),
            ("HTTPS://client.example/c.json", E::Scheme),
            ("hTTps://client.example/c.json", E::Scheme),
            ("https:/client.example/c.json", E::Scheme),
            ("https:client.example/c.json", E::Scheme),
            (" https://client.example/c.json", E::Scheme),
            ("\u{feff}https://client.example/c.json", E::Scheme),
            ("ftp://client.example/c.json", E::Scheme),
            ("javascript://client.example/%0aalert(1)", E::Scheme),
            ("", E::Scheme),
            ("https://", E::Malformed),
            ("https://client example/c.json", E::Malformed),
            ("https://client.example:99999/c.json", E::Malformed),
            ("https://[::1/c.json", E::Malformed),
            ("https://256.1.1.1/c.json", E::Malformed),
            ("https://client.example", E::NoPath),
            ("https://client.example/", E::NoPath),
            ("https://client.example?x=1", E::NoPath),
            ("https://client.example/?x=1", E::NoPath),
            ("https://client.example/c.json#f", E::Fragment),
            ("https://client.example/c.json#", E::Fragment),
            ("https://user@client.example/c.json", E::UserInfo),
            ("https://user:pw@client.example/c.json", E::UserInfo),
            ("https://:pw@client.example/c.json", E::UserInfo),
            ("https://client.example/c.json?", E::EmptyQuery),
            ("https://client.example./c.json", E::TrailingDot),
            ("https://client.example/a/../c.json", E::NotCanonical),
            ("https://client.example/./c.json", E::NotCanonical),
            ("https://client.example/a/%2e%2E/c.json", E::NotCanonical),
            ("https://client.example/a/.%2e/c.json", E::NotCanonical),
            ("https://client.example/a\\..\\c.json", E::NotCanonical),
            ("https://client.example\\c.json", E::NotCanonical),
            ("https:///client.example/c.json", E::NotCanonical),
            ("https://CLIENT.example/c.json", E::NotCanonical),
            ("https://client.example:443/c.json", E::NotCanonical),
            ("https://client.example:0443/c.json", E::NotCanonical),
            ("https://client.example:/c.json", E::NotCanonical),
            ("https://client.example/c json", E::NotCanonical),
            ("https://client.example/c\tjson", E::NotCanonical),
            ("https://client.example/c.json\n", E::NotCanonical),
            ("https://client.example/c.json ", E::NotCanonical),
            ("https://b\u{fc}cher.example/c.json", E::NotCanonical),
            ("https://client.example/\u{fc}.json", E::NotCanonical),
            ("https://%63lient.example/c.json", E::NotCanonical),
            ("https://client\u{3002}example/c.json", E::NotCanonical),
            ("https://2130706433/c.json", E::NotCanonical),
            ("https://0x7f.1/c.json", E::NotCanonical),
            ("https://0177.0.0.1/c.json", E::NotCanonical),
            ("https://[::ffff:127.0.0.1]/c.json", E::NotCanonical),
            ("https://[0:0:0:0:0:0:0:1]/c.json", E::NotCanonical),
        ];
        for (text, error) in cases {
            assert_eq!(ClientIdUrl::parse(text), Err(*error), "{text:?}");
        }
        let long = format!("https://client.example/{}", "a".repeat(MAX_LENGTH));
        assert_eq!(ClientIdUrl::parse(&long), Err(E::TooLong));
    }
}
