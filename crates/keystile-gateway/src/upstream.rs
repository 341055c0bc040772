//! What stands behind a route.

use std::fmt;
use std::sync::Arc;

use keystile_protocol::mcp::Era;

use crate::forward::HttpUpstream;
use crate::relay::{Ports, Relay};
use crate::stdio::Pool;

/// An upstream MCP server. It comes from the operator and never from a request.
pub enum Upstream {
    /// A running HTTP server.
    Http(HttpUpstream),
    /// A command that is started.
    Stdio(Arc<Pool>),
}

/// How a request gets to the server.
pub(crate) enum Way<'a> {
    /// As it is, over HTTP.
    Forward(&'a HttpUpstream),
    /// To a child, or between the eras; the relay keeps the sessions that it begins itself, by their owners.
    Relay(&'a Relay),
}

impl Upstream {
    /// How a client of this era is served.
    pub(crate) async fn way(&self, ports: &Ports, era: Era) -> Way<'_> {
        match self {
            Self::Stdio(pool) => Way::Relay(pool.relay()),
            Self::Http(upstream) => {
                let bridge = upstream.bridge(ports);
                match bridge.is_needed(era).await {
                    true => Way::Relay(bridge.relay()),
                    false => Way::Forward(upstream),
                }
            }
        }
    }

    /// What holds conversations with the server, for clients whose messages can't be forwarded as they are.
    pub(crate) fn relay(&self, ports: &Ports) -> &Relay {
        match self {
            Self::Stdio(pool) => pool.relay(),
            Self::Http(upstream) => upstream.bridge(ports).relay(),
        }
    }

    /// Whether its last answer could not be passed on, or it is not started for now.
    pub(crate) fn is_unhealthy(&self) -> bool {
        match self {
            Self::Http(upstream) => upstream.is_unhealthy(),
            Self::Stdio(pool) => pool.is_unhealthy(),
        }
    }

    /// Asks an HTTP upstream which eras it speaks, until it answers.
    pub(crate) async fn learn_eras(&self, ports: &Ports) {
        if let Self::Http(upstream) = self {
            upstream.bridge(ports).learn().await;
        }
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(upstream) => upstream.fmt(f),
            Self::Stdio(_) => f.write_str("Stdio"),
        }
    }
}
