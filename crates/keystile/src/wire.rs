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
use std::path::PathBuf;
use std::time::Duration;

use keystile_gateway::relay::Transport;
use url::Url;

use crate::config::{Clients, Listen, Server, Tokens};
use crate::data_dir::DataDir;

pub(crate) use fingerprint::text as shown_fingerprint;
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
    pub(crate) listen: Listen,
    pub(crate) tokens: Tokens,
    pub(crate) clients: Clients,
    /// At least one.
    pub(crate) servers: Vec<Server>,
    pub(crate) rebind: Rebind,
}

/// Which names may be given to another server than before.
pub(crate) enum Rebind {
    /// That of the one server there is, if so.
    TheOne(bool),
    /// These.
    These(Vec<String>),
}

impl Rebind {
    /// Whether the operator said so of this name.
    pub(crate) fn allows(&self, name: &str) -> bool {
        match self {
            Self::TheOne(allows) => *allows,
            Self::These(names) => names.iter().any(|named| named == name),
        }
    }
}

impl Plan {
    /// Whether this process is there for one server alone, which a command line names.
    pub(crate) const fn is_for_one(&self) -> bool {
        matches!(self.rebind, Rebind::TheOne(_))
    }
}
