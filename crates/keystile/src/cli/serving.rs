//! What `protect` and `demo` share: listening, names, lifetimes, client documents.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use keystile_protocol::issuer::Issuer;

use crate::cli::strangers::Strangers;
use crate::cli::{Global, output, runtime};
use crate::failure::Failure;
use crate::wire::{self, Plan, Upstream};

/// Flags of every command that serves.
#[derive(Debug, clap::Args)]
pub(crate) struct Serving {
    /// The name in the path of its URL, `/NAME/mcp` (default: made from the command, host or port).
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The port on loopback; 0 takes a free one.
    #[arg(long, default_value_t = 7717, conflicts_with = "listen")]
    port: u16,
    /// Listen on this address instead; beyond loopback it needs --trusted-proxy and --public-url.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// The origin at which clients and browsers reach this (default: `http://localhost:PORT`).
    #[arg(long, value_name = "ORIGIN")]
    public_url: Option<String>,
    /// The network of the TLS proxy in front; beside loopback, nobody else is served. May be given
    /// several times.
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<IpNet>,
    /// Where health and readiness are asked for, never on the public listener (default: 127.0.0.1 and
    /// the port after the public one).
    #[arg(long, value_name = "ADDR:PORT")]
    ops_listen: Option<SocketAddr>,
    /// How long an access token lives, at most 60m.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    access_token_lifetime: Duration,
    /// How long a key signs access tokens before the next one takes its place, 1d to 365d.
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = duration)]
    key_rotation: Duration,
    /// Let web pages of this origin call the endpoints, too, and register clients (our own and those on
    /// loopback may call, and not register). May be given several times.
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// Give the name to this server, though it was another one's: every grant of that one ends.
    #[arg(long)]
    rebind: bool,
    /// Fetch no documents that describe clients; those of well-known clients are built in.
    #[arg(long)]
    air_gapped: bool,
    #[command(flatten)]
    strangers: Strangers,
    /// Fetch client documents and their keys from this host or network, too, though it is not on the
    /// public internet; always with TLS. May be given several times.
    #[arg(long, value_name = "HOST|CIDR")]
    danger_fetch_allow: Vec<String>,
    /// Trust these certificate authorities (PEM), too, when client documents and their keys are fetched.
    #[arg(long, value_name = "FILE")]
    extra_ca_file: Option<PathBuf>,
}

/// How long a signing key may be asked to sign.
const SIGNS_FOR: RangeInclusive<Duration> =
    Duration::from_secs(24 * 3600)..=Duration::from_secs(365 * 24 * 3600);

impl Serving {
    /// Turns flags into a plan and serves it until a signal ends it.
    pub(crate) fn serve(
        self,
        global: &Global,
        upstream: Upstream,
        default_name: &str,
    ) -> Result<(), Failure> {
        let name = self.name.clone().unwrap_or_else(|| default_name.to_owned());
        let plan = self.plan(global, legal_name(name)?, upstream)?;
        output::log_to_stderr(global)?;
        if !plan.ops_listen.ip().is_loopback() {
            tracing::warn!(
                "--ops-listen {}: other machines can ask for health and metrics there, without TLS and without a token",
                plan.ops_listen
            );
        }
        runtime()?.block_on(wire::serve(plan, global.json))
    }

    fn plan(self, global: &Global, name: String, upstream: Upstream) -> Result<Plan, Failure> {
        let limit = Duration::from_secs(3600);
        if self.access_token_lifetime > limit || self.access_token_lifetime < Duration::from_secs(1)
        {
            return Err(Failure::usage(
                "access_token_lifetime",
                "access tokens live 1 second to 60 minutes",
                "short tokens are refreshed without anybody noticing; 10m is a good choice",
            ));
        }
        if !SIGNS_FOR.contains(&self.key_rotation) {
            return Err(Failure::usage(
                "key_rotation",
                "a key signs for 1 to 365 days",
                "nobody notices a rotation; 90d is a good choice, and keystile key rotate does it at once",
            ));
        }
        let public_url = self
            .public_url
            .as_deref()
            .map(Issuer::parse)
            .transpose()
            .map_err(|error| {
                Failure::configuration(
                    "public_url",
                    format!("--public-url: {error}"),
                    "write an origin, for example https://mcp.example.com",
                )
            })?;
        if let Some(address) = self.listen {
            self.may_listen(address, public_url.as_ref())?;
        }
        if let Some(network) = self
            .trusted_proxy
            .iter()
            .find(|network| network.prefix_len() == 0)
        {
            return Err(Failure::configuration(
                "trusted_proxy",
                format!("--trusted-proxy {network} trusts everybody"),
                "name the network of the proxy alone, for example 10.0.0.7/32",
            ));
        }
        self.origins
            .iter()
            .try_for_each(|text| legal_origin(text))?;
        let public_port = self.listen.map_or(self.port, |address| address.port());
        Ok(Plan {
            data_dir: global.data_dir()?,
            admin_command: global.admin_command(),
            name,
            upstream,
            port: self.port,
            listen: self.listen,
            public_url,
            trusted_proxies: self.trusted_proxy,
            ops_listen: self.ops_listen.unwrap_or_else(|| ops_beside(public_port)),
            access_token_lifetime: self.access_token_lifetime,
            key_rotation: self.key_rotation,
            origins: self.origins,
            rebind: self.rebind,
            air_gapped: self.air_gapped,
            registration: self.strangers.registration.mode(),
            client_hosts: self.strangers.client_hosts()?,
            fetch_allow: self.danger_fetch_allow,
            extra_ca_file: self.extra_ca_file,
        })
    }

    /// Nobody else's network reaches this without TLS (DESIGN §2, "NeighborJack").
    fn may_listen(&self, address: SocketAddr, public_url: Option<&Issuer>) -> Result<(), Failure> {
        if address.ip().is_loopback() {
            return Ok(());
        }
        if self.trusted_proxy.is_empty() {
            return Err(Failure::configuration(
                "listen_without_tls",
                format!(
                    "{address} can be reached from other machines, and this listener has no TLS"
                ),
                "put a TLS proxy in front and name its network with --trusted-proxy, or listen on loopback",
            ));
        }
        if public_url.is_none() {
            return Err(Failure::configuration(
                "public_url_missing",
                "a listener beyond loopback needs the URL that people see",
                "name it with --public-url https://…",
            ));
        }
        Ok(())
    }
}

/// An `Origin` header is compared as text, so another spelling would never match (RFC 6454 §6.1).
fn legal_origin(text: &str) -> Result<(), Failure> {
    let parsed = url::Url::parse(text).map(|url| url.origin());
    if parsed.is_ok_and(|origin| origin.is_tuple() && origin.ascii_serialization() == text) {
        return Ok(());
    }
    Err(Failure::configuration(
        "origin",
        format!("--origin {text} is not an origin as browsers write it"),
        "write scheme, host and port only, for example https://app.example.com",
    ))
}

/// Loopback, the port after the public one; a free one beside a free one.
fn ops_beside(public_port: u16) -> SocketAddr {
    let port = if public_port == 0 {
        0
    } else {
        public_port.checked_add(1).unwrap_or(0)
    };
    SocketAddr::from(([127, 0, 0, 1], port))
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

fn legal_name(name: String) -> Result<String, Failure> {
    let legal = (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.starts_with('-');
    if !legal || RESERVED.contains(&name.as_str()) {
        return Err(Failure::usage(
            "name",
            format!(
                "{name} can't be a server's name: 1 to 64 small letters, digits and hyphens, and no path of Keystile's own"
            ),
            "choose another with --name",
        ));
    }
    Ok(name)
}

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

/// `90`, `90s`, `10m`, `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let cut = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(cut);
    let number: u64 = number
        .parse()
        .map_err(|_| "write a time such as 90s, 10m or 1h".to_owned())?;
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("the unit is s, m, h or d".to_owned()),
    };
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(|| "that is too long".to_owned())
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
            legal_name(name_from(text)).unwrap();
        }
        assert_eq!(legal_name("a/b".into()).unwrap_err().exit, 2);
        assert!(legal_name("ks".into()).is_err());
    }

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
            assert_eq!(legal_origin(bad).unwrap_err().code, "origin", "{bad}");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert!(duration("m").is_err());
        assert!(duration("1y").is_err());
        assert!(duration("99999999999999999999h").is_err());
    }
}
