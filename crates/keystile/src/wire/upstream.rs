//! Upstreams: their fingerprints, and the gateway's form of them.

use std::sync::Arc;

use keystile_gateway::stdio::{Pool, StdioConfig};
use keystile_gateway::{HttpUpstream, Upstream as GatewayUpstream, relay};
use sha2::{Digest as _, Sha256};

use crate::failure::Failure;
use crate::wire::Upstream;

impl Upstream {
    /// What the data directory remembers of it: the same command or URL has the same (DESIGN §2).
    /// Values of variables are secrets and not part of it.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        match self {
            Self::Http(url) => {
                part(b"http");
                part(url.as_str().as_bytes());
            }
            Self::Stdio { argv, .. } => {
                part(b"stdio");
                for word in argv {
                    part(word.as_encoded_bytes());
                }
            }
        }
        let hash: [u8; 32] = hash.finalize().into();
        let hex: String = hash
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!(
            "{}:{hex}",
            if matches!(self, Self::Http(_)) {
                "http"
            } else {
                "stdio"
            }
        )
    }

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
            Self::Http(url) => {
                let trust = (url.scheme() == "https").then(|| keystile_fetch::client_config(None));
                let tls = trust.transpose().map_err(|error| {
                    Failure::configuration(
                        "tls",
                        error,
                        "install the system's certificate authorities (ca-certificates)",
                    )
                })?;
                let upstream = HttpUpstream::new(url.as_str(), tls).map_err(|error| {
                    Failure::usage(
                        "upstream_url",
                        error,
                        "write the MCP endpoint of the running server",
                    )
                })?;
                Ok((GatewayUpstream::Http(upstream), None))
            }
            Self::Stdio { argv, env, idle } => {
                let mut config = StdioConfig::new(name, argv, env);
                config.idle = idle;
                let pool = Arc::new(Pool::new(config, ports));
                Ok((GatewayUpstream::Stdio(Arc::clone(&pool)), Some(pool)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_command_or_url_has_another_fingerprint() {
        let stdio = |argv: &[&str]| {
            let argv = argv.iter().map(Into::into).collect();
            Upstream::Stdio {
                argv,
                env: Vec::new(),
                idle: std::time::Duration::ZERO,
            }
            .fingerprint()
        };
        let http = |url: &str| Upstream::Http(url.parse().unwrap()).fingerprint();
        assert_ne!(stdio(&["a", "bc"]), stdio(&["ab", "c"]));
        assert_ne!(
            http("http://127.0.0.1:1/mcp"),
            http("http://127.0.0.1:2/mcp")
        );
        assert_eq!(
            http("http://127.0.0.1:1/mcp"),
            http("http://127.0.0.1:1/mcp")
        );
    }
}
