//! `[listen]`: where Keystile listens, and how it is reached.

use std::net::SocketAddr;

use ipnet::IpNet;
use keystile_protocol::issuer::Issuer;

use super::form::{Key, Kind, Section};
use super::mistake::Problem;
use super::reader::Reader;

pub(super) static FORM: Section = Section {
    name: "listen",
    is_named: false,
    about: "Where Keystile listens, and how clients and browsers reach it.",
    keys: &[
        Key {
            name: "port",
            kind: Kind::Number(0, 65_535),
            default: "7717",
            about: "The port on loopback, 127.0.0.1 and ::1; 0 takes a free one.",
            example: "7717",
            flag: Some("--port"),
        },
        Key {
            name: "address",
            kind: Kind::Text,
            default: "loopback",
            about: "Listen on this address and port instead of loopback; beyond loopback it needs trusted_proxies and public_url.",
            example: "\"0.0.0.0:7717\"",
            flag: Some("--listen"),
        },
        Key {
            name: "public_url",
            kind: Kind::Text,
            default: "http://localhost:PORT",
            about: "The origin at which clients and browsers reach this: scheme, host and port, no path.",
            example: "\"https://mcp.example.com\"",
            flag: Some("--public-url"),
        },
        Key {
            name: "trusted_proxies",
            kind: Kind::Texts,
            default: "none",
            about: "The networks of the TLS proxies in front; beside loopback, nobody else is served. The last address that they add to X-Forwarded-For is believed.",
            example: "[\"10.0.0.7/32\"]",
            flag: Some("--trusted-proxy"),
        },
        Key {
            name: "ops",
            kind: Kind::Text,
            default: "127.0.0.1 and the port after the public one",
            about: "Where health and readiness are asked for, never on the public listener.",
            example: "\"127.0.0.1:7718\"",
            flag: Some("--ops-listen"),
        },
        Key {
            name: "origins",
            kind: Kind::Texts,
            default: "none",
            about: "Web pages of these origins may call the endpoints, too, and register clients; our own and those on loopback may call anyway.",
            example: "[\"https://app.example.com\"]",
            flag: Some("--origin"),
        },
    ],
};

/// What `[listen]` says, or the flags.
#[derive(Debug, Clone)]
pub(crate) struct Listen {
    pub(crate) port: u16,
    /// Instead of loopback.
    pub(crate) address: Option<SocketAddr>,
    /// As configured.
    pub(crate) public_url: Option<Issuer>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) ops: Option<SocketAddr>,
    pub(crate) origins: Vec<String>,
}

/// Where it is where nobody says otherwise.
pub(crate) const PORT: u16 = 7717;

impl Listen {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let port = reader
            .number("port")
            .and_then(|port| u16::try_from(port).ok());
        let instead = reader.parsed("address", address);
        if reader.has("address") && reader.has("port") {
            reader.wrong(
                "port",
                "address names a port already: leave one of them out",
            );
        }
        let listen = Self {
            port: port.unwrap_or(PORT),
            address: instead,
            public_url: reader.parsed("public_url", |text| {
                Issuer::parse(text).map_err(|error| {
                    format!("{error}; write an origin, for example https://mcp.example.com")
                })
            }),
            trusted_proxies: reader.all("trusted_proxies", network),
            ops: reader.parsed("ops", address),
            origins: reader.all("origins", |text| {
                legal_origin(text).map(|()| text.to_owned())
            }),
        };
        // What could not be read is a mistake already.
        let read = !reader.has("public_url") || listen.public_url.is_some();
        if let (Err(problem), true) = (listen.check(), read) {
            reader.problem(problem);
        }
        listen
    }

    /// Nobody else's network reaches this without TLS (DESIGN §2, "NeighborJack").
    ///
    /// # Errors
    /// `listen_without_tls`, `public_url_missing`.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        let Some(address) = self.address.filter(|address| !address.ip().is_loopback()) else {
            return Ok(());
        };
        let problem = |code, message: String, help: &str| {
            Err(Problem {
                code,
                key: "address",
                message,
                help: help.to_owned(),
            })
        };
        if self.trusted_proxies.is_empty() {
            return problem(
                "listen_without_tls",
                format!(
                    "{address} can be reached from other machines, and this listener has no TLS"
                ),
                "put a TLS proxy in front and name its network (--trusted-proxy, listen.trusted_proxies), or listen on loopback",
            );
        }
        if self.public_url.is_none() {
            return problem(
                "public_url_missing",
                format!("{address} is beyond loopback, so it needs the URL that people see"),
                "name it (--public-url, listen.public_url): https://…",
            );
        }
        Ok(())
    }

    /// Where health is asked for: as said, else loopback and the port after the public one; a free one beside a free one.
    pub(crate) fn ops(&self) -> SocketAddr {
        let port = self.address.map_or(self.port, |address| address.port());
        let beside = match port {
            0 => 0,
            port => port.checked_add(1).unwrap_or(0),
        };
        let beside = SocketAddr::from(([127, 0, 0, 1], beside));
        self.ops.unwrap_or(beside)
    }
}

/// An address with a port.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "write an IP address and a port, for example 0.0.0.0:7717".to_owned())
}

/// The network of a proxy.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    let alone = text.parse().map(|ip: std::net::IpAddr| IpNet::from(ip));
    let network: IpNet = alone.or_else(|_| text.parse()).map_err(|_| {
        "write an address or a network, for example 10.0.0.7 or 10.0.0.0/24".to_owned()
    })?;
    match network.prefix_len() {
        0 => Err(
            "that trusts everybody; name the network of the proxy alone, for example 10.0.0.7/32"
                .to_owned(),
        ),
        _ => Ok(network),
    }
}

/// An `Origin` header is compared as text, so another spelling would never match (RFC 6454 §6.1).
pub(crate) fn legal_origin(text: &str) -> Result<(), String> {
    let parsed = url::Url::parse(text).map(|url| url.origin());
    if parsed.is_ok_and(|origin| origin.is_tuple() && origin.ascii_serialization() == text) {
        return Ok(());
    }
    Err("that is not an origin as browsers write it; write scheme, host and port only, for example https://app.example.com".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        assert!(legal_origin("https://app.example.com").is_ok());
        assert!(legal_origin("http://localhost:3000").is_ok());
        for bad in [
            "app.example.com",
            "https://app.example.com/",
            "https://App.example.com",
            "https://app.example.com:443",
            "null",
            "data:x",
        ] {
            assert!(legal_origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nobody_trusts_the_whole_internet() {
        assert!(network("0.0.0.0/0").is_err());
        assert!(network("::/0").is_err());
        assert_eq!(network("10.0.0.7"), network("10.0.0.7/32"));
    }
}
