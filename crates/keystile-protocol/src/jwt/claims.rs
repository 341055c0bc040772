//! The claims of an access token (RFC 9068 §2.2) and what they must say.

use serde::{Deserialize, Deserializer, Serialize};

use super::Rejected;
use crate::mutation::weakened;
use crate::scope::ScopeHierarchy;

/// No token lives longer, whoever signed it (DESIGN §4).
pub const MAX_LIFETIME: u64 = 60 * 60;

/// What stands in an access token. Each claim has one type; any other refuses the token
/// (CHECKLIST A-077). Times are whole seconds since 1970 (RFC 7519 §2, NumericDate).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// Who signed it.
    pub iss: String,
    /// The person.
    pub sub: String,
    /// The one resource that it opens.
    pub aud: String,
    /// The client that got it.
    pub client_id: String,
    /// What it allows (RFC 8693 §4.2); empty when it allows nothing in particular.
    #[serde(default)]
    pub scope: String,
    /// When it was made.
    pub iat: u64,
    /// When it ends.
    pub exp: u64,
    /// From when on it is good; our issuer does not send it.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub nbf: Option<u64>,
    /// Its own id.
    pub jti: String,
    /// The grant that it came from; foreign issuers send something else or nothing.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub sid: Option<String>,
}

/// What a token must say to be good here and now.
#[derive(Debug, Clone, Copy)]
pub struct Expectations<'a> {
    /// Exactly this issuer.
    pub issuer: &'a str,
    /// Exactly this resource.
    pub resource: &'a str,
    /// Seconds since 1970.
    pub now: u64,
    /// How far a foreign issuer's clock may be off, in seconds; 0 for our own.
    pub skew: u64,
}

/// Claims of a token whose signature, issuer, audience and times are all good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedClaims(AccessTokenClaims);

impl std::ops::Deref for VerifiedClaims {
    type Target = AccessTokenClaims;

    fn deref(&self) -> &AccessTokenClaims {
        &self.0
    }
}

impl VerifiedClaims {
    /// Whether one of the scopes is this one, or contains it.
    #[must_use]
    pub fn allows(&self, scope: &str, hierarchy: &ScopeHierarchy) -> bool {
        hierarchy.permits(self.0.scope.split(' '), scope)
    }
}

impl AccessTokenClaims {
    /// Only [`super::UnverifiedJwt::verify`] calls this, behind the signature.
    pub(super) fn verify(self, expected: &Expectations<'_>) -> Result<VerifiedClaims, Rejected> {
        if self.iss != expected.issuer && !weakened("n_rs_08") {
            return Err(Rejected::Issuer);
        }
        if self.aud != expected.resource && !weakened("a_029") {
            return Err(Rejected::Audience);
        }
        if self.sub.is_empty() || self.client_id.is_empty() || self.jti.is_empty() {
            return Err(Rejected::Claims);
        }
        let latest_start = expected.now.saturating_add(expected.skew);
        let begun = self.iat.max(self.nbf.unwrap_or(0)) <= latest_start;
        let ended = self.exp.saturating_add(expected.skew) <= expected.now;
        let lifetime = self.exp.checked_sub(self.iat);
        let short = lifetime.is_some_and(|seconds| (1..=MAX_LIFETIME).contains(&seconds));
        let lives = begun && !ended && short;
        if !lives && !weakened("n_rs_03") && !weakened("a_030") {
            return Err(Rejected::Time);
        }
        Ok(VerifiedClaims(self))
    }
}

/// Reads an optional member that, if it is there, has its type: `null` is not "absent".
pub(super) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    if weakened("a_077") {
        // The defect of CVE-2026-25537: a member of the wrong type counts as absent.
        return Lax::deserialize(deserializer).map(|lax| match lax {
            Lax::Right(value) => Some(value),
            Lax::Wrong(_) => None,
        });
    }
    T::deserialize(deserializer).map(Some)
}

/// Only for the weakened build.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lax<T> {
    Right(T),
    Wrong(serde::de::IgnoredAny),
}

#[cfg(test)]
mod tests;
