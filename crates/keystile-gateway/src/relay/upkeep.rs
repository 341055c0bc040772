//! How many conversations there may be, and when one ends by itself.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Failure, caller::Owner, serve::Inner};

/// Caps and times; see [`crate::stdio::StdioConfig`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) idle: Duration,
    pub(crate) start_limit: Duration,
    pub(crate) first_answer: Duration,
    /// For a call, from its beginning to its end (DESIGN §5).
    pub(crate) call: Duration,
    pub(crate) max: usize,
    pub(crate) max_per_person: usize,
}

impl Limits {
    /// See [`call_limit`].
    pub(crate) fn call(&self) -> Duration {
        call_limit(self.call)
    }
}

/// For a call, whose token may end meanwhile (CHECKLIST R11).
pub(crate) fn call_limit(limit: Duration) -> Duration {
    match weakened("a_118c") {
        true => Duration::from_hours(24),
        false => limit,
    }
}

/// Counts conversations.
#[derive(Default)]
pub(crate) struct Slots(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    all: usize,
    by_person: HashMap<Arc<str>, usize>,
}

/// The right to hold one conversation.
pub(crate) struct Slot {
    counts: Arc<Mutex<Counts>>,
    person: Arc<str>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        counts.all -= 1;
        counts.less(&self.person);
    }
}

impl Counts {
    fn of(&self, person: &Arc<str>) -> usize {
        self.by_person.get(person).copied().unwrap_or_default()
    }

    fn more(&mut self, person: &Arc<str>) {
        *self.by_person.entry(Arc::clone(person)).or_default() += 1;
    }

    fn less(&mut self, person: &Arc<str>) {
        if let Some(own) = self.by_person.get_mut(person) {
            *own -= 1;
            if *own == 0 {
                self.by_person.remove(person);
            }
        }
    }
}

impl Slot {
    /// The same for somebody else, who may have another one.
    fn pass_to(mut self, owner: &Owner, limits: &Limits) -> Option<Self> {
        let counts = Arc::clone(&self.counts);
        let mut counts = counts.lock();
        if self.person != owner.person {
            if counts.of(&owner.person) >= limits.max_per_person {
                drop(counts);
                return None;
            }
            counts.less(&self.person);
            counts.more(&owner.person);
            self.person = Arc::clone(&owner.person);
        }
        drop(counts);
        Some(self)
    }
}

impl Slots {
    fn take(&self, owner: &Owner, limits: &Limits) -> Result<Slot, Full> {
        let mut counts = self.0.lock();
        if counts.of(&owner.person) >= limits.max_per_person {
            return Err(Full::Person);
        }
        if counts.all >= limits.max {
            return Err(Full::All);
        }
        counts.all += 1;
        counts.more(&owner.person);
        Ok(Slot {
            counts: Arc::clone(&self.0),
            person: Arc::clone(&owner.person),
        })
    }
}

enum Full {
    Person,
    All,
}

impl Inner {
    /// A slot, at the cost of the longest unused conversation if need be: clients that never say goodbye leave
    /// sessions behind.
    pub(crate) fn slot(&self, owner: &Owner) -> Result<Slot, Failure> {
        loop {
            let full = match self.slots.take(owner, &self.limits) {
                Ok(slot) => return Ok(slot),
                Err(full) => full,
            };
            let freed = match full {
                Full::Person => self.evict(|other| other.person == owner.person),
                Full::All => self.evict(|_| true),
            };
            let evicted = freed.is_some();
            tracing::warn!(server = %self.name, evicted, "the number of running servers has reached its limit");
            // Handed on: whoever still looks at that conversation, or comes at this moment, has no part in it.
            let slot = freed.ok_or(Failure::TooMany)?;
            if let Some(slot) = slot.pass_to(owner, &self.limits) {
                return Ok(slot);
            }
        }
    }

    fn evict(&self, of: impl Fn(&Owner) -> bool) -> Option<Slot> {
        let mut sessions = self.sessions.lock();
        let session = sessions
            .values()
            .filter(|session| session.is_idle() && of(&session.owner))
            .min_by_key(|session| session.peer.used())
            .map(|session| (session.peer.used(), session.id.clone()));
        let mut children = self.children.lock();
        let child = children
            .iter()
            .filter_map(|(key, cell)| Some((key, cell.get()?)))
            .filter(|(key, child)| child.is_idle() && of(&key.owner))
            .min_by_key(|(_, child)| child.peer().used())
            .map(|(key, child)| (child.peer().used(), key.clone()));
        match (session, child) {
            (Some((session_used, _)), Some((child_used, key))) if child_used < session_used => {
                children.remove(&key)?.get()?.slot.lock().take()
            }
            (Some((_, id)), _) => sessions.remove(&id)?.slot.lock().take(),
            (None, Some((_, key))) => children.remove(&key)?.get()?.slot.lock().take(),
            (None, None) => None,
        }
    }

    /// Ends what nobody uses, what is dead, and what belongs to a revoked grant.
    fn sweep(&self, now: Instant) {
        let unused = |used: Instant| now.saturating_duration_since(used) >= self.limits.idle;
        self.spare.sweep(unused);
        self.sessions.lock().retain(|_, session| {
            let dead = session.peer.failure().is_some();
            let revoked = !self.ports.stands(&session.caller.lock());
            let forgotten = session.is_idle() && unused(session.peer.used());
            !(dead || revoked || forgotten)
        });
        self.children.lock().retain(|_, cell| {
            let Some(child) = cell.get() else { return true };
            child.sweep(now);
            let dead = child.peer().failure().is_some();
            let revoked = !self.ports.stands(&child.caller.lock());
            let forgotten = child.is_idle() && unused(child.peer().used());
            !(dead || revoked || forgotten)
        });
    }
}

/// Runs until the relay is gone.
pub(crate) async fn upkeep(inner: Weak<Inner>) {
    loop {
        let (pause, changed) = {
            let Some(inner) = inner.upgrade() else { return };
            inner.sweep(Instant::now());
            let seen = inner.ports.revocations.epoch();
            let pause =
                (inner.limits.idle / 4).clamp(Duration::from_millis(10), Duration::from_secs(30));
            (pause, inner.ports.revocations.changed_since(seen))
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = changed => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_is_handed_on_is_never_free_in_between() {
        let limits = Limits {
            idle: Duration::ZERO,
            start_limit: Duration::ZERO,
            first_answer: Duration::ZERO,
            call: Duration::ZERO,
            max: 3,
            max_per_person: 2,
        };
        let owner = |person: &str| Owner {
            person: person.into(),
            client: "editor".into(),
        };
        let (ada, bob, cyd) = (owner("ada"), owner("bob"), owner("cyd"));
        let slots = Slots::default();
        let take = |owner| slots.take(owner, &limits);
        let (first, second) = (take(&ada).ok().unwrap(), take(&ada).ok().unwrap());
        assert!(matches!(take(&ada), Err(Full::Person)));
        let _third = take(&bob).ok().unwrap();
        assert!(matches!(take(&bob), Err(Full::All)));
        let first = first.pass_to(&bob, &limits).unwrap();
        assert!(matches!(take(&bob), Err(Full::Person)));
        assert!(matches!(take(&cyd), Err(Full::All)));
        // Who has as many as they may gets none, and it is free.
        assert!(second.pass_to(&bob, &limits).is_none());
        drop(take(&ada).ok().unwrap());
        drop(first);
        assert!(take(&bob).is_ok());
    }
}
