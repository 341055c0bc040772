//! Limits on guessing: per name, per network, and for the set-up code; and on the fetches that one
//! network makes this server do.
//!
//! Not governor: a right password must give its attempt back, and its keyed stores grow with the
//! keys that an attacker invents. Here the memory is one fixed table.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keystile_domain::records::canonical_name;
use keystile_domain::time::Timestamp;
use keystile_protocol::mutation::weakened;

/// How many attempts at once, and how long each one takes to come back.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    burst: i64,
    millis_each: i64,
}

const PER_NAME: Allowance = Allowance {
    burst: 10,
    millis_each: 30_000,
};
const PER_NETWORK: Allowance = Allowance {
    burst: 30,
    millis_each: 5_000,
};
/// The set-up code has about 58 bits and lives 15 minutes.
const SETUP_CODE: Allowance = Allowance {
    burst: 10,
    millis_each: 30_000,
};

/// Documents that have to be fetched: an app is connected now and then, and most are known.
const DOCUMENT_FETCHES: Allowance = Allowance {
    burst: 20,
    millis_each: 6_000,
};

/// 2¹⁶ counters of eight bytes. Keys that meet in one counter share it: never more guesses, at worst
/// fewer. The hash is keyed afresh at each start, so nobody can choose whom to meet.
const COUNTERS: usize = 1 << 16;

/// Counts wrong guesses, and fetches for strangers.
///
/// An attempt is paid before the password is looked at, so a hundred at once are no way round, and
/// given back when it was right.
pub struct Limits {
    counters: Box<[AtomicI64]>,
    hasher: RandomState,
}

/// An attempt that was paid for.
#[must_use = "settle it when the guess was right"]
pub struct Attempt<'a> {
    limits: &'a Limits,
    paid: Vec<(usize, Allowance)>,
}

/// What a guess counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess<'a> {
    /// A password, under the name that was typed; all its spellings count together.
    Password(&'a str),
    /// The set-up code.
    SetupCode,
}

impl Limits {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with_hasher(RandomState::new())
    }

    fn with_hasher(hasher: RandomState) -> Self {
        Self {
            counters: (0..COUNTERS).map(|_| AtomicI64::new(0)).collect(),
            hasher,
        }
    }

    /// Pays for an attempt from `peer`.
    ///
    /// # Errors
    /// How long to wait until there is one again.
    pub fn attempt(
        &self,
        guess: Guess<'_>,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<Attempt<'_>, Duration> {
        let own = match guess {
            Guess::Password(name) => (self.counter(&("name", canonical_name(name))), PER_NAME),
            Guess::SetupCode => (self.counter(&("setup code", "")), SETUP_CODE),
        };
        let network = (self.counter(&("network", network(peer))), PER_NETWORK);
        let mut attempt = Attempt {
            limits: self,
            paid: Vec::with_capacity(2),
        };
        for (counter, allowance) in [own, network] {
            if let Err(wait) = self.pay(counter, allowance, now) {
                attempt.give_back();
                return Err(wait);
            }
            attempt.paid.push((counter, allowance));
        }
        Ok(attempt)
    }

    /// Pays for the fetch of one document on behalf of `peer` (CHECKLIST A-060).
    ///
    /// # Errors
    /// How long to wait until there is one again.
    pub fn fetch_document(&self, peer: IpAddr, now: Timestamp) -> Result<(), Duration> {
        if weakened("a_060d") {
            return Ok(());
        }
        let counter = self.counter(&("document fetches", network(peer)));
        self.pay(counter, DOCUMENT_FETCHES, now)
    }

    fn counter(&self, key: &impl std::hash::Hash) -> usize {
        usize::try_from(self.hasher.hash_one(key) % COUNTERS as u64).expect("below COUNTERS")
    }

    /// Generic cell rate algorithm: a counter holds the moment at which all attempts are back.
    fn pay(&self, counter: usize, allowance: Allowance, now: Timestamp) -> Result<(), Duration> {
        let slack = allowance.millis_each * (allowance.burst - 1);
        let paid = self.counters[counter].fetch_update(
            Ordering::Relaxed,
            Ordering::Relaxed,
            |full_again| {
                let start = full_again.max(now.0);
                (start - now.0 <= slack || weakened("a_160"))
                    .then_some(start + allowance.millis_each)
            },
        );
        paid.map(|_| ()).map_err(|full_again| {
            Duration::from_millis(u64::try_from(full_again - now.0 - slack).unwrap_or(0))
        })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

impl Attempt<'_> {
    /// The guess was right: it does not count.
    pub fn settle(mut self) {
        self.give_back();
    }

    fn give_back(&mut self) {
        for (counter, allowance) in self.paid.drain(..) {
            self.limits.counters[counter].fetch_sub(allowance.millis_each, Ordering::Relaxed);
        }
    }
}

/// One network: an IPv4 address, or the /64 that one subscriber gets.
fn network(peer: IpAddr) -> u128 {
    match peer.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits() & (u128::MAX << 64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn peer(number: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from_bits(0xC633_0000 + number))
    }

    fn tries(limits: &Limits, name: &str, now: Timestamp) -> bool {
        limits.attempt(Guess::Password(name), PEER, now).is_ok()
    }

    #[test]
    fn a_160_every_spelling_and_network_shares_one_counter_per_name() {
        let limits = Limits::new();
        let spellings = ["alice", "Alice", "ALICE", " alice "];
        let mut through = 0;
        for number in 0..10_000_u32 {
            let name = spellings[number as usize % spellings.len()];
            let attempt = limits.attempt(Guess::Password(name), peer(number), Timestamp(1_000));
            through += u32::from(attempt.is_ok());
        }
        assert_eq!(through, 10);
    }

    #[test]
    fn one_network_cannot_try_many_names() {
        let limits = Limits::new();
        let through =
            (0..1_000).filter(|name| tries(&limits, &format!("person {name}"), Timestamp(5)));
        assert_eq!(through.count(), 30);
    }

    #[test]
    fn ipv6_addresses_of_one_subscriber_count_together() {
        let of = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
    }

    #[test]
    fn attempts_come_back_with_time_and_the_wait_says_when() {
        let limits = Limits::new();
        let start = Timestamp(1_000_000);
        for _ in 0..10 {
            assert!(tries(&limits, "alice", start));
        }
        let wait = limits
            .attempt(Guess::Password("alice"), PEER, start)
            .err()
            .expect("too many");
        assert_eq!(wait, Duration::from_secs(30));
        assert!(!tries(
            &limits,
            "alice",
            start.plus(Duration::from_secs(29))
        ));
        assert!(tries(&limits, "alice", start.plus(wait)));
    }

    #[test]
    fn a_060_one_network_makes_a_bounded_number_of_fetches() {
        let limits = Limits::new();
        let start = Timestamp(1_000_000);
        let through = (0..10_000).filter(|_| limits.fetch_document(PEER, start).is_ok());
        assert_eq!(through.count(), 20);
        assert!(limits.fetch_document(peer(1), start).is_ok(), "a neighbour");
        let wait = limits.fetch_document(PEER, start).expect_err("too many");
        assert_eq!(wait, Duration::from_secs(6));
        assert!(limits.fetch_document(PEER, start.plus(wait)).is_ok());
        assert!(tries(&limits, "alice", start), "guesses are counted apart");
    }

    #[test]
    fn right_passwords_never_count() {
        let limits = Limits::new();
        for _ in 0..1_000 {
            let attempt = limits.attempt(Guess::Password("alice"), PEER, Timestamp(7));
            attempt
                .unwrap_or_else(|wait| panic!("limited for {wait:?}"))
                .settle();
        }
    }

    #[test]
    fn a_refused_attempt_costs_the_network_nothing() {
        let limits = Limits::new();
        for _ in 0..200 {
            let _ = limits
                .attempt(Guess::Password("alice"), PEER, Timestamp(7))
                .map(drop);
        }
        assert!(tries(&limits, "bob", Timestamp(7)));
    }
}
