//! What stands behind a route.

use std::fmt;
use std::sync::Arc;

use crate::forward::HttpUpstream;
use crate::stdio::Pool;

/// An upstream MCP server. It comes from the operator and never from a request.
pub enum Upstream {
    /// A running HTTP server.
    Http(HttpUpstream),
    /// A command that is started.
    Stdio(Arc<Pool>),
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(upstream) => upstream.fmt(f),
            Self::Stdio(_) => f.write_str("Stdio"),
        }
    }
}
