//! A server that sends what is no MCP: how much of it is logged, how soon it is started again, and whether it is healthy.
//!
//! Both are counted for the server and not for a child, since each client's call starts another child.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::allowance::{Allowance, Pace};
use crate::stdio::printable;

/// What has been seen of that so far.
pub(crate) struct Strange {
    seen: Mutex<Seen>,
    /// What it answered last could not be passed on. Read with each answer, so it takes no lock.
    unfit: AtomicBool,
}

struct Seen {
    /// Lines to be told.
    allowance: Allowance,
    /// Children given up as not MCP, one after the other.
    refused: u32,
    resting_until: Option<Instant>,
}

impl Default for Strange {
    fn default() -> Self {
        let seen = Seen {
            allowance: Allowance::new(TOLD),
            refused: 0,
            resting_until: None,
        };
        Self {
            seen: Mutex::new(seen),
            unfit: AtomicBool::new(false),
        }
    }
}

impl Strange {
    /// Logs the beginning of what a server sent, unless that was done often enough of late.
    pub(crate) fn tell(&self, server: &str, sent: &[u8], error: &dyn Display) {
        let told = self.seen.lock().allowance.take(Instant::now());
        if let Some(left_out) = told {
            tracing::warn!(
                %server,
                line = %printable(sent, WORD),
                %error,
                left_out,
                "the server sent something that is not MCP"
            );
        }
    }

    /// An answer of the server could not be passed on. The first one in a row marks it (CHECKLIST A-162); it is served
    /// all the same, since one answer may be one tool's, and others may be meant for others.
    pub(crate) fn unfit(&self, server: &str, why: &dyn Display) {
        let was = self.unfit.swap(true, Ordering::Relaxed);
        if !was && !weakened("a_162b") {
            tracing::error!(%server, %why, "the server is unhealthy: its answer can't be passed on");
        }
    }

    /// It answered as it should.
    pub(crate) fn fit(&self, server: &str) {
        if self.unfit.load(Ordering::Relaxed) && self.unfit.swap(false, Ordering::Relaxed) {
            tracing::info!(%server, "the server is healthy again");
        }
    }

    /// Whether its last answer could not be passed on, or its children rest.
    pub(crate) fn is_unhealthy(&self) -> bool {
        self.is_resting() || self.unfit.load(Ordering::Relaxed)
    }

    /// A child was given up as not MCP; for how long none is started now.
    pub(crate) fn refused(&self) -> Duration {
        let mut seen = self.seen.lock();
        let longer = FIRST_REST.saturating_mul(1 << seen.refused.min(16));
        let rest = longer.min(LAST_REST);
        seen.refused = seen.refused.saturating_add(1);
        seen.resting_until = Some(Instant::now() + rest);
        rest
    }

    /// Whether no child is to be started yet.
    pub(crate) fn is_resting(&self) -> bool {
        let until = self.seen.lock().resting_until;
        until.is_some_and(|until| Instant::now() < until)
    }

    /// A child has sent a message.
    pub(crate) fn forget(&self) {
        let mut seen = self.seen.lock();
        (seen.refused, seen.resting_until) = (0, None);
    }
}

/// Characters of one line.
const WORD: usize = 200;
/// Lines of it.
const TOLD: Pace = Pace {
    burst: 5,
    more: 5,
    every: Duration::from_secs(60),
};
const FIRST_REST: Duration = Duration::from_secs(5);
const LAST_REST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_not_mcp_again_and_again_is_started_more_and_more_rarely() {
        let strange = Strange::default();
        assert!(!strange.is_resting());
        let rests: Vec<_> = (0..6).map(|_| strange.refused().as_secs()).collect();
        assert_eq!(rests, [5, 10, 20, 40, 60, 60]);
        assert!(strange.is_resting());
        tokio::time::advance(LAST_REST).await;
        assert!(!strange.is_resting());
        strange.refused();
        strange.forget();
        assert!(!strange.is_resting());
        assert_eq!(strange.refused(), FIRST_REST);
    }
}
