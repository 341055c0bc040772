//! What the rooms need from outside, as traits: time, randomness, the store, audit, revocations.
//!
//! Store verbs are atomic: each is one decision with one winner, durable before it returns.

use std::future::Future;
use std::pin::Pin;

use async_trait::async_trait;
use thiserror::Error;

use crate::audit::Event;
use crate::decide::refresh::FamilyFacts;
use crate::ids::{DeviceRequestId, GrantId, InitialAccessTokenId, PersonId};
use crate::records::{
    Approval, Approved, ApprovedPlace, AssertionUse, Bound, ClientSecrets, CodeProof,
    DeviceAnswered, DeviceApproval, DeviceBegun, DeviceOutcome, DevicePoll, DeviceRequest,
    GrantFilter, GrantRecord, InitialAccessToken, NewDeviceRequest, NewInitialAccessToken,
    NewPerson, PersonCreated, PersonRecord, PreRegisteredClient, Presented, Rotated,
    SealedSigningKey, ServiceGrant, ServiceRequest, SessionRecord, SetupCode, Spent, Taken,
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
    /// Keeps a person out, and ends every session and grant of theirs for good. True for every
    /// gateway of this process before it returns. Answers how many grants were alive, or `None` for
    /// somebody who does not exist.
    async fn disable(&self, person: PersonId, now: Timestamp) -> Result<Option<u64>, StoreError>;
    /// Gives a person another password and ends their sessions; `false` for somebody who does not
    /// exist. What they connected stays.
    async fn set_password(&self, person: PersonId, hash: String) -> Result<bool, StoreError>;
    /// As [`Self::disable`], for good: the name is free for somebody else, who has nothing of theirs.
    async fn remove(&self, person: PersonId, now: Timestamp) -> Result<Option<u64>, StoreError>;
    /// Lets a person in again, who has to sign in anew; `false` if they were not kept out.
    async fn enable(&self, person: PersonId) -> Result<bool, StoreError>;
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

/// Clients that an operator registered (RFC 7591 calls them statically registered), and what an
/// operator said about clients of any kind.
#[async_trait]
pub trait Clients: Send + Sync {
    /// Keeps a client and, if it has one, the digest of its secret; `false` when the id is taken.
    async fn add(
        &self,
        client: PreRegisteredClient,
        secret: Option<Digest>,
    ) -> Result<bool, StoreError>;
    /// By `client_id`.
    async fn lookup(&self, client_id: &str) -> Result<Option<PreRegisteredClient>, StoreError>;
    /// All of them, by name.
    async fn list(&self) -> Result<Vec<PreRegisteredClient>, StoreError>;
    /// The secrets of a client that work now.
    async fn secrets(&self, client_id: &str, now: Timestamp) -> Result<ClientSecrets, StoreError>;
    /// Gives a client a new secret. The newest of the earlier ones works until `old_until`, all
    /// others stop now. `false` when there is no such client.
    async fn rotate_secret(
        &self,
        client_id: &str,
        secret: Digest,
        now: Timestamp,
        old_until: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Puts `becomes` in the place of `was`, the client as the caller read it; `false` when it is
    /// another by now. Its id stays. Its secrets do as long as it authenticates with one; `secret` is
    /// its only one from now on. If it may ask for other things than before, what it holds for itself
    /// ends, before this returns.
    async fn replace(
        &self,
        was: PreRegisteredClient,
        becomes: PreRegisteredClient,
        secret: Option<Digest>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Removes a client for good, with its secrets and all that it holds: a client that gets its id
    /// later has nothing of it. True for every gateway of this process before it returns. Answers
    /// how many grants ended, or `None` for a client that does not exist.
    async fn remove(&self, client_id: &str, now: Timestamp) -> Result<Option<u64>, StoreError>;
    /// Keeps a client of any kind out: pre-registered, of a document, or self-registered. True for
    /// every gateway of this process before it returns; `false` if it was out already.
    async fn disable(&self, client_id: &str, now: Timestamp) -> Result<bool, StoreError>;
    /// Lets a client in again, with the grants that it had; access tokens from before stay dead.
    /// `false` if it was not out.
    async fn enable(&self, client_id: &str) -> Result<bool, StoreError>;
    /// Since when a client is kept out, if it is.
    async fn disabled_since(&self, client_id: &str) -> Result<Option<Timestamp>, StoreError>;
    /// The clients that are kept out, by id, and since when.
    async fn disabled(&self) -> Result<Vec<(String, Timestamp)>, StoreError>;
    /// Takes the id (`jti`) of a client's assertion: one winner until `expires_at`. At most
    /// [`MOST_ASSERTIONS`](crate::records::MOST_ASSERTIONS) of one client are remembered.
    async fn take_assertion(
        &self,
        client_id: &str,
        jti: Digest,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<AssertionUse, StoreError>;
}

/// What clients hold for themselves (`client_credentials`).
#[async_trait]
pub trait ServiceGrants: Send + Sync {
    /// The living grant of this client for this resource, made if there is none; `None` when the
    /// client is kept out.
    async fn issue(
        &self,
        request: ServiceRequest,
        now: Timestamp,
    ) -> Result<Option<GrantId>, StoreError>;
    /// By id.
    async fn lookup(&self, grant: GrantId) -> Result<Option<ServiceGrant>, StoreError>;
    /// Newest first, of one client or of all.
    async fn list(
        &self,
        client_id: Option<&str>,
        dead_too: bool,
    ) -> Result<Vec<ServiceGrant>, StoreError>;
    /// Ends one; `true` if it was alive. True for every gateway of this process before it returns.
    async fn revoke(&self, grant: GrantId, why: &str, now: Timestamp) -> Result<bool, StoreError>;
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
    /// The grant, and what [`Self::rotate`] would go by, were its own client to present one of its
    /// refresh tokens now.
    async fn family(
        &self,
        grant: GrantId,
    ) -> Result<Option<(GrantRecord, FamilyFacts)>, StoreError>;
    /// The grant, if there is one.
    async fn lookup(&self, grant: GrantId) -> Result<Option<GrantRecord>, StoreError>;
    /// Grants, newest first.
    async fn list(&self, filter: GrantFilter) -> Result<Vec<GrantRecord>, StoreError>;
}

/// Requests of devices without a browser (RFC 8628). A yes makes a grant as any other.
#[async_trait]
pub trait DeviceRequests: Send + Sync {
    /// Keeps a request, and forgets some that ended long ago.
    async fn begin(
        &self,
        request: NewDeviceRequest,
        now: Timestamp,
    ) -> Result<DeviceBegun, StoreError>;
    /// The request of a user code that waits for an answer.
    async fn find(
        &self,
        user_code: Digest,
        now: Timestamp,
    ) -> Result<Option<DeviceRequest>, StoreError>;
    /// The same by its id.
    async fn lookup(
        &self,
        id: DeviceRequestId,
        now: Timestamp,
    ) -> Result<Option<DeviceRequest>, StoreError>;
    /// Answers with yes and keeps the grant, in one transaction; each request is answered once.
    async fn approve(&self, approval: DeviceApproval) -> Result<DeviceAnswered, StoreError>;
    /// Answers with no; `false` when it was answered before or has expired.
    async fn deny(&self, id: DeviceRequestId, now: Timestamp) -> Result<bool, StoreError>;
    /// Spends a device code in the statement that matches it: digest, client and resource stand in
    /// the `WHERE`, so a wrong presenter spends and slows down nothing. While there is no answer,
    /// the time of the poll is compared and kept in one statement. A code that nobody has costs no
    /// write.
    async fn poll(&self, poll: DevicePoll, now: Timestamp) -> Result<DeviceOutcome, StoreError>;
}

/// What lets clients register themselves beyond the default policy: initial access tokens (RFC 7591
/// §1.2) and the places whose redirects an owner approved of.
#[async_trait]
pub trait Registrations: Send + Sync {
    /// Keeps a token; `false` when there are
    /// [`MOST_INITIAL_ACCESS_TOKENS`](crate::records::MOST_INITIAL_ACCESS_TOKENS).
    async fn add_token(&self, token: NewInitialAccessToken) -> Result<bool, StoreError>;
    /// All of them, newest first.
    async fn tokens(&self) -> Result<Vec<InitialAccessToken>, StoreError>;
    /// Revokes one; `true` if it would have been good for something until now, `None` if there is
    /// no such token.
    async fn revoke_token(
        &self,
        id: InitialAccessTokenId,
        now: Timestamp,
    ) -> Result<Option<bool>, StoreError>;
    /// Spends one use of the token with this digest, in one statement. A digest that nobody has
    /// costs no write.
    async fn spend_token(&self, digest: Digest, now: Timestamp) -> Result<Spent, StoreError>;
    /// Approves of a place; `false` when there are
    /// [`MOST_REDIRECT_PLACES`](crate::records::MOST_REDIRECT_PLACES). Again is no failure.
    async fn approve_place(&self, place: &str, now: Timestamp) -> Result<bool, StoreError>;
    /// Takes an approval back; `false` if there was none.
    async fn remove_place(&self, place: &str) -> Result<bool, StoreError>;
    /// Whether a place is approved of.
    async fn is_approved(&self, place: &str) -> Result<bool, StoreError>;
    /// All of them, by name.
    async fn places(&self) -> Result<Vec<ApprovedPlace>, StoreError>;
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
