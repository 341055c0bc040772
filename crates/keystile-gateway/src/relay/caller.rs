//! Who is calling, and for how long that is true.

use std::{sync::Arc, time::Duration};

use keystile_domain::{
    flow::FlowBook,
    ids::GrantId,
    ports::{Clock, Revocations, Rng, Standing, TokenFacts},
    secrets::Secrets,
    time::Timestamp,
};

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
    /// Keeps what is refused when the response has begun already, and can't carry it.
    pub flows: Arc<FlowBook>,
    /// The end of the process.
    pub ending: Ending,
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
}

impl Over {
    /// Of what stands no longer.
    pub(crate) const fn of(standing: Standing) -> Option<Self> {
        match standing {
            Standing::Good => None,
            Standing::Revoked => Some(Self::Revoked),
            Standing::Unknown => Some(Self::Unknown),
        }
    }

    /// What whoever still waits for an answer gets instead.
    pub(crate) fn refusal(self) -> Refusal {
        match self {
            Self::Revoked => Refusal::revoked(),
            Self::Unknown => Refusal::revocations_unknown(),
            Self::Ending => Refusal::ending(),
        }
    }
}

impl Ports {
    /// Whether the caller's token still stands; not knowing is no (CHECKLIST R3).
    pub(crate) fn stands(&self, caller: &Caller) -> bool {
        self.revocations.standing(&caller.facts()) == Standing::Good
    }

    /// As [`given_up`](Self::given_up), of this caller's.
    pub(crate) async fn caller_given_up(&self, caller: &Caller) -> Over {
        self.given_up(|revocations| revocations.standing(&caller.facts()))
            .await
    }

    /// Resolves when what was admitted has to be given up, as long as it takes until then. `standing` is asked anew at
    /// each change.
    pub(crate) async fn given_up(&self, standing: impl Fn(&dyn Revocations) -> Standing) -> Over {
        let ending = self.ending.reached(Phase::Ending);
        let revoked = async {
            loop {
                let seen = self.revocations.epoch();
                if let Some(over) = Over::of(standing(&*self.revocations)) {
                    return over;
                }
                tokio::select! {
                    _ = self.revocations.changed_since(seen) => {}
                    // A feed that goes stale does not move its epoch.
                    () = tokio::time::sleep(STALE) => {}
                }
            }
        };
        tokio::select! {
            over = revoked => over,
            () = ending => Over::Ending,
        }
    }

    /// Resolves when a stream that lasts as long as a token has to end: with the token, or before the process does.
    pub(crate) async fn stream_over(&self, expires_at: Timestamp) {
        let expired = async {
            loop {
                let left = expires_at.since(self.clock.now());
                if left.is_zero() {
                    return;
                }
                // In slices: the wall clock may be set while we wait.
                tokio::time::sleep(left.min(SLICE)).await;
            }
        };
        tokio::select! {
            () = expired => {}
            () = self.ending.reached(Phase::Draining) => {}
        }
    }
}

/// How often an open stream asks whether the feed still knows. A feed says itself that it is stale (after 10 s,
/// DESIGN §4); this comes on top.
const STALE: Duration = Duration::from_secs(1);
const SLICE: Duration = Duration::from_secs(30);
