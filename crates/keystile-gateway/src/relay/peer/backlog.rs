//! What came for a call and its client has not read yet.
//!
//! Who reads the server waits for a client that is slower, so that nothing is lost in a burst; but not for ever, since
//! others use the same conversation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::Event;

/// One end takes events, the other gives them out in order.
pub(super) fn backlog() -> (Giver, Events) {
    let (events, taken) = mpsc::unbounded_channel();
    let size = Arc::new(Size::default());
    let giver = Giver {
        events,
        size: Arc::clone(&size),
    };
    (giver, Events { taken, size })
}

/// The end of who reads the server.
pub(super) struct Giver {
    events: mpsc::UnboundedSender<Event>,
    size: Arc<Size>,
}

/// The end of who waits for the answer.
pub(crate) struct Events {
    taken: mpsc::UnboundedReceiver<Event>,
    size: Arc<Size>,
}

/// How much waits.
#[derive(Default)]
pub(super) struct Size {
    bytes: AtomicUsize,
    /// It was waited for long enough.
    is_slow: AtomicBool,
    /// Something was read, or nobody reads any more.
    read: Notify,
}

/// Whether an event was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Yes,
    /// The call is gone.
    Gone,
    /// Its client does not read.
    Full,
}

impl Giver {
    /// Takes an event, unless there is too much already.
    pub(super) fn give(&self, event: Event) -> Taken {
        if self.size.is_full() {
            return Taken::Full;
        }
        // Before it can be taken out.
        self.size.bytes.fetch_add(event.bytes(), Ordering::Relaxed);
        match self.events.send(event) {
            Ok(()) => Taken::Yes,
            Err(_) => Taken::Gone,
        }
    }

    /// What is to be waited for before more is read.
    pub(super) fn is_behind(&self) -> Option<Arc<Size>> {
        let behind = self.size.is_full() && !self.size.is_slow.load(Ordering::Relaxed);
        behind.then(|| Arc::clone(&self.size))
    }
}

impl Events {
    /// The next one; waits for it. Safe to cancel.
    pub(super) async fn recv(&mut self) -> Option<Event> {
        let event = self.taken.recv().await?;
        Some(self.took(event))
    }

    /// The next one that is there.
    pub(super) fn try_recv(&mut self) -> Option<Event> {
        let event = self.taken.try_recv().ok()?;
        Some(self.took(event))
    }

    fn took(&self, event: Event) -> Event {
        let size = &self.size;
        let before = size.bytes.fetch_sub(event.bytes(), Ordering::Relaxed);
        if before >= MOST {
            size.is_slow.store(false, Ordering::Relaxed);
            size.read.notify_waiters();
        }
        event
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.taken.close();
        self.size.is_slow.store(true, Ordering::Relaxed);
        self.size.read.notify_waiters();
    }
}

impl Size {
    fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) >= MOST
    }

    /// Waits until there is room, for [`PATIENCE`]; then this one is not waited for any longer.
    pub(super) async fn wait(&self) {
        let room = async {
            loop {
                let read = self.read.notified();
                if !self.is_full() || self.is_slow.load(Ordering::Relaxed) {
                    return;
                }
                read.await;
            }
        };
        if tokio::time::timeout(PATIENCE, room).await.is_err() {
            self.is_slow.store(true, Ordering::Relaxed);
        }
    }
}

impl Event {
    /// About as much as it takes.
    fn bytes(&self) -> usize {
        let text = match self {
            Self::Message(text) => text.len(),
            Self::Ask { params, .. } => params.as_ref().map_or(0, String::len),
            Self::Over => 0,
        };
        text + 64
    }
}

/// Bytes that may wait, with one event more.
const MOST: usize = 256 * 1024;
/// How long others wait for a client that does not read.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event::Message("x".repeat(1024))
    }

    fn fill(giver: &Giver) {
        while giver.give(event()) == Taken::Yes {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_waits_for_a_client_that_reads_and_not_for_one_that_does_not() {
        let (giver, mut events) = backlog();
        fill(&giver);
        let behind = giver.is_behind().expect("it is full");
        let (_, read) = tokio::join!(behind.wait(), async {
            events.recv().await;
            events.recv().await
        });
        assert!(read.is_some());
        assert_eq!(giver.give(event()), Taken::Yes);

        fill(&giver);
        let begun = tokio::time::Instant::now();
        giver.is_behind().expect("it is full").wait().await;
        assert_eq!(begun.elapsed(), PATIENCE);
        assert!(giver.is_behind().is_none(), "nobody waits again");
        assert_eq!(giver.give(event()), Taken::Full);
        // Until it reads.
        while events.try_recv().is_some() {}
        fill(&giver);
        let behind = giver.is_behind().expect("it is full");
        let (_, ()) = tokio::join!(behind.wait(), async { drop(events) });
        assert!(
            begun.elapsed() < PATIENCE * 2,
            "nobody waits for one that is gone"
        );
    }
}
