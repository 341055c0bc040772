//! The end of a serving process: gently at the first signal, at once at the second.

use std::sync::Arc;

use keystile_gateway::stdio::Pool;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use crate::failure::Failure;

/// SIGINT and SIGTERM.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From here on they end nothing by themselves.
    pub(super) fn catch() -> Result<Self, Failure> {
        let failed =
            |error| Failure::failed("signals", error, "this is a defect: please report it");
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    /// Resolves at the next one.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Waits until the listeners and their open requests have ended, then ends the children. Another
/// signal cuts that short: what is left is dropped with the runtime, children included.
pub(super) async fn finish(
    mut tasks: JoinSet<()>,
    pools: Vec<(String, Arc<Pool>)>,
    signals: &mut Signals,
) {
    let gently = async {
        while tasks.join_next().await.is_some() {}
        let pools = pools.iter().map(|(_, pool)| pool.shutdown());
        futures_util::future::join_all(pools).await;
    };
    tokio::select! {
        () = gently => {}
        () = signals.next() => tracing::warn!("ended at once; requests that were open were cut off"),
    }
    tasks.shutdown().await;
}
