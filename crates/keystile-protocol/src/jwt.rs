//! Access tokens: JWS compact serialisation, `at+jwt` (RFC 7515, RFC 7519, RFC 9068).
//!
//! An [`UnverifiedJwt`] shows nothing but which key it wants. Only [`UnverifiedJwt::verify`] gives
//! its claims, and only when signature, issuer, audience and times are all good: there is no way to
//! look first and decide later (CHECKLIST ).

pub mod assertion;
pub mod claims;
pub mod jwk;
pub mod refused;
pub mod sign;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

pub use claims::{AccessTokenClaims, Expectations, VerifiedClaims};
pub use jwk::{KeySet, KeySetError, VerificationKey};
pub use refused::ClaimedOfRefused;
pub use sign::{SigningKey, SigningKeyError};

use crate::mutation::weakened;
use crate::strict_json;

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
    #[error("the header is not one of an access token")]
    Header,
    #[error("no such key")]
    UnknownKey,
    #[error("the signature is not good")]
    Signature,
    #[error("the claims are not those of an access token")]
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
pub struct UnverifiedJwt<'a> {
    signed: &'a str,
    claims: &'a str,
    signature: Vec<u8>,
    algorithm: Algorithm,
    kid: Option<String>,
}

/// The members of the header that count (RFC 7515 §4.1). `jwk`, `jku`, `x5c` and `x5u` are not
/// here: keys come from the issuer's key set and from nowhere else.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "claims::present")]
    kid: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "claims::present")]
    crit: Option<serde::de::IgnoredAny>,
    #[serde(default, deserialize_with = "claims::present")]
    b64: Option<serde::de::IgnoredAny>,
    #[serde(default, deserialize_with = "claims::present")]
    zip: Option<serde::de::IgnoredAny>,
}

impl<'a> UnverifiedJwt<'a> {
    /// Takes the token apart.
    ///
    /// # Errors
    /// Anything that is no signed access token in compact form with an algorithm of [`Algorithm`].
    pub fn parse(token: &'a str) -> Result<Self, Rejected> {
        if token.len() > MAX_TOKEN && !weakened("a_079") {
            return Err(Rejected::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Rejected::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Rejected::Malformed)?;
        if claims.contains('.') {
            return Err(Rejected::Malformed);
        }
        let header = decode(header)?;
        let header: Header<'_> = read_strictly(&header).ok_or(Rejected::Header)?;
        let algorithm = match Algorithm::parse(&header.alg) {
            Some(algorithm) => algorithm,
            None if weakened("a_071") => Algorithm::Es256,
            None => return Err(Rejected::Header),
        };
        let media_type = header
            .typ
            .strip_prefix("application/")
            .unwrap_or(&header.typ);
        if !media_type.eq_ignore_ascii_case("at+jwt") && !weakened("a_029") {
            return Err(Rejected::Header);
        }
        let extended = header.crit.is_some() || header.b64.is_some() || header.zip.is_some();
        if extended && !weakened("a_076") {
            return Err(Rejected::Header);
        }
        let kid = header.kid.map(Cow::into_owned);
        if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID) && !weakened("a_075") {
            return Err(Rejected::Header);
        }
        Ok(Self {
            signed,
            claims,
            signature: decode(signature)?,
            algorithm,
            kid,
        })
    }

    /// The key that the token asks for.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
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
        let key = keys
            .find(self.kid(), self.algorithm)
            .ok_or(Rejected::UnknownKey)?;
        let good = key.verify(self.signed.as_bytes(), &self.signature);
        let rows = ["a_071", "a_073", "a_074", "a_078", "a_081"];
        if !good && !rows.into_iter().any(weakened) {
            return Err(Rejected::Signature);
        }
        let claims = decode(self.claims)?;
        let claims: AccessTokenClaims = read_strictly(&claims).ok_or(Rejected::Claims)?;
        claims.verify(expected)
    }
}

fn decode(part: &str) -> Result<Vec<u8>, Rejected> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| Rejected::Malformed)
}

/// Strict JSON (R1), and no member that is a known one but for its case (CHECKLIST A-080).
fn read_strictly<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let mut foreign = false;
    strict_json::check_members(bytes, |name| {
        foreign |= strict_json::differs_only_by_case(name, &REGISTERED);
    })
    .ok()?;
    if foreign && !weakened("a_080") {
        return None;
    }
    serde_json::from_slice(bytes).ok()
}

/// Header parameters and claims that mean something here.
const REGISTERED: [&str; 18] = [
    "alg",
    "typ",
    "kid",
    "crit",
    "b64",
    "zip",
    "jwk",
    "jku",
    "iss",
    "sub",
    "aud",
    "client_id",
    "scope",
    "iat",
    "exp",
    "nbf",
    "jti",
    "sid",
];

#[cfg(test)]
mod tests;
