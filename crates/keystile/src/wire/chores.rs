//! What a serving process does besides answering, until it ends.

use std::sync::Arc;
use std::time::Duration;

use keystile_domain::ports::Clock;
use keystile_gateway::Gateway;
use keystile_store::Store;
use tokio::sync::watch;

use crate::admin::Admin;
use crate::front::serve::ended;
use crate::keys::LOOK_EVERY;

/// Asks an HTTP upstream which eras of MCP it speaks, so that clients of the other era can be bridged.
pub(super) async fn learn_eras(gateway: Arc<Gateway>, mut ending: watch::Receiver<bool>) {
    tokio::select! {
        () = gateway.learn_eras() => {}
        () = ended(&mut ending) => {}
    }
}

/// Forgets what nothing needs any more, now and then.
pub(super) async fn tidy(
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    mut ending: watch::Receiver<bool>,
) {
    loop {
        let wait = match store.prune(clock.now()).await {
            Ok(pruned) if pruned.more => Duration::from_secs(1),
            Ok(_) => Duration::from_secs(600),
            Err(error) => {
                tracing::warn!(%error, "old records can't be removed");
                Duration::from_secs(600)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = ended(&mut ending) => return,
        }
    }
}

/// Rotates the signing keys when their time has come, and forgets those whose tokens are all over.
pub(super) async fn keep_keys(admin: Arc<Admin>, mut ending: watch::Receiver<bool>) {
    loop {
        if let Err(failure) = admin.keep_keys().await {
            tracing::error!(error = %failure.message, "the signing keys can't be kept up to date");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = ended(&mut ending) => return,
        }
    }
}
