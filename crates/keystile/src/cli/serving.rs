//! What `protect` and `demo` share: listening, names, lifetimes, client documents.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use keystile_protocol::issuer::Issuer;

use crate::cli::strangers::Strangers;
use crate::cli::{Global, output, runtime};
use crate::config::{
    Clients, LIVES_FOR, Listen, PORT, SIGNS_FOR, Server, Tokens, duration, fetch_allow,
    legal_origin, network,
};
use crate::failure::Failure;
use crate::upstream::{NAMES, is_legal_name};
use crate::wire::{self, Plan, Rebind, Upstream};

/// Flags of every command that serves.
#[derive(Debug, clap::Args)]
pub(crate) struct Serving {
    /// The name in the path of its URL, `/NAME/mcp` (default: made from the command, host or port).
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The port on loopback; 0 takes a free one.
    #[arg(long, default_value_t = PORT, conflicts_with = "listen")]
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
        runtime()?.block_on(wire::serve(plan, global.json))
    }

    fn plan(self, global: &Global, name: String, upstream: Upstream) -> Result<Plan, Failure> {
        if !LIVES_FOR.contains(&self.access_token_lifetime) {
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
        let wrong = |code: &str, flag: &str, text: &str, error: String| {
            let (why, todo) = error
                .split_once("; ")
                .unwrap_or((&error, "look at its help"));
            Failure::configuration(code, format!("{flag} {text}: {why}"), todo)
        };
        let public_url = self.public_url.as_deref();
        let public_url = public_url.map(|text| {
            Issuer::parse(text).map_err(|error| {
                let todo = "write an origin, for example https://mcp.example.com";
                Failure::configuration("public_url", format!("--public-url: {error}"), todo)
            })
        });
        for text in &self.origins {
            legal_origin(text).map_err(|error| wrong("origin", "--origin", text, error))?;
        }
        for proxy in &self.trusted_proxy {
            let text = proxy.to_string();
            network(&text)
                .map_err(|error| wrong("trusted_proxy", "--trusted-proxy", &text, error))?;
        }
        let fetch_allow = self.danger_fetch_allow.iter().map(|text| {
            let flag = "--danger-fetch-allow";
            fetch_allow(text).map_err(|error| wrong("danger_fetch_allow", flag, text, error))
        });
        let listen = Listen {
            port: self.port,
            address: self.listen,
            public_url: public_url.transpose()?,
            trusted_proxies: self.trusted_proxy,
            ops: self.ops_listen,
            origins: self.origins,
        };
        listen.check().map_err(Failure::from)?;
        Ok(Plan {
            data_dir: global.data_dir()?,
            admin_command: global.admin_command(),
            listen,
            tokens: Tokens {
                access_token_lifetime: self.access_token_lifetime,
                key_rotation: self.key_rotation,
            },
            clients: Clients {
                registration: self.strangers.registration.mode(),
                hosts: self.strangers.client_hosts()?,
                air_gapped: self.air_gapped,
                fetch_allow: fetch_allow.collect::<Result<_, _>>()?,
                extra_ca_file: self.extra_ca_file,
            },
            servers: vec![Server { name, upstream }],
            rebind: Rebind::TheOne(self.rebind),
        })
    }
}

fn legal_name(name: String) -> Result<String, Failure> {
    match is_legal_name(&name) {
        true => Ok(name),
        false => Err(Failure::usage(
            "name",
            format!("{name} can't be a server's name: {NAMES}"),
            "choose another with --name",
        )),
    }
}
