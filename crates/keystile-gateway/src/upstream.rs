//! What stands behind a route.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use keystile_protocol::mcp::Envelope;

use crate::forward::HttpUpstream;
use crate::relay::{HttpBridge, Ports};
use crate::stdio::Pool;

/// An upstream MCP server. It comes from the operator and never from a request.
pub enum Upstream {
    /// A running HTTP server.
    Http(HttpUpstream),
    /// A command that is started.
    Stdio(Arc<Pool>),
}

impl Upstream {
    /// The era bridge, for a request of the era that an HTTP upstream does not speak. stdio servers have theirs inside.
    pub(crate) async fn bridge(
        &self,
        ports: &Ports,
        parts: &Parts,
        message: Option<&Envelope<'_>>,
    ) -> Option<&HttpBridge> {
        let Self::Http(upstream) = self else {
            return None;
        };
        let bridge = upstream.bridge(ports);
        bridge.is_needed(parts, message).await.then_some(bridge)
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
