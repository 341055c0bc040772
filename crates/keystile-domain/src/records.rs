//! What the store keeps, and what its verbs take and give.

mod clients;
mod device;
mod keys;
mod registrations;

use keystile_protocol::pkce::CodeChallenge;
use keystile_protocol::scope::ScopeSet;
use serde::Serialize;

use crate::ids::{GrantId, PersonId, TransactionId};
use crate::secrets::code::AuthorizationCode;
use crate::secrets::digest::Digest;
use crate::time::Timestamp;

pub use clients::{
    AssertionUse, ClientSecrets, GrantType, GrantTypes, MOST_ASSERTIONS, NotAGrantType,
    PreRegisteredClient, ServiceGrant, ServiceRequest, service_subject,
};
pub use device::{
    DEVICE_INTERVAL, DEVICE_JITTER, DEVICE_KEPT, DEVICE_LIFETIME, DEVICE_SLOWER, DEVICE_SLOWEST,
    DeviceAnswered, DeviceApproval, DeviceBegun, DeviceMismatch, DeviceOutcome, DevicePoll,
    DeviceRequest, MOST_DEVICE_REQUESTS, NewDeviceRequest,
};
pub use keys::{SealedSigningKey, SigningKeyState};
pub use registrations::{
    ApprovedPlace, InitialAccessToken, MOST_INITIAL_ACCESS_TOKENS, MOST_REDIRECT_PLACES,
    NewInitialAccessToken, Spent,
};

/// A person with a local account.
#[derive(Debug, Clone, Serialize)]
pub struct PersonRecord {
    /// `sub` of their tokens.
    pub id: PersonId,
    /// As it was typed when the account was made.
    pub name: String,
    /// Argon2id, PHC string.
    #[serde(skip)]
    pub password_hash: String,
    /// When the account was made.
    pub created_at: Timestamp,
    /// Set while the person may not sign in.
    pub disabled_at: Option<Timestamp>,
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewPerson {
    /// The id it will have.
    pub id: PersonId,
    /// 1 to 64 characters, see [`canonical_name`].
    pub name: String,
    /// Argon2id, PHC string.
    pub password_hash: String,
    /// Now.
    pub created_at: Timestamp,
}

/// What came of making an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonCreated {
    /// It is there.
    Created,
    /// Somebody has this name.
    NameTaken,
    /// The set-up code is not the one that was shown, or is too old.
    WrongCode,
    /// The set-up code was used before, or an account exists already.
    CodeSpent,
}

/// The one name that all spellings of a user name share: limits and look-ups use it.
#[must_use]
pub fn canonical_name(name: &str) -> String {
    name.trim().to_lowercase()
}

/// A code that lets the first person make an account.
#[derive(Debug, Clone)]
pub struct SetupCode {
    /// Digest of the code.
    pub digest: Digest,
    /// When it was made.
    pub created_at: Timestamp,
    /// Useless after this.
    pub expires_at: Timestamp,
}

/// A browser session.
#[derive(Debug, Clone)]
pub struct SessionRecord {
    /// Digest of the cookie's value.
    pub digest: Digest,
    /// Whose it is.
    pub person: PersonId,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// Useless after this.
    pub expires_at: Timestamp,
}

/// A yes: the grant to be made and the digest of its code.
#[derive(Debug, Clone)]
pub struct Approval {
    /// The transaction that is answered; it can be answered once.
    pub transaction: TransactionId,
    /// The grant's id.
    pub grant: GrantId,
    /// Who said yes.
    pub person: PersonId,
    /// To which client.
    pub client_id: String,
    /// What the person saw as its name.
    pub client_name: String,
    /// Whether it has to prove who it is: [`ClientSnapshot::proves`](crate::client::ClientSnapshot).
    pub client_proves: bool,
    /// Canonical resource: the one audience.
    pub resource: String,
    /// What was allowed.
    pub scopes: ScopeSet,
    /// Digest of the code.
    pub code: Digest,
    /// Exact bytes of the redirect URI.
    pub redirect_uri: String,
    /// What the verifier must hash to.
    pub challenge: CodeChallenge,
    /// Now.
    pub created_at: Timestamp,
    /// When the code is too old.
    pub code_expires_at: Timestamp,
    /// When the grant ends unless it is used.
    pub grant_expires_at: Timestamp,
}

/// What came of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approved {
    /// Grant and code are durable.
    First,
    /// This transaction was answered before.
    AlreadyAnswered,
    /// The person was disabled meanwhile.
    PersonGone,
}

/// What a token request shows of a code.
#[derive(Debug, Clone)]
pub struct CodeProof {
    /// The code.
    pub code: AuthorizationCode,
    /// The client that shows it.
    pub client_id: String,
    /// Whether it proved that, and did not merely say so.
    pub client_proved: bool,
    /// The redirect URI, if the request names one (OAuth 2.1 dropped it, RFC 6749 §4.1.3 wants it).
    pub redirect_uri: Option<String>,
    /// Hash of the verifier.
    pub challenge: CodeChallenge,
    /// Canonical resource, if the request names one.
    pub resource: Option<String>,
}

/// The reason of a code or token whose client has to prove who it is, and did not.
pub const CLIENT_PROOF: &str = "client_proof_missing";

/// The answer of `Grants::take`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// Matched and now spent; the grant is active.
    First(TakenCode),
    /// Matched, but it was spent before: its grant must die (OAuth 2.1 §4.1.3).
    Again(GrantId),
    /// Not matched; nothing was spent. The reason is for the explanation only.
    NoMatch(Mismatch),
    /// Not matched either, by a code that this grant's tokens were given for before. Nothing is changed, whoever shows it
    /// (CHECKLIST A-019): for the explanation only.
    AgainWrongly(Mismatch, GrantId),
}

/// What a taken code is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenCode {
    /// The grant.
    pub grant: GrantId,
    /// Who gave it.
    pub person: PersonId,
    /// Canonical resource.
    pub resource: String,
    /// What was allowed.
    pub scopes: ScopeSet,
}

/// The first thing in which a presenter of a code differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// No such code.
    Unknown,
    /// Older than its 60 seconds.
    Expired,
    /// Issued to another client.
    Client,
    /// Issued to a client that has to prove who it is, and this one did not.
    ClientProof,
    /// Issued for another redirect URI.
    RedirectUri,
    /// The verifier does not hash to the challenge.
    Challenge,
    /// Authorized for another resource.
    Resource,
    /// The grant was revoked, or its person disabled.
    Revoked,
}

impl Mismatch {
    /// The word for the audit trail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "code_unknown",
            Self::Expired => "code_expired",
            Self::Client => "code_of_another_client",
            Self::ClientProof => CLIENT_PROOF,
            Self::RedirectUri => "code_of_another_redirect_uri",
            Self::Challenge => "code_challenge_not_met",
            Self::Resource => "code_for_another_resource",
            Self::Revoked => "grant_revoked",
        }
    }
}

/// What a refresh request shows.
#[derive(Debug, Clone)]
pub struct Presented {
    /// Family: the grant.
    pub grant: GrantId,
    /// Generation of the token that was shown; the first one is 1.
    pub generation: u32,
    /// The client that shows it.
    pub client_id: String,
    /// Whether it proved that, and did not merely say so.
    pub client_proved: bool,
    /// Canonical resource, if the request names one.
    pub resource: Option<String>,
    /// When the grant shall end now unless it is used again.
    pub expires_at: Timestamp,
}

/// The answer of `Grants::rotate`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the usual one, and it lives for one request"
)]
pub enum Rotated {
    /// Answer with generation `n + 1` of this grant, whether for the first time or again.
    Successor(GrantRecord),
    /// A replay beyond the rule: the family is dead now, and so is the grant.
    Reused,
    /// Nothing was changed.
    Refused(RefreshMismatch),
}

/// Why a refresh token is refused without any change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshMismatch {
    /// No such grant, or a generation that was never given out.
    Unknown,
    /// Issued to another client.
    Client,
    /// Issued to a client that has to prove who it is, and this one did not.
    ClientProof,
    /// Another resource than the authorized one.
    Resource,
    /// Not used for too long.
    Expired,
    /// Revoked before, or its person is disabled.
    Revoked,
}

impl RefreshMismatch {
    /// The word for the audit trail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "refresh_token_unknown",
            Self::Client => "refresh_token_of_another_client",
            Self::ClientProof => CLIENT_PROOF,
            Self::Resource => "refresh_token_for_another_resource",
            Self::Expired => "grant_expired",
            Self::Revoked => "grant_revoked",
        }
    }
}

/// A grant as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrantRecord {
    /// Its id.
    pub id: GrantId,
    /// Who gave it.
    pub person: PersonId,
    /// Their name.
    pub person_name: String,
    /// To which client.
    pub client_id: String,
    /// What the person saw as its name.
    pub client_name: String,
    /// Whether it has to prove who it is wherever it uses the grant, whatever its document says by then.
    pub client_proves: bool,
    /// Canonical resource.
    pub resource: String,
    /// What was allowed.
    pub scopes: ScopeSet,
    /// When it was given.
    pub created_at: Timestamp,
    /// Last token from it, if any.
    pub last_used_at: Option<Timestamp>,
    /// When it ends unless it is used.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Why it was revoked.
    pub revoked_why: Option<String>,
}

/// Which grants are wanted.
#[derive(Debug, Clone, Default)]
pub struct GrantFilter {
    /// Only of this person.
    pub person: Option<PersonId>,
    /// Only of this client.
    pub client_id: Option<String>,
    /// Revoked and expired ones too.
    pub dead_too: bool,
    /// For `dead_too = false`: what counts as expired.
    pub now: Option<Timestamp>,
}

/// What a name is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// It was free; now it is bound.
    New,
    /// It was bound to this one.
    Same,
    /// It is bound to another upstream.
    Other(String),
}
