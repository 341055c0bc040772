//! How much of something is logged: what a server behind us says must not fill the disk of the log (CHECKLIST A-167).

use std::time::Duration;

use tokio::time::Instant;

/// So many at once, and so many more with time; what is beyond that is counted instead.
pub(crate) struct Allowance {
    pace: Pace,
    left: u64,
    left_out: u64,
    /// When there will be more.
    renewed: Instant,
}

/// How many there may be.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// At once.
    pub(crate) burst: u64,
    /// So many more each time.
    pub(crate) more: u64,
    pub(crate) every: Duration,
}

impl Allowance {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            pace,
            left: pace.burst,
            left_out: 0,
            renewed: Instant::now() + pace.every,
        }
    }

    /// One more, with the number of those that were left out before it; `None` if it is to be left out.
    pub(crate) fn take(&mut self, now: Instant) -> Option<u64> {
        self.renew(now);
        if self.left == 0 {
            self.left_out += 1;
            return None;
        }
        self.left -= 1;
        Some(self.settle())
    }

    /// When it is time to say how many were left out, if any were.
    pub(crate) fn owed(&self) -> Option<Instant> {
        (self.left_out > 0).then_some(self.renewed)
    }

    /// How many were left out since that was last said.
    pub(crate) fn settle(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    fn renew(&mut self, now: Instant) {
        let Some(late) = now.checked_duration_since(self.renewed) else {
            return;
        };
        let Pace { burst, more, every } = self.pace;
        let times = 1 + u64::try_from(late.as_millis() / every.as_millis()).unwrap_or(u64::MAX - 1);
        self.left = burst.min(self.left.saturating_add(times.saturating_mul(more)));
        self.renewed = now + every;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        burst: 256,
        more: 64,
        every: Duration::from_secs(1),
    };

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_counted_and_what_time_adds_is_told_again() {
        let mut allowance = Allowance::new(PACE);
        let mut take = |count: u64| {
            let now = Instant::now();
            let told = (0..count).filter_map(|_| allowance.take(now));
            told.collect::<Vec<_>>()
        };
        assert_eq!(take(10_000), [0; 256]);
        tokio::time::advance(PACE.every).await;
        let again = take(1000);
        assert_eq!((again.len(), again[0], again[1]), (64, 10_000 - 256, 0));
        tokio::time::advance(PACE.every * 3600).await;
        let rested = take(300);
        assert_eq!((rested.len(), rested[0]), (256, 1000 - 64));
        assert_eq!(allowance.settle(), 44);
        assert_eq!(allowance.owed(), None);
    }
}
