//! A clock that stands still until it is moved.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keystile_domain::ports::Clock;
use keystile_domain::time::Timestamp;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct FakeClock(AtomicI64);

impl FakeClock {
    /// Stands at this moment.
    #[must_use]
    pub const fn at(moment: Timestamp) -> Self {
        Self(AtomicI64::new(moment.0))
    }

    /// Moves on.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).expect("a test does not last that long");
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Default for FakeClock {
    /// 2026-11-22 21:28 UTC
    fn default() -> Self {
        Self::at(Timestamp::from_seconds(1_795_382_880))
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}
