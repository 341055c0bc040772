//! A conversation that was begun before anybody wanted it: the first who does need not wait for the server's start.
//!
//! It was told nothing about anybody, at most asked `server/discover`, which keeps no state: whoever takes it is its
//! first and only owner (CHECKLIST R4). There is one at the start and not again, so that an idle gateway holds nothing.

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Failure, Wire, serve::Inner};

/// At most one.
#[derive(Default)]
pub(crate) struct Spare(Mutex<Option<(Wire, Instant)>>);

impl Spare {
    pub(crate) fn put(&self, wire: Wire) {
        *self.0.lock() = Some((wire, Instant::now()));
    }

    /// One that still lives and has said nothing on its own account, which would be lost.
    fn take(&self) -> Option<Wire> {
        let (wire, _) = self.0.lock().take()?;
        (wire.inbox.is_empty() && !wire.inbox.is_closed()).then_some(wire)
    }

    /// Ends one that was not wanted since `then`.
    pub(crate) fn sweep(&self, unused: impl Fn(Instant) -> bool) {
        self.0.lock().take_if(|(_, since)| unused(*since));
    }

    pub(crate) async fn close(&self) {
        let spare = self.0.lock().take();
        if let Some((wire, _)) = spare {
            wire.link.close().await;
        }
    }
}

impl Inner {
    /// A conversation with the server: the spare one, or a new one.
    pub(crate) async fn wire(&self) -> Result<Wire, Failure> {
        match self.spare.take() {
            Some(wire) => Ok(wire),
            None => self.connect.connect().await,
        }
    }
}
