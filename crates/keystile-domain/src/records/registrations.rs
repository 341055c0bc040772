//! What lets a client register itself beyond the default policy (RFC 7591 §3, DESIGN §5).

use serde::Serialize;

use crate::ids::InitialAccessTokenId;
use crate::secrets::digest::Digest;
use crate::time::Timestamp;

/// The most initial access tokens that are kept, dead ones included.
pub const MOST_INITIAL_ACCESS_TOKENS: u32 = 1_000;

/// The most places that an owner can approve of.
pub const MOST_REDIRECT_PLACES: u32 = 1_000;

/// An initial access token to be kept (RFC 7591 §1.2).
#[derive(Debug, Clone)]
pub struct NewInitialAccessToken {
    /// Its id, which is no secret.
    pub id: InitialAccessTokenId,
    /// Digest of its text.
    pub digest: Digest,
    /// What the operator wrote beside it.
    pub note: Option<String>,
    /// Now.
    pub created_at: Timestamp,
    /// Useless after this.
    pub expires_at: Timestamp,
    /// How many clients it registers.
    pub uses: u32,
}

/// An initial access token as an operator sees it: never its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InitialAccessToken {
    /// Its id.
    pub id: InitialAccessTokenId,
    /// What the operator wrote beside it.
    pub note: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Useless after this.
    pub expires_at: Timestamp,
    /// How many clients it registers in all.
    pub uses: u32,
    /// How many it registered.
    pub used: u32,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// What came of showing an initial access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spent {
    /// One use less; it was this one.
    Now(InitialAccessTokenId),
    /// No such token, or this one, which is too old, revoked or used up. Nothing was changed.
    No(Option<InitialAccessToken>),
}

/// A place to which redirects were approved: an https origin or a private-use scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApprovedPlace {
    /// As [`RedirectUri::place`](keystile_protocol::redirect::RedirectUri::place) writes it.
    pub place: String,
    /// When the owner said so.
    pub approved_at: Timestamp,
}
