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
        if let Some((Wire { link, inbox, .. }, _)) = spare {
            // Nobody reads it, and what is said last would wait for that.
            drop(inbox);
            link.close().await;
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

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use async_trait::async_trait;
    use parking_lot::Mutex;
    use tokio::{sync::mpsc, task::JoinHandle};

    use super::super::Strange;
    use super::*;
    use crate::relay::{Link, Outgoing, Received};

    /// It has ended when its last word is in the inbox.
    struct Talkative(Mutex<Option<JoinHandle<()>>>);

    #[async_trait]
    impl Link for Talkative {
        async fn send(&self, _: Outgoing) -> Result<(), Failure> {
            Ok(())
        }

        fn try_send(&self, _: Outgoing) -> bool {
            true
        }

        async fn close(&self) {
            let ended = self.0.lock().take();
            ended.expect("it is closed once").await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_spare_that_said_more_than_fits_is_closed_all_the_same() {
        let (said, inbox) = mpsc::channel(1);
        said.try_send(Received::Ended(Failure::Closed)).unwrap();
        let last_word = tokio::spawn(async move {
            drop(said.send(Received::Ended(Failure::Closed)).await);
        });
        let link = Arc::new(Talkative(Mutex::new(Some(last_word))));
        let spare = Spare::default();
        let strange = Arc::new(Strange::of("kb"));
        spare.put(Wire {
            link,
            inbox,
            strange,
        });
        let closing = tokio::time::timeout(Duration::from_secs(60), spare.close());
        closing.await.expect("it does not wait for a reader");
    }
}
