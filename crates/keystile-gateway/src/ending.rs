//! The end of the process, as it reaches what was admitted.

use tokio::sync::watch;

/// How near the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It is not in sight.
    Serving,
    /// Streams that would go on for as long as a token end. Calls have time for their answers.
    Draining,
    /// Calls that have no answer yet get none.
    Ending,
}

/// Hears how near the end is.
#[derive(Debug, Clone)]
pub struct Ending(Option<watch::Receiver<Phase>>);

impl Ending {
    /// Of a gateway that nobody ends.
    #[must_use]
    pub const fn never() -> Self {
        Self(None)
    }

    /// Whether it is as near as `phase`.
    #[must_use]
    pub fn is(&self, phase: Phase) -> bool {
        self.0
            .as_ref()
            .is_some_and(|heard| *heard.borrow() >= phase)
    }

    /// Resolves once it is as near as `phase`, or whoever would say so is gone.
    pub async fn reached(&self, phase: Phase) {
        match self.0.clone() {
            Some(mut heard) => drop(heard.wait_for(|now| *now >= phase).await),
            None => std::future::pending().await,
        }
    }
}

impl From<watch::Receiver<Phase>> for Ending {
    fn from(heard: watch::Receiver<Phase>) -> Self {
        Self(Some(heard))
    }
}
