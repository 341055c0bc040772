//! Limits on guessing: per name, per network, and for the set-up code; and on what one network makes
//! this server do, guesses or not.
//!
//! Not governor: a right password must give its attempt back, and its keyed stores grow with the
//! keys that an attacker invents. Here the memory is two fixed tables.

mod allowances;
pub(crate) mod endpoint;

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keystile_domain::records::canonical_name;
use keystile_domain::time::Timestamp;
use keystile_protocol::mutation::weakened;

use allowances::{
    ANSWERED, AUTHORIZE, Allowance, DEVICE, DOCUMENT_FETCHES, INITIAL_ACCESS_TOKEN, INTROSPECT,
    PER_NAME, PER_NETWORK, PUSH, REGISTER, SETUP_CODE, TOKEN, USER_CODE,
};

/// 2¹⁶ counters of eight bytes. Keys that meet in one counter share it: never more guesses, at worst
/// fewer. The hash is keyed afresh at each start, so nobody can choose whom to meet.
const COUNTERS: usize = 1 << 16;

/// As many limits can be told apart in the log and in the audit trail.
const TOLD: usize = 1 << 12;

/// Milliseconds for which one thing is not put on record again.
const QUIET: i64 = 60_000;

/// The reason of a request that was one too many.
pub(crate) const TOO_MANY: &str = "too_many_requests";

type Counters = Box<[AtomicI64]>;

/// Counts wrong guesses, and what one network asks for.
///
/// An attempt is paid before the password is looked at, so a hundred at once are no way round, and
/// given back when it was right.
pub struct Limits {
    /// Of guesses and fetches.
    guesses: Counters,
    /// Of requests. Apart from the others: whoever has many addresses fills this table, and nobody's
    /// sign-in shall suffer for it.
    requests: Counters,
    /// When a limit was last put on record.
    told: Counters,
    /// When something else was last put on record that may happen often. Apart from the limits, which
    /// strangers choose.
    told_else: Counters,
    hasher: RandomState,
}

/// An endpoint whose requests are counted for each network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Authorization requests that a browser brings (RFC 6749 §3.1).
    Authorize,
    /// Authorization requests that clients send themselves (RFC 9126).
    Push,
    /// Requests of devices (RFC 8628 §3.1).
    Device,
    /// Registrations (RFC 7591).
    Register,
    /// What clients ask for their own tokens: new ones, and an end of old ones.
    Token,
    /// What servers ask about other people's tokens (RFC 7662). Apart from [`Self::Token`]: a server and
    /// its clients may stand behind one address.
    Introspect,
}

/// An attempt that was paid for.
#[must_use = "settle it when the guess was right"]
pub struct Attempt<'a> {
    counters: &'a Counters,
    paid: Vec<(usize, Allowance)>,
}

/// A request that was paid for.
#[must_use = "say when it was answered"]
pub struct Request<'a> {
    counter: &'a AtomicI64,
    given_back: i64,
}

/// No attempt is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// Until there is one again.
    pub wait: Duration,
    /// It is the first in a minute that meets this limit: one for the log and the audit trail, where
    /// each one would let a stranger fill the disk.
    pub first: bool,
}

/// What a guess counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess<'a> {
    /// A password, under the name that was typed; all its spellings count together.
    Password(&'a str),
    /// The code of a device, by this person.
    UserCode(&'a str),
    /// The set-up code.
    SetupCode,
    /// An initial access token (RFC 7591 §3).
    InitialAccessToken,
}

impl Limits {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with_hasher(RandomState::new())
    }

    fn with_hasher(hasher: RandomState) -> Self {
        let counters = |number| (0..number).map(|_| AtomicI64::new(0)).collect();
        Self {
            guesses: counters(COUNTERS),
            requests: counters(COUNTERS),
            told: counters(TOLD),
            told_else: counters(TOLD),
            hasher,
        }
    }

    /// Pays for an attempt from `peer`.
    ///
    /// # Errors
    /// There is none left: how long to wait for one.
    pub fn attempt(
        &self,
        guess: Guess<'_>,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<Attempt<'_>, TooMany> {
        let own = match guess {
            Guess::Password(name) => (self.counter(&("name", canonical_name(name))), PER_NAME),
            Guess::UserCode(person) => (self.counter(&("user code", person)), USER_CODE),
            Guess::SetupCode => (self.counter(&("setup code", "")), SETUP_CODE),
            Guess::InitialAccessToken => (
                self.counter(&("initial access token", network(peer))),
                INITIAL_ACCESS_TOKEN,
            ),
        };
        let network = (self.counter(&("network", network(peer))), PER_NETWORK);
        let mut attempt = Attempt {
            counters: &self.guesses,
            paid: Vec::with_capacity(2),
        };
        for (counter, allowance) in [own, network] {
            if let Err(wait) = pay(&self.guesses[counter], allowance, now) {
                attempt.give_back();
                let first = self.is_news(counter, now);
                return Err(TooMany { wait, first });
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
        pay(&self.guesses[counter], DOCUMENT_FETCHES, now)
    }

    /// Pays for a request of `peer`.
    ///
    /// # Errors
    /// How long to wait until there is one again.
    pub fn request(
        &self,
        endpoint: Endpoint,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<Request<'_>, Duration> {
        let (allowance, given_back) = match endpoint {
            Endpoint::Authorize => (AUTHORIZE, 0),
            Endpoint::Push => (PUSH, 0),
            Endpoint::Device => (DEVICE, 0),
            Endpoint::Register => (REGISTER, 0),
            Endpoint::Token => (TOKEN, TOKEN.millis_each - ANSWERED),
            Endpoint::Introspect => (INTROSPECT, INTROSPECT.millis_each - ANSWERED),
        };
        let counter = &self.requests[self.counter(&(endpoint, network(peer)))];
        if !weakened("a_065") {
            pay(counter, allowance, now)?;
        }
        Ok(Request {
            counter,
            given_back,
        })
    }

    /// Whether nothing was put on record of this within [`QUIET`]; asking counts as doing so. Two that
    /// meet in one cell are told of less often, never more.
    pub(crate) fn is_news_of(&self, what: &impl std::hash::Hash, now: Timestamp) -> bool {
        is_due(&self.told_else[self.counter(what) % TOLD], now)
    }

    fn is_news(&self, counter: usize, now: Timestamp) -> bool {
        is_due(&self.told[counter % TOLD], now)
    }

    fn counter(&self, key: &impl std::hash::Hash) -> usize {
        usize::try_from(self.hasher.hash_one(key) % COUNTERS as u64).expect("below COUNTERS")
    }
}

fn is_due(told: &AtomicI64, now: Timestamp) -> bool {
    let due = |last: i64| (now.0 >= last.saturating_add(QUIET) || last == 0).then_some(now.0);
    told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, due)
        .is_ok()
}

/// Generic cell rate algorithm: a counter holds the moment at which all attempts are back.
fn pay(counter: &AtomicI64, allowance: Allowance, now: Timestamp) -> Result<(), Duration> {
    let slack = allowance.millis_each * (allowance.burst - 1);
    let paid = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_again| {
        let start = full_again.max(now.0);
        (start - now.0 <= slack || weakened("a_160")).then_some(start + allowance.millis_each)
    });
    paid.map(|_| ()).map_err(|full_again| {
        Duration::from_millis(u64::try_from(full_again - now.0 - slack).unwrap_or(0))
    })
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
            self.counters[counter].fetch_sub(allowance.millis_each, Ordering::Relaxed);
        }
    }
}

impl Request<'_> {
    /// It came to something.
    pub fn answered(self) {
        self.counter.fetch_sub(self.given_back, Ordering::Relaxed);
    }
}

/// One network: an IPv4 address, or the /64 that one subscriber gets.
pub(crate) fn network(peer: IpAddr) -> u128 {
    match peer.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits() & (u128::MAX << 64),
    }
}

#[cfg(test)]
mod tests;
