//! The gateway's form of an upstream.

use std::sync::Arc;

use keystile_gateway::stdio::{Pool, StdioConfig};
use keystile_gateway::{HttpUpstream, Upstream as GatewayUpstream, relay};

use crate::failure::Failure;
use crate::wire::Upstream;

impl Upstream {
    /// What the gateway calls, and the pool of children if there is one.
    ///
    /// # Errors
    /// `upstream_url`.
    pub(crate) fn into_gateway(
        self,
        name: &str,
        ports: relay::Ports,
    ) -> Result<(GatewayUpstream, Option<Arc<Pool>>), Failure> {
        match self {
            Self::Http { url, transport } => {
                let trust = (url.scheme() == "https").then(|| keystile_fetch::client_config(None));
                let tls = trust.transpose().map_err(|error| {
                    Failure::configuration(
                        "tls",
                        error,
                        "install the system's certificate authorities (ca-certificates)",
                    )
                })?;
                let upstream = HttpUpstream::new(name, url.as_str(), tls).map_err(|error| {
                    Failure::usage(
                        "upstream_url",
                        error,
                        "write the MCP endpoint of the running server",
                    )
                })?;
                Ok((
                    GatewayUpstream::Http(upstream.with_transport(transport)),
                    None,
                ))
            }
            Self::Stdio {
                argv, env, idle, ..
            } => {
                let mut config = StdioConfig::new(name, argv, env);
                config.idle = idle;
                let pool = Arc::new(Pool::new(config, ports));
                Ok((GatewayUpstream::Stdio(Arc::clone(&pool)), Some(pool)))
            }
        }
    }
}
