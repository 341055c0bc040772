//! A server that sends what is no MCP: how much of it is logged, and how soon it is started again.
//!
//! Both are counted for the server and not for a child, since each client's call starts another child.

use std::{fmt::Display, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::stdio::printable;

/// What has been seen of that so far.
#[derive(Default)]
pub(crate) struct Strange(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// Lines told since `told_at`.
    told: u32,
    told_at: Option<Instant>,
    left_out: u64,
    /// Children given up as not MCP, one after the other.
    refused: u32,
    resting_until: Option<Instant>,
}

impl Strange {
    /// Logs the beginning of what a server sent, unless that was done often enough of late.
    pub(crate) fn tell(&self, server: &str, sent: &[u8], error: &dyn Display) {
        if let Some(left_out) = self.may_tell() {
            tracing::warn!(
                %server,
                line = %printable(sent.get(..WORD * 4).unwrap_or(sent), WORD),
                %error,
                left_out,
                "the server sent something that is not MCP"
            );
        }
    }

    /// Whether one more line may be logged, and how many were left out before it.
    fn may_tell(&self) -> Option<u64> {
        let mut seen = self.0.lock();
        let now = Instant::now();
        if seen
            .told_at
            .is_none_or(|at| now.saturating_duration_since(at) >= TELL_AGAIN)
        {
            (seen.told_at, seen.told) = (Some(now), 0);
        }
        if seen.told == TOLD {
            seen.left_out += 1;
            return None;
        }
        seen.told += 1;
        Some(std::mem::take(&mut seen.left_out))
    }

    /// A child was given up as not MCP; for how long none is started now.
    pub(crate) fn refused(&self) -> Duration {
        let mut seen = self.0.lock();
        let longer = FIRST_REST.saturating_mul(1 << seen.refused.min(16));
        let rest = longer.min(LAST_REST);
        seen.refused = seen.refused.saturating_add(1);
        seen.resting_until = Some(Instant::now() + rest);
        rest
    }

    /// Whether no child is to be started yet.
    pub(crate) fn is_resting(&self) -> bool {
        let until = self.0.lock().resting_until;
        until.is_some_and(|until| Instant::now() < until)
    }

    /// A child has sent a message.
    pub(crate) fn forget(&self) {
        let mut seen = self.0.lock();
        (seen.refused, seen.resting_until) = (0, None);
    }
}

/// Characters of one line.
const WORD: usize = 200;
/// Lines told at once, and after how long as many again.
const TOLD: u32 = 5;
const TELL_AGAIN: Duration = Duration::from_secs(60);
const FIRST_REST: Duration = Duration::from_secs(5);
const LAST_REST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_few_strange_lines_are_told_and_the_rest_is_counted() {
        let strange = Strange::default();
        let told = (0..1000).filter(|_| strange.may_tell().is_some()).count();
        assert_eq!(told, TOLD as usize);
        tokio::time::advance(TELL_AGAIN).await;
        assert_eq!(strange.may_tell(), Some(1000 - u64::from(TOLD)));
        assert_eq!(strange.may_tell(), Some(0));
    }

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
