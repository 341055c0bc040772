//! Hosts whose client documents the operator trusts: `--trust-client-host`.

use std::str::FromStr;

use keystile_protocol::mutation::weakened;
use url::{Host, Url};

/// A host, and the port of its documents.
///
/// It is compared as a whole: neither a name under it nor one that ends like it is the same host
/// (CHECKLIST A-012).
///
/// ```
/// use keystile_fetch::TrustedHost;
///
/// let host: TrustedHost = "Apps.Corp.example".parse().unwrap();
/// assert_eq!(host.to_string(), "apps.corp.example");
/// assert!("*.corp.example".parse::<TrustedHost>().is_err());
/// assert!("https://corp.example".parse::<TrustedHost>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedHost {
    host: String,
    port: u16,
}

impl TrustedHost {
    /// Whether this document stands at this host.
    pub(super) fn is_of(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        if weakened("a_012") && host.ends_with(&self.host) {
            return true;
        }
        host == self.host && url.port_or_known_default() == Some(self.port)
    }
}

impl FromStr for TrustedHost {
    type Err = TrustedHostError;

    fn from_str(text: &str) -> Result<Self, TrustedHostError> {
        let alone = !text.contains(['/', '@', '?', '#', '*', '\\', ' ']) && text.is_ascii();
        let url = Url::parse(&format!("https://{text}")).map_err(|_| TrustedHostError)?;
        match url.host() {
            Some(Host::Domain(name)) if alone && !name.ends_with('.') => Ok(Self {
                host: name.to_owned(),
                port: url.port_or_known_default().unwrap_or(HTTPS),
            }),
            _ => Err(TrustedHostError),
        }
    }
}

impl std::fmt::Display for TrustedHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            HTTPS => f.write_str(&self.host),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

/// A trusted host that means nothing, or more than one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one host name as it stands in the client_id, for example apps.corp.example")]
pub struct TrustedHostError;

const HTTPS: u16 = 443;

#[cfg(test)]
mod tests {
    use keystile_protocol::client_id_url::ClientIdUrl;

    use super::*;

    #[test]
    fn a_012_a_trusted_host_is_that_host_and_no_other() {
        let host: TrustedHost = "example.com".parse().expect("a host");
        let is_of = |text: &str| {
            let url = ClientIdUrl::parse(text);
            url.is_ok_and(|url| host.is_of(url.url()))
        };
        assert!(is_of("https://example.com/c.json"));
        for other in [
            "https://badexample.com/c.json",
            "https://apps.example.com/c.json",
            "https://example.com.evil/c.json",
            "https://example.com:444/c.json",
            "https://example.com./c.json",
            "https://example.co/c.json",
            "https://example.com@evil.example/c.json",
        ] {
            assert!(!is_of(other), "{other}");
        }
        let port: TrustedHost = "example.com:8443".parse().expect("a host");
        let url = |text| Url::parse(text).expect(text);
        assert!(port.is_of(&url("https://example.com:8443/c.json")));
        assert!(!port.is_of(&url("https://example.com/c.json")));
    }

    #[test]
    fn a_host_that_means_too_much_or_nothing_is_refused() {
        for text in [
            "",
            "*",
            "*.example.com",
            "https://example.com",
            "example.com/c.json",
            "u@example.com",
            "example.com.",
            "10.0.0.1",
            "[::1]",
            "ex\u{e4}mple.com",
            "a b",
        ] {
            assert!(text.parse::<TrustedHost>().is_err(), "{text:?}");
        }
    }
}
