//! The revocation feed of one process: what the gateway asks at each call, after every cache hit.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasherDefault, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use keystile_domain::ids::GrantId;
use keystile_domain::ports::{Revocations, Standing, TokenFacts};
use keystile_domain::time::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

/// How long a revocation is remembered: the longest life of an access token, 60 minutes (DESIGN
/// §4), and five for clocks that differ. Older tokens are refused for their age.
pub(crate) const MEMORY: Duration = Duration::from_secs(65 * 60);

/// Revocations of the last hour, in memory. The store adds to it after COMMIT and before a verb
/// returns, so that nothing is accepted after `revoke` returned.
///
/// Readers take no lock: each shard is an immutable map behind an atomic pointer. A revocation
/// copies one shard, 1/64 of what was revoked in the last hour.
pub struct RevocationFeed {
    grants: [ArcSwap<GrantMap>; SHARDS],
    epochs: ArcSwap<Epochs>,
    /// Clients that are kept out now, and since when. As many as an operator named.
    kept_out: ArcSwap<HashMap<String, Timestamp>>,
    /// Grows with each revocation; the channel carries the same number to who waits.
    epoch: AtomicU64,
    changes: watch::Sender<u64>,
    fed: AtomicBool,
    writing: Mutex<()>,
}

type GrantMap = HashMap<GrantId, Timestamp, BuildHasherDefault<RandomBits>>;

/// From when on tokens of a person or client are good again: those issued before are not.
#[derive(Debug, Clone, Default)]
struct Epochs {
    people: HashMap<String, Timestamp>,
    clients: HashMap<String, Timestamp>,
}

impl RevocationFeed {
    pub(crate) fn new() -> Self {
        Self {
            grants: std::array::from_fn(|_| ArcSwap::from_pointee(GrantMap::default())),
            epochs: ArcSwap::from_pointee(Epochs::default()),
            kept_out: ArcSwap::default(),
            epoch: AtomicU64::new(0),
            changes: watch::Sender::new(0),
            fed: AtomicBool::new(true),
            writing: Mutex::new(()),
        }
    }

    /// These grants are dead since `now`.
    pub(crate) fn revoke(&self, grants: &[GrantId], now: Timestamp) {
        if grants.is_empty() {
            return;
        }
        let writing = self.writing.lock();
        let mut shards: HashMap<usize, GrantMap> = HashMap::new();
        for grant in grants {
            let shard = shard(grant);
            let map = shards
                .entry(shard)
                .or_insert_with(|| self.recent(shard, now));
            map.insert(*grant, now);
        }
        for (shard, map) in shards {
            if let Some(slot) = self.grants.get(shard) {
                slot.store(Arc::new(map));
            }
        }
        self.announce();
        drop(writing);
    }

    /// Tokens of this person issued until `at` are dead.
    pub(crate) fn disable_person(&self, person: &str, at: Timestamp) {
        self.change_epochs(|epochs| epochs.people.insert(person.to_owned(), at));
    }

    /// Tokens of this client issued until `at` are dead.
    pub fn disable_client(&self, client_id: &str, at: Timestamp) {
        self.change_epochs(|epochs| epochs.clients.insert(client_id.to_owned(), at));
    }

    /// This client may do nothing from now on, and its tokens are dead.
    pub(crate) fn keep_out(&self, client_id: &str, at: Timestamp) {
        self.change_kept_out(|kept_out| kept_out.insert(client_id.to_owned(), at));
        self.disable_client(client_id, at);
    }

    /// This client may ask for tokens again; those of before stay dead.
    pub(crate) fn let_in(&self, client_id: &str) {
        self.change_kept_out(|kept_out| kept_out.remove(client_id));
    }

    /// Since when this client is kept out.
    pub(crate) fn kept_out_since(&self, client_id: &str) -> Option<Timestamp> {
        self.kept_out.load().get(client_id).copied()
    }

    /// Who is kept out, in the order of their ids.
    pub(crate) fn kept_out(&self) -> Vec<(String, Timestamp)> {
        let kept_out = self.kept_out.load();
        let mut all: Vec<_> = kept_out.iter().map(|(id, at)| (id.clone(), *at)).collect();
        all.sort();
        all
    }

    fn change_kept_out<T>(&self, change: impl FnOnce(&mut HashMap<String, Timestamp>) -> T) {
        let writing = self.writing.lock();
        let mut kept_out = HashMap::clone(&self.kept_out.load());
        change(&mut kept_out);
        self.kept_out.store(Arc::new(kept_out));
        drop(writing);
    }

    /// Forgets what no token can outlive.
    pub(crate) fn prune(&self, now: Timestamp) {
        let writing = self.writing.lock();
        for (shard, slot) in self.grants.iter().enumerate() {
            let recent = self.recent(shard, now);
            if recent.len() < slot.load().len() {
                slot.store(Arc::new(recent));
            }
        }
        let mut epochs = Epochs::clone(&self.epochs.load());
        epochs.people.retain(|_, at| now.since(*at) <= MEMORY);
        epochs.clients.retain(|_, at| now.since(*at) <= MEMORY);
        self.epochs.store(Arc::new(epochs));
        drop(writing);
    }

    /// How many grants it remembers.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.grants.iter().map(|shard| shard.load().len()).sum()
    }

    /// Nobody feeds it any more: from now on it knows nothing, and the gateway denies (R3).
    pub(crate) fn starve(&self) {
        self.fed.store(false, Ordering::Release);
        let writing = self.writing.lock();
        self.announce();
        drop(writing);
    }

    fn recent(&self, shard: usize, now: Timestamp) -> GrantMap {
        let old = self
            .grants
            .get(shard)
            .map(ArcSwap::load_full)
            .unwrap_or_default();
        old.iter()
            .filter(|(_, at)| now.since(**at) <= MEMORY)
            .map(|(grant, at)| (*grant, *at))
            .collect()
    }

    fn change_epochs<T>(&self, change: impl FnOnce(&mut Epochs) -> T) {
        let writing = self.writing.lock();
        let mut epochs = Epochs::clone(&self.epochs.load());
        change(&mut epochs);
        self.epochs.store(Arc::new(epochs));
        self.announce();
        drop(writing);
    }

    /// Called with `writing` held, after the change can be seen.
    fn announce(&self) {
        let epoch = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        self.changes.send_replace(epoch);
    }
}

impl Revocations for RevocationFeed {
    fn standing(&self, facts: &TokenFacts<'_>) -> Standing {
        if !self.fed.load(Ordering::Acquire) {
            return Standing::Unknown;
        }
        let Some(grants) = self.grants.get(shard(&facts.grant)) else {
            return Standing::Unknown;
        };
        if grants.load().contains_key(&facts.grant) {
            return Standing::Revoked;
        }
        let epochs = self.epochs.load();
        let over = |map: &HashMap<String, Timestamp>, key: &str| {
            !map.is_empty() && map.get(key).is_some_and(|at| facts.issued_at <= *at)
        };
        if over(&epochs.people, facts.person) || over(&epochs.clients, facts.client) {
            return Standing::Revoked;
        }
        Standing::Good
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    fn changed_since(&self, seen: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
        let mut changes = self.changes.subscribe();
        Box::pin(async move {
            match changes.wait_for(|epoch| *epoch != seen).await {
                Ok(epoch) => *epoch,
                // The feed is gone and with it the process's store: the stream must ask again.
                Err(_) => seen.wrapping_add(1),
            }
        })
    }
}

fn shard(grant: &GrantId) -> usize {
    usize::from(grant.as_bytes()[15]) % SHARDS
}

/// The last eight bytes of a UUIDv7 are random, and grants in tokens are ours: no second hash.
#[derive(Default)]
struct RandomBits(u64);

impl Hasher for RandomBits {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            // The length prefix and the time come first; the random half has the last word.
            self.0 = self.0.rotate_left(23) ^ u64::from_le_bytes(word);
        }
    }
}

const SHARDS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(n: u8) -> GrantId {
        GrantId::from_bytes([n; 16])
    }

    fn facts(n: u8) -> TokenFacts<'static> {
        let issued_at = Timestamp(1_000);
        TokenFacts {
            grant: grant(n),
            person: "alice",
            client: "editor",
            issued_at,
        }
    }

    #[tokio::test]
    async fn a_revocation_is_seen_at_once_and_wakes_who_waits() {
        let feed = RevocationFeed::new();
        assert_eq!(feed.standing(&facts(1)), Standing::Good);
        let waiting = feed.changed_since(feed.epoch());
        feed.revoke(&[grant(1)], Timestamp(5_000));
        assert_eq!(feed.standing(&facts(1)), Standing::Revoked);
        assert_eq!(feed.standing(&facts(2)), Standing::Good);
        assert_eq!(waiting.await, feed.epoch());
    }

    #[test]
    fn a_person_or_client_epoch_kills_older_tokens_only() {
        let feed = RevocationFeed::new();
        feed.disable_person("alice", Timestamp(999));
        feed.disable_client("editor", Timestamp(999));
        assert_eq!(feed.standing(&facts(1)), Standing::Good);
        feed.disable_person("alice", Timestamp(1_000));
        assert_eq!(feed.standing(&facts(1)), Standing::Revoked);
    }

    #[test]
    fn it_forgets_what_no_token_outlives() {
        let feed = RevocationFeed::new();
        let hour = 3_600_000;
        for n in 0..200 {
            feed.revoke(&[grant(n)], Timestamp(0));
        }
        feed.prune(Timestamp(hour));
        assert_eq!(feed.remembered(), 200);
        feed.revoke(&[grant(201)], Timestamp(2 * hour));
        feed.prune(Timestamp(2 * hour));
        assert_eq!(feed.remembered(), 1);
    }

    #[test]
    fn a_starved_feed_knows_nothing() {
        let feed = RevocationFeed::new();
        feed.starve();
        assert_eq!(feed.standing(&facts(1)), Standing::Unknown);
    }
}
