//! The only place where rooms meet: a plan becomes a running installation.

mod chores;
mod ending;
mod fingerprint;
mod installation;
mod looking;
mod rooms;
mod serving;
mod starting;
mod upstream;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use keystile_domain::decide::register::RegistrationMode;
use keystile_fetch::ClientHosts;
use keystile_gateway::relay::Transport;
use keystile_protocol::issuer::Issuer;
use url::Url;

use crate::data_dir::DataDir;

pub(crate) use installation::administration;
pub(crate) use serving::serve;

/// What stands behind the gate.
pub(crate) enum Upstream {
    /// A running HTTP server.
    Http { url: Url, transport: Transport },
    /// A command that is started as it is.
    Stdio {
        argv: Vec<OsString>,
        known_as: KnownAs,
        env: Vec<(OsString, OsString)>,
        idle: Duration,
    },
}

/// What the operator wrote, by which a stdio server is known again.
pub(crate) enum KnownAs {
    /// The built-in one, and the real path of the folder that it serves.
    Demo(Option<PathBuf>),
    /// The command, wherever it was found.
    Command(Vec<OsString>),
}

/// Everything that a serving process was told, checked.
pub(crate) struct Plan {
    pub(crate) data_dir: DataDir,
    /// The beginning of every command that administers this installation, for the terminal alone: it
    /// names a folder.
    pub(crate) admin_command: String,
    pub(crate) name: String,
    pub(crate) upstream: Upstream,
    pub(crate) port: u16,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) public_url: Option<Issuer>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) ops_listen: SocketAddr,
    pub(crate) access_token_lifetime: Duration,
    pub(crate) key_rotation: Duration,
    pub(crate) origins: Vec<String>,
    pub(crate) rebind: bool,
    pub(crate) air_gapped: bool,
    pub(crate) registration: Option<RegistrationMode>,
    pub(crate) client_hosts: ClientHosts,
    pub(crate) fetch_allow: Vec<String>,
    pub(crate) extra_ca_file: Option<PathBuf>,
}
