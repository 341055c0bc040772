//! What came, and what should not have come.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What one client has got and done.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) answers: u64,
    pub(crate) progress: u64,
    /// On the stream of a session or of a subscription.
    pub(crate) events: u64,
    pub(crate) cancelled: u64,
    /// Connections closed in the middle of an answer.
    pub(crate) broken: u64,
    pub(crate) refreshed: u64,
    /// Sessions, or connections where there are no sessions.
    pub(crate) begun: u64,
    /// Sessions that had to make room for somebody else's: there may be so many processes of a stdio server.
    pub(crate) evicted: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.answers += other.answers;
        self.progress += other.progress;
        self.events += other.events;
        self.cancelled += other.cancelled;
        self.broken += other.broken;
        self.refreshed += other.refreshed;
        self.begun += other.begun;
        self.evicted += other.evicted;
    }
}

impl Tally {
    pub(crate) const HEAD: &str =
        "answers progress   events cancelled  broken refreshed  begun evicted";

    pub(crate) const fn delivered(&self) -> u64 {
        self.answers + self.progress + self.events
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            answers,
            progress,
            events,
            cancelled,
            broken,
            refreshed,
            begun,
            evicted,
        } = self;
        write!(
            f,
            "{answers:>7} {progress:>8} {events:>8} {cancelled:>9} {broken:>7} {refreshed:>9} {begun:>6} {evicted:>7}"
        )
    }
}

/// What must never be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wrong {
    /// A message that belongs to somebody else, to another call, or was here before.
    Stray,
    /// Something that did not come.
    Missing,
    /// A request that was good and was refused.
    Refused,
}

/// Of all clients together.
pub(crate) struct Ledger {
    wanted: u64,
    delivered: AtomicU64,
    wrong: Mutex<BTreeMap<Wrong, Vec<String>>>,
}

impl Ledger {
    /// Until so many messages have been delivered.
    pub(crate) fn new(wanted: u64) -> Self {
        let (delivered, wrong) = (AtomicU64::new(0), Mutex::default());
        Self {
            wanted,
            delivered,
            wrong,
        }
    }

    /// All were delivered, or too much is wrong to go on.
    pub(crate) fn is_over(&self) -> bool {
        let all = self.delivered.load(Ordering::Relaxed) >= self.wanted;
        all || self.wrong().values().map(Vec::len).sum::<usize>() >= ENOUGH
    }

    pub(crate) const fn wanted(&self) -> u64 {
        self.wanted
    }

    pub(crate) fn count(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn wrong(&self) -> MutexGuard<'_, BTreeMap<Wrong, Vec<String>>> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn blame(&self, wrong: Wrong, what: String) {
        self.wrong().entry(wrong).or_default().push(what);
    }
}

/// Wrong things after which nothing more can be learned.
const ENOUGH: usize = 100;
