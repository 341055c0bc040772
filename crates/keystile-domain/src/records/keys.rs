//! Signing keys as the store keeps them.

use crate::time::Timestamp;

/// A name and bytes that the store cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSigningKey {
    /// `kid` in JWKS and token headers (RFC 7517 §4.5).
    pub kid: String,
    /// The private key, sealed under the master key.
    pub sealed: Vec<u8>,
    /// Its place in the rotation.
    pub state: SigningKeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it came to this place.
    pub since: Timestamp,
}

/// Where a signing key stands in the rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningKeyState {
    /// Published, signs nothing yet.
    Next,
    /// Signs.
    Current,
    /// Published for what it signed.
    Retired,
}

impl SigningKeyState {
    /// Its word in the store and in `keystile key list`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Retired => "retired",
        }
    }
}
