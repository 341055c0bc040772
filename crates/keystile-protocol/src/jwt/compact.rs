//! A signed JWT in compact form (RFC 7515 §7.1), whatever it is for: taken apart in one place, so
//! that no kind of token lacks a check that another has.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Algorithm, KeySet, MAX_KID, MAX_TOKEN, Rejected, claims};
use crate::mutation::weakened;
use crate::strict_json;

/// Nothing of it is believed yet.
#[derive(Debug, Clone)]
pub(super) struct Compact<'a> {
    signed: &'a str,
    claims: &'a str,
    signature: Vec<u8>,
    algorithm: Algorithm,
    kid: Option<String>,
}

/// The members of the header that count (RFC 7515 §4.1). `jwk`, `jku`, `x5c` and `x5u` are not
/// here: keys come from a set that we chose and from nowhere else (CHECKLIST ).
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "claims::present")]
    typ: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "claims::present")]
    kid: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "claims::present")]
    crit: Option<serde::de::IgnoredAny>,
    #[serde(default, deserialize_with = "claims::present")]
    b64: Option<serde::de::IgnoredAny>,
    #[serde(default, deserialize_with = "claims::present")]
    zip: Option<serde::de::IgnoredAny>,
}

impl<'a> Compact<'a> {
    /// Takes it apart; `is_wanted` judges the header's `typ`, without `application/`
    /// (RFC 7515 §4.1.9).
    pub(super) fn parse(
        text: &'a str,
        is_wanted: impl FnOnce(Option<&str>) -> bool,
    ) -> Result<Self, Rejected> {
        if text.len() > MAX_TOKEN && !weakened("a_079") {
            return Err(Rejected::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Rejected::Malformed)?;
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
        let typ = header.typ.as_deref();
        if !is_wanted(typ.map(|typ| typ.strip_prefix("application/").unwrap_or(typ))) {
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

    /// The key that it asks for.
    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What it says, whoever signed it.
    pub(super) fn claims<T: DeserializeOwned>(&self) -> Result<T, Rejected> {
        read_strictly(&decode(self.claims)?).ok_or(Rejected::Claims)
    }

    /// Whether one of these keys signed it.
    pub(super) fn verify_signature(&self, keys: &KeySet) -> Result<(), Rejected> {
        let key = keys
            .find(self.kid(), self.algorithm)
            .ok_or(Rejected::UnknownKey)?;
        let good = key.verify(self.signed.as_bytes(), &self.signature);
        let rows = ["a_071", "a_073", "a_074", "a_078", "a_081"];
        if !good && !rows.into_iter().any(weakened) {
            return Err(Rejected::Signature);
        }
        Ok(())
    }
}

/// One part, without padding (RFC 7515 §2).
pub(super) fn decode(part: &str) -> Result<Vec<u8>, Rejected> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| Rejected::Malformed)
}

/// Strict JSON (R1), and no member that is a known one but for its case (CHECKLIST A-080).
pub(super) fn read_strictly<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
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
