//! Flags of every command that serves: which clients that nobody added are let in.

use clap::ValueEnum;
use keystile_domain::decide::register::RegistrationMode;
use keystile_fetch::ClientHosts;

use crate::config::trusted_host;
use crate::failure::Failure;

/// Clients that register themselves (RFC 7591), and clients that are documents.
#[derive(Debug, clap::Args)]
pub(super) struct Strangers {
    /// Whether clients may register themselves (RFC 7591).
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    pub(super) registration: Registration,
    /// Clients whose document stands at this host are yours; the consent page says so. May be given
    /// several times.
    #[arg(long, value_name = "HOST")]
    trust_client_host: Vec<String>,
    /// Whose client documents are fetched.
    #[arg(long, value_enum, value_name = "WHOSE", default_value_t)]
    client_hosts: Hosts,
}

/// What a registration needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Registration {
    /// No client registers itself; see `keystile client add`.
    Off,
    /// Apps on this computer and well-known ones register; others with an initial access token or
    /// your approval (`keystile client redirect approve`).
    #[default]
    Default,
    /// Only with an initial access token (`keystile client initial-access-token add`).
    InitialAccessToken,
    /// As default, and what else was asked for is kept for you: `keystile client redirect list
    /// --asked`.
    Approval,
}

/// Whose documents are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Hosts {
    /// Any host's.
    #[default]
    Any,
    /// Only those of hosts named with --trust-client-host, if any; no other host gets a packet.
    Listed,
}

impl Registration {
    /// The mode, or `None` where nobody registers.
    pub(super) fn mode(self) -> Option<RegistrationMode> {
        match self {
            Self::Off => None,
            Self::Default => Some(RegistrationMode::Default),
            Self::InitialAccessToken => Some(RegistrationMode::InitialAccessToken),
            Self::Approval => Some(RegistrationMode::Approval),
        }
    }
}

impl Strangers {
    /// The hosts of client documents.
    pub(super) fn client_hosts(&self) -> Result<ClientHosts, Failure> {
        let host = |text: &String| {
            trusted_host(text).map_err(|error| {
                let (why, todo) = error.split_once("; ").unwrap_or((&error, ""));
                let why = format!("--trust-client-host {text}: {why}");
                Failure::configuration("trust_client_host", why, todo)
            })
        };
        let trusted: Vec<_> = self
            .trust_client_host
            .iter()
            .map(host)
            .collect::<Result<_, _>>()?;
        let no_other = self.client_hosts == Hosts::Listed;
        Ok(ClientHosts { trusted, no_other })
    }
}
