//! Who is calling, and for how long that is true.

use std::{sync::Arc, time::Duration};

use keystile_domain::{
    flow::{FlowBook, Noted, Whose},
    ids::GrantId,
    ports::{Clock, Revocations, Rng, Standing, TokenFacts},
    secrets::Secrets,
    time::Timestamp,
};
use keystile_protocol::mutation::weakened;
use tokio::time::Instant;

use crate::ending::{Ending, Phase};
use crate::refusal::Refusal;

/// What the gateway knows of the caller once the request is admitted.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The canonical resource that is called.
    pub resource: Arc<str>,
    /// `sub`.
    pub person: Arc<str>,
    /// `client_id`.
    pub client: Arc<str>,
    /// `sid`.
    pub grant: GrantId,
    /// `iat`.
    pub issued_at: Timestamp,
    /// `exp`.
    pub expires_at: Timestamp,
}

/// Whom a session or a child belongs to (CHECKLIST R4): never the bytes of a token, never a client alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) person: Arc<str>,
    pub(crate) client: Arc<str>,
}

impl Caller {
    pub(crate) fn owner(&self) -> Owner {
        Owner {
            person: Arc::clone(&self.person),
            client: Arc::clone(&self.client),
        }
    }

    fn facts(&self) -> TokenFacts<'_> {
        TokenFacts {
            grant: self.grant,
            person: &self.person,
            client: &self.client,
            issued_at: self.issued_at,
        }
    }
}

/// What the relay needs from outside.
#[derive(Clone)]
pub struct Ports {
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// For session ids and request ids.
    pub rng: Arc<dyn Rng>,
    /// Bind what servers hand out to whom it is for.
    pub secrets: Arc<Secrets>,
    /// The revocation feed.
    pub revocations: Arc<dyn Revocations>,
    /// Says in the log and keeps what is refused.
    pub flows: Arc<FlowBook>,
    /// The end of the process.
    pub ending: Ending,
}

/// For how long something is admitted (CHECKLIST R11). A revocation ends it sooner, and so does the end of the process.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lasts {
    /// A stream, as long as the token that ends then.
    Token(Timestamp),
    /// A call, until then, whatever becomes of its token.
    Until(Instant),
    /// Until it is done.
    Grant,
}

/// Why what was admitted is over, though it has not come to its own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The grant, the person or the client was revoked.
    Revoked,
    /// Nobody knows whether they were.
    Unknown,
    /// The process ends.
    Ending,
    /// The call's own limit is reached.
    TooLong,
    /// A stream ends with its token, or before the process does.
    InOrder,
}

impl Over {
    /// What whoever still waits for an answer gets instead.
    pub(crate) fn refusal(self) -> Option<Refusal> {
        Some(match self {
            Self::Revoked => Refusal::revoked(),
            Self::Unknown => Refusal::revocations_unknown(),
            Self::Ending => Refusal::ending(),
            Self::TooLong => Refusal::timed_out(),
            Self::InOrder => return None,
        })
    }
}

impl Ports {
    /// Says and keeps what was refused, by the app's name.
    pub(crate) fn refused(&self, noted: Noted, whose: Whose) {
        let whose = whose.known_by(&self.secrets);
        self.flows.refused_of(noted, whose, self.clock.now());
    }

    /// Whether the caller's token still stands; not knowing is no (CHECKLIST R3).
    pub(crate) fn stands(&self, caller: &Caller) -> bool {
        self.revocations.standing(&caller.facts()) == Standing::Good
    }

    /// Why something that was admitted for so long is over now, if it is.
    pub(crate) fn is_over(&self, standing: Standing, lasts: Lasts) -> Option<Over> {
        match standing {
            Standing::Good => {}
            Standing::Revoked => return Some(Over::Revoked),
            Standing::Unknown => return Some(Over::Unknown),
        }
        let is_stream = matches!(lasts, Lasts::Token(_));
        if self.ending.is(Phase::Ending) && !is_stream {
            return Some(Over::Ending);
        }
        let (ends, over) = match lasts {
            Lasts::Token(end) => {
                let ends = self.ending.is(Phase::Draining) || end <= self.clock.now();
                (ends && !weakened("a_118"), Over::InOrder)
            }
            Lasts::Until(end) => (end <= Instant::now(), Over::TooLong),
            Lasts::Grant => (false, Over::InOrder),
        };
        ends.then_some(over)
    }

    /// Resolves when something that was admitted for so long is over. `standing` is asked anew at each change.
    pub(crate) async fn over(
        &self,
        standing: impl Fn(&dyn Revocations) -> Standing,
        lasts: Lasts,
    ) -> Over {
        loop {
            // There is no such time.
            if let Some(over) = self.over_before(None, &standing, lasts).await {
                return over;
            }
        }
    }

    /// As [`over`](Self::over); none at this time.
    ///
    /// There is one timer for everything: one of these is held for each open stream.
    pub(crate) async fn over_before(
        &self,
        time: Option<Instant>,
        standing: impl Fn(&dyn Revocations) -> Standing,
        lasts: Lasts,
    ) -> Option<Over> {
        loop {
            let seen = self.revocations.epoch();
            if let Some(over) = self.is_over(standing(&*self.revocations), lasts) {
                return Some(over);
            }
            let now = Instant::now();
            if time.is_some_and(|time| time <= now) {
                return None;
            }
            // The clock on the wall may be set, the feed grow stale and the end come near without a word.
            let mut next = now + LOOK;
            next = time.map_or(next, |time| next.min(time));
            next = match lasts {
                Lasts::Token(end) => next.min(now + end.since(self.clock.now())),
                Lasts::Until(end) => next.min(end),
                Lasts::Grant => next,
            };
            tokio::select! {
                _ = self.revocations.changed_since(seen) => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// As [`over`](Self::over), of this caller's.
    pub(crate) async fn over_for(&self, caller: &Caller, lasts: Lasts) -> Over {
        self.over(|revocations| revocations.standing(&caller.facts()), lasts)
            .await
    }

    /// Resolves when a stream that lasts as long as a token has to end: with the token, or before the process does.
    /// For who looks for revocations elsewhere.
    pub(crate) async fn stream_over(&self, expires_at: Timestamp) {
        while self
            .is_over(Standing::Good, Lasts::Token(expires_at))
            .is_none()
        {
            let left = expires_at.since(self.clock.now());
            tokio::time::sleep(left.clamp(LOOK / 100, LOOK)).await;
        }
    }
}

/// How often it is looked whether something is over of which nobody tells: a feed that grows stale (it says so itself
/// after 10 s, DESIGN §4; this comes on top), a token, the process.
const LOOK: Duration = Duration::from_secs(1);
