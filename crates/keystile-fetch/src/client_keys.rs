//! The public keys of clients that say where they are (`jwks_uri`, RFC 7591 §2).

use std::sync::Arc;

use keystile_protocol::jwt::{KeySet, KeySetError};
use keystile_protocol::mutation::weakened;
use url::Url;

use crate::flights::{Flights, free};
use crate::{FetchError, Fetched, Fetcher, Get};

/// Key sets of clients, by address. Cheap to clone; clones share what they know.
///
/// An address is asked at most once a minute, whatever a stranger writes into `kid`, and whether it
/// answers or not (CHECKLIST A-082). Keys are used without asking for five minutes; when the address
/// fails, for an hour after they were last seen. Questions at the same time are one request.
#[derive(Clone)]
pub struct ClientKeys {
    shared: Arc<Keys>,
}

struct Keys {
    fetcher: Option<Fetcher>,
    known: moka::sync::Cache<Url, Known>,
    flights: Flights<Url, Answer>,
}

type Answer = Result<Arc<KeySet>, KeysError>;

/// What was learnt when the address was last asked.
#[derive(Clone)]
struct Known {
    answer: Answer,
    asked_at: i64,
    seen_at: i64,
}

/// Why there are no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// Nothing is fetched here.
    #[error("client keys are not fetched here; register them with --jwks")]
    Closed,
    /// They could not be fetched.
    #[error("the client's keys could not be fetched: {0}")]
    Fetch(#[from] FetchError),
    /// They were fetched, and are no good.
    #[error("the client's key set is not usable: {0}")]
    Invalid(#[from] KeySetError),
}

impl ClientKeys {
    /// Fetches keys.
    #[must_use]
    pub fn fetching(fetcher: Fetcher) -> Self {
        Self::new(Some(fetcher))
    }

    /// Never sends a packet.
    #[must_use]
    pub fn closed() -> Self {
        Self::new(None)
    }

    fn new(fetcher: Option<Fetcher>) -> Self {
        Self {
            shared: Arc::new(Keys {
                fetcher,
                known: moka::sync::Cache::new(MAX_SETS),
                flights: Flights::new(),
            }),
        }
    }

    /// The keys at this address, asked for again when none is called `kid`. `now` is in milliseconds
    /// since 1970.
    ///
    /// # Errors
    /// [`KeysError`]: the client cannot be authenticated, at least not now.
    pub async fn lookup(&self, url: &Url, kid: Option<&str>, now: i64) -> Answer {
        let found = self.lookup_for(url, kid, now, free).await;
        found.unwrap_or_else(|error| match error {})
    }

    /// The same for somebody who has to `pay` when a request of their own is sent.
    ///
    /// # Errors
    /// Those of `pay`: nothing was sent then.
    pub async fn lookup_for<E>(
        &self,
        url: &Url,
        kid: Option<&str>,
        now: i64,
        pay: impl FnOnce() -> Result<(), E>,
    ) -> Result<Answer, E> {
        let Some(fetcher) = &self.shared.fetcher else {
            return Ok(Err(KeysError::Closed));
        };
        if let Some(answer) = self.shared.remembered(url, kid, now) {
            return Ok(answer);
        }
        let (shared, fetcher, own) = (&self.shared, fetcher.clone(), url.clone());
        let landed = || shared.remembered(url, kid, now);
        let busy = Err(FetchError::Busy.into());
        let flight = shared.flights.join(url, landed, busy, pay, || {
            let shared = Arc::clone(shared);
            async move { shared.refresh(&fetcher, &own, now).await }
        })?;
        Ok(flight.await)
    }
}

impl Keys {
    /// What can be said without asking.
    fn remembered(&self, url: &Url, kid: Option<&str>, now: i64) -> Option<Answer> {
        let known = self.known.get(url)?;
        let fresh = now - known.seen_at < FRESH_MS;
        let has_it = |keys: &Arc<KeySet>| kid.is_none_or(|kid| keys.has(kid));
        let good = fresh && known.answer.as_ref().is_ok_and(has_it);
        let too_soon = now - known.asked_at < MIN_INTERVAL_MS && !weakened("a_082k");
        (good || too_soon).then_some(known.answer)
    }

    async fn refresh(&self, fetcher: &Fetcher, url: &Url, now: i64) -> Answer {
        let get = Get {
            url,
            accept: "application/json",
            max_bytes: MAX_BYTES,
            if_none_match: None,
        };
        let fetched = match fetcher.get(get).await {
            Ok(Fetched::Body { body, .. }) => KeySet::from_jwks(&body)
                .map(Arc::new)
                .map_err(KeysError::from),
            Ok(Fetched::NotModified { .. }) => Err(FetchError::Status(304).into()),
            Err(error) => Err(error.into()),
        };
        let earlier = self.known.get(url);
        let (answer, seen_at) = match (fetched, earlier) {
            (Err(KeysError::Fetch(error)), Some(earlier))
                if error.is_transient()
                    && earlier.answer.is_ok()
                    && now - earlier.seen_at < USABLE_MS =>
            {
                tracing::info!(%error, "a client's keys are not available; the known ones are used");
                (earlier.answer, earlier.seen_at)
            }
            (fetched, _) => (fetched, now),
        };
        let known = Known {
            answer: answer.clone(),
            asked_at: now,
            seen_at,
        };
        self.known.insert(url.clone(), known);
        answer
    }
}

/// Key sets that are remembered.
const MAX_SETS: u64 = 1_024;
/// 64 keys of RSA fit.
const MAX_BYTES: usize = 64 * 1024;
/// No address is asked more often.
const MIN_INTERVAL_MS: i64 = 60_000;
/// A key that a client withdrew is dead after this.
const FRESH_MS: i64 = 5 * 60_000;
/// How long keys are used while their address fails.
const USABLE_MS: i64 = 60 * 60_000;
