//! Access tokens: JWS compact serialisation, `at+jwt` (RFC 7515, RFC 7519, RFC 9068).
//!
//! An [`UnverifiedJwt`] shows nothing but which key it wants. Only [`UnverifiedJwt::verify`] gives
//! its claims, and only when signature, issuer, audience and times are all good: there is no way to
//! look first and decide later (CHECKLIST ).

pub mod assertion;
pub mod claims;
mod compact;
pub mod jwk;
pub mod refused;
pub mod sign;

pub use claims::{AccessTokenClaims, Expectations, VerifiedClaims};
pub use jwk::{KeySet, KeySetError, VerificationKey};
pub use refused::{ClaimedOfRefused, WholeOfRefused};
pub use sign::{SigningKey, SigningKeyError};

use compact::Compact;

use crate::mutation::weakened;

/// A token may have 8 KiB (CHECKLIST A-079).
pub const MAX_TOKEN: usize = 8 * 1024;

/// A `kid` may have 128 bytes (CHECKLIST A-075).
pub const MAX_KID: usize = 128;

/// The signature algorithms that are taken: never symmetric, never `none` (RFC 8725 §3.1, §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (RFC 7518 §3.4).
    Es256,
    /// Ed25519 (RFC 8037 §3.1).
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256, keys of 2048 bits at least (RFC 7518 §3.3).
    Rs256,
}

impl Algorithm {
    /// Its name in a header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    /// All of them; the first is the default.
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// The one with exactly this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.as_str() == name)
    }
}

/// Why a token is no good. For the log only: every refused token gets the same answer
/// (CHECKLIST A-078), so this must not become a status or a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum Rejected {
    #[error("no token of this form")]
    Malformed,
    #[error("longer than 8 KiB")]
    TooLong,
    #[error("the header is not one of such a token")]
    Header,
    #[error("no such key")]
    UnknownKey,
    #[error("the signature is not good")]
    Signature,
    #[error("the claims are not those of such a token")]
    Claims,
    #[error("another issuer")]
    Issuer,
    #[error("another audience")]
    Audience,
    #[error("expired, not yet good, or good for too long")]
    Time,
}

/// A token of which nothing is believed yet.
#[derive(Debug, Clone)]
pub struct UnverifiedJwt<'a>(Compact<'a>);

impl<'a> UnverifiedJwt<'a> {
    /// Takes the token apart.
    ///
    /// # Errors
    /// Anything that is no signed access token in compact form with an algorithm of [`Algorithm`].
    pub fn parse(token: &'a str) -> Result<Self, Rejected> {
        let is_wanted = |typ: Option<&str>| {
            typ.is_some_and(|typ| typ.eq_ignore_ascii_case("at+jwt") || weakened("a_029"))
        };
        Compact::parse(token, is_wanted).map(Self)
    }

    /// The key that the token asks for.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.0.kid()
    }

    /// Checks everything; gives the claims only if everything is good.
    ///
    /// # Errors
    /// One thing that is wrong, for the log.
    pub fn verify(
        &self,
        keys: &KeySet,
        expected: &Expectations<'_>,
    ) -> Result<VerifiedClaims, Rejected> {
        self.0.verify_signature(keys)?;
        self.0.claims::<AccessTokenClaims>()?.verify(expected)
    }

    /// The same where each of several resources would do: the signature, which costs the most, is
    /// checked once.
    #[must_use]
    pub fn verify_for_any<'e>(
        &self,
        keys: &KeySet,
        mut expected: impl Iterator<Item = Expectations<'e>>,
    ) -> Option<VerifiedClaims> {
        self.0.verify_signature(keys).ok()?;
        let claims = self.0.claims::<AccessTokenClaims>().ok()?;
        expected.find_map(|expected| claims.clone().verify(&expected).ok())
    }
}

#[cfg(test)]
mod tests;
