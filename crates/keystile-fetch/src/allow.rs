//! What an operator permits beyond the public internet: `danger_fetch_allow`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use url::{Host, Url};

/// One entry of `danger_fetch_allow`.
///
/// Every entry lets strangers make this server talk to something inside, so name as little as
/// possible.
///
/// ```
/// use keystile_fetch::Allow;
///
/// assert_eq!("apps.corp.example".parse(), Ok(Allow::Host("apps.corp.example".into())));
/// assert!(matches!("10.20.0.0/16".parse(), Ok(Allow::Net(_))));
/// assert!("*.corp.example".parse::<Allow>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allow {
    /// This host, exactly, whatever its addresses are.
    Host(String),
    /// These addresses, whatever name leads to them.
    Net(IpNet),
    /// `http://host[:port]`: this origin even without TLS, whatever its addresses are.
    Plain {
        /// The host as the URL parser writes it.
        host: String,
        /// The port; 80 if none was given.
        port: u16,
    },
}

impl Allow {
    /// Whether this entry permits connecting to `address` for a URL with this host.
    pub(crate) fn permits_address(&self, target: &Url, address: IpAddr) -> bool {
        match self {
            Self::Host(host) => target.host_str() == Some(host),
            Self::Net(net) => net.contains(&address),
            Self::Plain { .. } => self.permits_plain(target),
        }
    }

    /// Whether this entry permits a URL without TLS.
    pub(crate) fn permits_plain(&self, target: &Url) -> bool {
        matches!(self, Self::Plain { host, port }
            if target.scheme() == "http"
                && target.host_str() == Some(host)
                && target.port_or_known_default() == Some(*port))
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => f.write_str(host),
            Self::Net(net) => net.fmt(f),
            Self::Plain { host, port } => write!(f, "http://{host}:{port}"),
        }
    }
}

impl FromStr for Allow {
    type Err = AllowError;

    fn from_str(text: &str) -> Result<Self, AllowError> {
        if let Ok(net) = text.parse::<IpNet>() {
            return Ok(Self::Net(net.trunc()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Net(address.into()));
        }
        if text.starts_with("http://") {
            let url = Url::parse(text).map_err(|_| AllowError)?;
            let host = url.host_str().ok_or(AllowError)?.to_owned();
            let port = url.port_or_known_default().ok_or(AllowError)?;
            let is_origin = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
            let anonymous = url.username().is_empty() && url.password().is_none();
            return if is_origin && anonymous {
                Ok(Self::Plain { host, port })
            } else {
                Err(AllowError)
            };
        }
        match Host::parse(text) {
            Ok(Host::Domain(name)) if !name.contains('*') => Ok(Self::Host(name)),
            _ => Err(AllowError),
        }
    }
}

/// An entry of `danger_fetch_allow` that means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a host name, an address, a network such as 10.20.0.0/16, or http://host:port")]
pub struct AllowError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_permits_what_it_names_and_nothing_else() {
        let address: IpAddr = "10.1.2.3".parse().expect("an address");
        let other: IpAddr = "10.2.0.1".parse().expect("an address");
        let url = |text: &str| Url::parse(text).expect(text);
        let host: Allow = "Apps.Corp.example".parse().expect("a host");
        assert!(host.permits_address(&url("https://apps.corp.example:8443/x"), address));
        for foreign in [
            "https://apps.corp.example.evil.example/",
            "https://apps.corp.example./",
        ] {
            assert!(!host.permits_address(&url(foreign), address), "{foreign}");
        }
        assert!(!host.permits_plain(&url("http://apps.corp.example/")));

        let net: Allow = "10.1.0.0/16".parse().expect("a network");
        assert!(net.permits_address(&url("https://any.example/"), address));
        assert!(!net.permits_address(&url("https://any.example/"), other));
        let one: Allow = "10.1.2.3".parse().expect("an address");
        assert!(one.permits_address(&url("https://any.example/"), address));
        assert!(!one.permits_address(&url("https://any.example/"), other));

        let plain: Allow = "http://idp.corp.example:8080".parse().expect("an origin");
        assert!(plain.permits_plain(&url("http://idp.corp.example:8080/keys")));
        assert!(plain.permits_address(&url("http://idp.corp.example:8080/keys"), address));
        for foreign in [
            "http://idp.corp.example/",
            "http://other.example:8080/",
            "ftp://idp.corp.example:8080/",
        ] {
            assert!(!plain.permits_plain(&url(foreign)), "{foreign}");
            assert!(!plain.permits_address(&url(foreign), address), "{foreign}");
        }
    }

    #[test]
    fn an_entry_that_means_too_much_or_nothing_is_refused() {
        for text in [
            "",
            "*",
            "*.corp.example",
            "https://a.example",
            "http://a.example/x",
            "http://u@a.example",
            "a b",
            "10.0.0.0/33",
        ] {
            assert_eq!(text.parse::<Allow>(), Err(AllowError), "{text:?}");
        }
    }
}
