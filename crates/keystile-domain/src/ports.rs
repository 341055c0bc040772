//! What the rooms need from outside, as traits: time, randomness, the store, audit, revocations.
//!
//! Store verbs are atomic: each is one decision with one winner, durable before it returns.

use std::future::Future;
use std::pin::Pin;

use async_trait::async_trait;
use thiserror::Error;

use crate::audit::Event;
use crate::ids::{GrantId, PersonId};
use crate::records::{
    Approval, Approved, Bound, CodeProof, GrantFilter, GrantRecord, NewPerson, PersonCreated,
    PersonRecord, PreRegisteredClient, Presented, Rotated, SealedSigningKey, SessionRecord,
    SetupCode, Taken,
};
use crate::secrets::digest::Digest;
use crate::time::Timestamp;

/// The wall clock, asked once per request.
pub trait Clock: Send + Sync {
    /// This moment.
    fn now(&self) -> Timestamp;
}

/// A cryptographic source of random bytes.
pub trait Rng: Send + Sync {
    /// Fills the slice.
    fn fill(&self, bytes: &mut [u8]);
}

/// The store could not do it. Nothing was changed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database said no: locked, full, gone.
    #[error("the database failed: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row contradicts what the program writes (R3: that is a refusal, not a default).
    #[error("a stored record is inconsistent: {0}")]
    Inconsistent(String),
}

/// People with local accounts.
#[async_trait]
pub trait People: Send + Sync {
    /// Whether anybody has an account yet.
    async fn has_anybody(&self) -> Result<bool, StoreError>;
    /// Makes the first account and spends the set-up code in one transaction.
    async fn create_first(
        &self,
        person: NewPerson,
        code: Digest,
    ) -> Result<PersonCreated, StoreError>;
    /// Makes an account for the operator, who needs no code.
    async fn create(&self, person: NewPerson) -> Result<PersonCreated, StoreError>;
    /// By canonical name (see `records::canonical_name`).
    async fn find_by_name(&self, name: &str) -> Result<Option<PersonRecord>, StoreError>;
    /// By id.
    async fn lookup(&self, id: PersonId) -> Result<Option<PersonRecord>, StoreError>;
    /// Everybody, by name.
    async fn list(&self) -> Result<Vec<PersonRecord>, StoreError>;
    /// Keeps a new set-up code; earlier ones stop working.
    async fn put_setup_code(&self, code: SetupCode) -> Result<(), StoreError>;
}

/// Browser sessions; only digests are kept.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Keeps a session, durable before the cookie is sent.
    async fn begin(&self, session: SessionRecord) -> Result<(), StoreError>;
    /// The live session of this digest and its person, who may sign in.
    async fn find(
        &self,
        digest: Digest,
        now: Timestamp,
    ) -> Result<Option<(SessionRecord, PersonRecord)>, StoreError>;
    /// Ends it; it never comes back.
    async fn end(&self, digest: Digest) -> Result<(), StoreError>;
}

/// Clients that an operator registered (RFC 7591 calls them statically registered).
#[async_trait]
pub trait Clients: Send + Sync {
    /// Keeps a client; `false` when the id is taken.
    async fn add(&self, client: PreRegisteredClient) -> Result<bool, StoreError>;
    /// By `client_id`.
    async fn lookup(&self, client_id: &str) -> Result<Option<PreRegisteredClient>, StoreError>;
    /// All of them, by name.
    async fn list(&self) -> Result<Vec<PreRegisteredClient>, StoreError>;
}

/// Grants, their codes and their refresh families.
#[async_trait]
pub trait Grants: Send + Sync {
    /// Keeps the grant and its code in one transaction; each transaction can be answered once.
    async fn approve(&self, approval: Approval) -> Result<Approved, StoreError>;
    /// Spends a code in the statement that matches it: digest, client, redirect URI, challenge and
    /// resource all stand in the `WHERE`, so a wrong presenter spends nothing (CHECKLIST R8).
    async fn take(&self, proof: CodeProof, now: Timestamp) -> Result<Taken, StoreError>;
    /// Presents generation n of a refresh family (DESIGN §4, CHECKLIST R9).
    async fn rotate(&self, presented: Presented, now: Timestamp) -> Result<Rotated, StoreError>;
    /// Revokes one grant; `true` if it was alive. True for every gateway of this process before it
    /// returns.
    async fn revoke(&self, grant: GrantId, why: &str, now: Timestamp) -> Result<bool, StoreError>;
    /// The grant, if there is one.
    async fn lookup(&self, grant: GrantId) -> Result<Option<GrantRecord>, StoreError>;
    /// Grants, newest first.
    async fn list(&self, filter: GrantFilter) -> Result<Vec<GrantRecord>, StoreError>;
}

/// Which upstream stands behind which name.
#[async_trait]
pub trait Bindings: Send + Sync {
    /// Binds a name to an upstream's fingerprint, or tells what it is bound to.
    async fn bind(
        &self,
        name: &str,
        fingerprint: &str,
        now: Timestamp,
    ) -> Result<Bound, StoreError>;
    /// Binds the name anew and revokes every live grant for a resource with this path, whatever its
    /// origin was: the port may have been another then. Returns how many.
    async fn rebind(
        &self,
        name: &str,
        fingerprint: &str,
        path: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError>;
}

/// The issuer's signing keys, sealed before they come here: the store cannot open them.
#[async_trait]
pub trait SigningKeys: Send + Sync {
    /// All of them, oldest first: next, current and retired.
    async fn signing_keys(&self) -> Result<Vec<SealedSigningKey>, StoreError>;
    /// Puts `wanted` in the place of all keys if those are still exactly `seen` (by kid, state and
    /// sealed bytes, in any order); `false` changes nothing. So of two who rotate, make the first
    /// keys or seal anew at once, one wins and the other looks again.
    async fn replace_signing_keys(
        &self,
        seen: Vec<SealedSigningKey>,
        wanted: Vec<SealedSigningKey>,
    ) -> Result<bool, StoreError>;
}

/// The audit trail could not take the event: the caller must deny.
#[derive(Debug, Error)]
#[error("the audit trail cannot be written: {0}")]
pub struct AuditFailed(pub String);

/// The append-only audit trail (DESIGN §4).
#[async_trait]
pub trait AuditSink: Send + Sync {
    /// On disk (synced) before it returns: denials, grants, sign-ins, administration.
    async fn record(&self, event: &Event<'_>) -> Result<(), AuditFailed>;
    /// Written before it returns, synced within 50 ms: allowed calls.
    fn append(&self, event: &Event<'_>) -> Result<(), AuditFailed>;
}

/// What a verified token says that can be revoked.
#[derive(Debug, Clone, Copy)]
pub struct TokenFacts<'a> {
    /// `sid`: the grant.
    pub grant: GrantId,
    /// `sub`: the person.
    pub person: &'a str,
    /// `client_id`.
    pub client: &'a str,
    /// `iat`.
    pub issued_at: Timestamp,
}

/// Whether a token still stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing revokes it.
    Good,
    /// Its grant, person or client was revoked.
    Revoked,
    /// The feed is stale for over 10 s: deny (CHECKLIST R3).
    Unknown,
}

/// The revocation feed, asked after every cache hit and by every open stream.
pub trait Revocations: Send + Sync {
    /// Whether a token with these facts stands now. In memory, no waiting.
    fn standing(&self, facts: &TokenFacts<'_>) -> Standing;
    /// Grows with each revocation.
    fn epoch(&self) -> u64;
    /// Resolves as soon as the epoch is no longer `seen`.
    fn changed_since(&self, seen: u64) -> Pin<Box<dyn Future<Output = u64> + Send>>;
}
