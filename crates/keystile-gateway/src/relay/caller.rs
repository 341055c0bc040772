//! Who is calling, and for how long that is true.

use std::{sync::Arc, time::Duration};

use keystile_domain::{
    flow::FlowBook,
    ids::GrantId,
    ports::{Clock, Revocations, Rng, Standing, TokenFacts},
    secrets::Secrets,
    time::Timestamp,
};

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
}

impl Ports {
    /// Whether the caller's token still stands; not knowing is no (CHECKLIST R3).
    pub(crate) fn stands(&self, caller: &Caller) -> bool {
        self.revocations.standing(&caller.facts()) == Standing::Good
    }

    /// Resolves when the caller's grant, person or client is revoked.
    pub(crate) async fn revoked(&self, caller: &Caller) {
        loop {
            let seen = self.revocations.epoch();
            if !self.stands(caller) {
                return;
            }
            tokio::select! {
                _ = self.revocations.changed_since(seen) => {}
                // A feed that goes stale does not move its epoch.
                () = tokio::time::sleep(STALE) => {}
            }
        }
    }

    /// Resolves when the caller's token has expired.
    pub(crate) async fn expired(&self, caller: &Caller) {
        loop {
            let left = caller.expires_at.since(self.clock.now());
            if left.is_zero() {
                return;
            }
            // In slices: the wall clock may be set while we wait.
            tokio::time::sleep(left.min(SLICE)).await;
        }
    }
}

/// How often an open stream asks whether the feed still knows. A feed says itself that it is stale (after 10 s,
/// DESIGN §4); this comes on top.
pub(crate) const STALE: Duration = Duration::from_secs(1);
const SLICE: Duration = Duration::from_secs(30);
