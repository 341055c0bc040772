//! Client assertions (RFC 7523 §3, draft-ietf-oauth-rfc7523bis §4): a client signs who it is, for one
//! authorization server, once.

use serde::Deserialize;

use super::compact::Compact;
use super::{KeySet, Rejected, claims};
use crate::mutation::weakened;

/// The longest life of an assertion, in seconds.
pub const MAX_ASSERTION_LIFETIME: u64 = 10 * 60;

/// How far a client's clock may be ahead of ours, in seconds.
pub const CLOCK_AHEAD: u64 = 60;

/// The most bytes of a `jti`.
const MAX_JTI: usize = 256;

/// An assertion of which nothing is believed yet.
#[derive(Debug, Clone)]
pub struct UnverifiedAssertion<'a> {
    text: &'a str,
    jwt: Compact<'a>,
    claims: AssertionClaims,
}

/// What the client signed. Each claim has one type, as in access tokens (CHECKLIST A-077): a number
/// that is no whole one, a `null`, a text in place of a number refuse it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AssertionClaims {
    /// The client.
    pub iss: String,
    /// The client, too.
    pub sub: String,
    /// For whom: one string, never a list (CHECKLIST A-085).
    pub aud: String,
    /// When it ends, in seconds since 1970.
    pub exp: u64,
    /// When it was made.
    #[serde(default, deserialize_with = "claims::present")]
    pub iat: Option<u64>,
    /// From when on it is good.
    #[serde(default, deserialize_with = "claims::present")]
    pub nbf: Option<u64>,
    /// Its own id: it is good once.
    pub jti: String,
}

/// What an assertion must say.
#[derive(Debug, Clone, Copy)]
pub struct AssertionExpectations<'a> {
    /// Who says to be calling.
    pub client_id: &'a str,
    /// Exactly our issuer: an endpoint's URL may be another server's idea of us (CHECKLIST A-085).
    pub issuer: &'a str,
    /// Seconds since 1970.
    pub now: u64,
}

/// Claims behind a good signature that say what is expected. Whether the `jti` is new, only a store
/// can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedAssertion(AssertionClaims);

impl std::ops::Deref for VerifiedAssertion {
    type Target = AssertionClaims;

    fn deref(&self) -> &AssertionClaims {
        &self.0
    }
}

impl<'a> UnverifiedAssertion<'a> {
    /// Takes the assertion apart.
    ///
    /// # Errors
    /// Anything that is no signed JWT in compact form with the claims of an assertion.
    pub fn parse(text: &'a str) -> Result<Self, Rejected> {
        let jwt = Compact::parse(text, |typ| typ.is_none_or(is_an_assertion))?;
        let claims = jwt.claims()?;
        Ok(Self { text, jwt, claims })
    }

    /// As it came: for saying afterwards why it was refused.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// Who it says to be, to find out which keys count. Nothing else is shown before
    /// [`Self::verify`].
    ///
    /// # Errors
    /// It names two clients.
    pub fn claimed_client(&self) -> Result<&str, Rejected> {
        if self.claims.iss != self.claims.sub && !weakened("n_cc_05") {
            return Err(Rejected::Issuer);
        }
        Ok(&self.claims.sub)
    }

    /// The key that it asks for.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.jwt.kid()
    }

    /// Checks everything; gives the claims only if everything is good.
    ///
    /// # Errors
    /// One thing that is wrong, for the log.
    pub fn verify(
        self,
        keys: &KeySet,
        expected: &AssertionExpectations<'_>,
    ) -> Result<VerifiedAssertion, Rejected> {
        self.jwt.verify_signature(keys)?;
        let claims = self.claims;
        let own = claims.iss == expected.client_id && claims.sub == expected.client_id;
        if !own && !weakened("n_cc_05") {
            return Err(Rejected::Issuer);
        }
        if claims.aud != expected.issuer && !weakened("a_085") {
            return Err(Rejected::Audience);
        }
        if !(1..=MAX_JTI).contains(&claims.jti.len()) {
            return Err(Rejected::Claims);
        }
        if !claims.is_timely(expected.now) && !weakened("a_030") {
            return Err(Rejected::Time);
        }
        Ok(VerifiedAssertion(claims))
    }
}

impl AssertionClaims {
    /// Not over, begun, and short-lived; `exp` may be as late as a clock that is ahead puts it.
    fn is_timely(&self, now: u64) -> bool {
        let latest = now.saturating_add(CLOCK_AHEAD);
        let begun = [self.iat, self.nbf]
            .into_iter()
            .flatten()
            .all(|from| from <= latest);
        let lifetime = self.iat.map_or(Some(1), |iat| self.exp.checked_sub(iat));
        let short = lifetime.is_some_and(|seconds| (1..=MAX_ASSERTION_LIFETIME).contains(&seconds));
        let ends_soon = self.exp <= latest.saturating_add(MAX_ASSERTION_LIFETIME);
        begun && short && ends_soon && self.exp > now
    }
}

/// No other kind of JWT is one; most clients say `JWT` or nothing.
fn is_an_assertion(typ: &str) -> bool {
    ["JWT", "client-authentication+jwt"]
        .iter()
        .any(|known| typ.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests;
