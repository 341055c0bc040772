//! What a serving process does besides answering, until it ends.

use std::sync::Arc;
use std::time::Duration;

use keystile_domain::ports::Clock;
use keystile_gateway::{Ending, Gateway, Phase};
use keystile_store::Store;

use crate::admin::Admin;
use crate::keys::LOOK_EVERY;

/// Asks an HTTP upstream which eras of MCP it speaks, so that clients of the other era can be bridged.
pub(super) async fn learn_eras(gateway: Arc<Gateway>, ending: Ending) {
    tokio::select! {
        () = gateway.learn_eras() => {}
        () = ending.reached(Phase::Draining) => {}
    }
}

/// Forgets what nothing needs any more, now and then.
pub(super) async fn tidy(store: Arc<Store>, clock: Arc<dyn Clock>, ending: Ending) {
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
            () = ending.reached(Phase::Draining) => return,
        }
    }
}

/// Rotates the signing keys when their time has come, and forgets those whose tokens are all over.
pub(super) async fn keep_keys(admin: Arc<Admin>, ending: Ending) {
    loop {
        if let Err(failure) = admin.keep_keys().await {
            tracing::error!(error = %failure.message, "the signing keys can't be kept up to date");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = ending.reached(Phase::Draining) => return,
        }
    }
}
