//! From a name to addresses.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

/// Resolves host names. The answer is judged by the caller; a resolver judges nothing.
pub trait Resolve: Send + Sync {
    /// All addresses of a name, in the order in which they are to be tried.
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the operating system: hosts file, search domains and all.
#[derive(Debug, Clone)]
pub struct SystemResolver {
    /// A call cannot be interrupted: one that hangs on a hostile name server keeps its thread for
    /// many seconds after we gave up on it. So many threads may hang, and no more.
    threads: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self {
            threads: Arc::new(Semaphore::new(RESOLVER_THREADS)),
        }
    }
}

impl Resolve for SystemResolver {
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let threads = Arc::clone(&self.threads);
        let host = host.to_owned();
        async move {
            let thread = threads.acquire_owned().await.map_err(io::Error::other)?;
            let lookup = tokio::task::spawn_blocking(move || {
                let addresses = (host.as_str(), 0)
                    .to_socket_addrs()?
                    .map(|address| address.ip());
                let addresses = addresses.collect();
                drop(thread);
                Ok(addresses)
            });
            lookup.await.map_err(io::Error::other)?
        }
        .boxed()
    }
}

const RESOLVER_THREADS: usize = 64;
