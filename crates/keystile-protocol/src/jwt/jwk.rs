//! Public keys and sets of them (RFC 7517, RFC 7518 §6, RFC 8037).

use std::collections::HashMap;
use std::fmt;

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::{Algorithm, MAX_KID};
use crate::mutation::weakened;
use crate::strict_json;

/// A set has at most this many keys.
const MAX_KEYS: usize = 64;

/// A public key and the one algorithm that it is used with.
pub struct VerificationKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerificationKey")
            .field(&self.algorithm)
            .finish()
    }
}

/// The keys of one issuer, by `kid`.
#[derive(Debug, Default)]
pub struct KeySet {
    by_kid: HashMap<String, VerificationKey>,
}

/// Why a key set or a key was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum KeySetError {
    #[error("not a JSON Web Key Set")]
    Malformed,
    #[error("two keys have the same kid")]
    DuplicateKid,
    #[error("a private key in a public key set")]
    Private,
    #[error("a key that its algorithm can't use")]
    Unusable,
    #[error("no usable key, or too many")]
    Count,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<serde::de::IgnoredAny>,
    k: Option<serde::de::IgnoredAny>,
}

impl KeySet {
    /// An empty set: verifies nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads an issuer's key set. Keys of a kind or use that are not taken here are left out.
    ///
    /// # Errors
    /// No strict JSON, a doubled `kid`, private key material, or no key left.
    pub fn from_jwks(json: &[u8]) -> Result<Self, KeySetError> {
        let document: Document =
            strict_json::from_slice(json).map_err(|_| KeySetError::Malformed)?;
        if document.keys.len() > MAX_KEYS {
            return Err(KeySetError::Count);
        }
        let mut set = Self::new();
        for jwk in document.keys {
            if jwk.d.is_some() || jwk.k.is_some() {
                return Err(KeySetError::Private);
            }
            let Some(algorithm) = jwk.algorithm() else {
                continue;
            };
            let kid = jwk.kid.clone().unwrap_or_default();
            if kid.len() > MAX_KID && !weakened("a_075") {
                continue;
            }
            set.insert(&kid, jwk.key(algorithm)?)?;
        }
        if set.by_kid.is_empty() {
            Err(KeySetError::Count)
        } else {
            Ok(set)
        }
    }

    /// Adds a key.
    ///
    /// # Errors
    /// [`KeySetError::DuplicateKid`].
    pub fn insert(&mut self, kid: &str, key: VerificationKey) -> Result<(), KeySetError> {
        if self.by_kid.contains_key(kid) {
            return Err(KeySetError::DuplicateKid);
        }
        self.by_kid.insert(kid.to_owned(), key);
        Ok(())
    }

    /// Whether there is a key with this `kid`.
    #[must_use]
    pub fn has(&self, kid: &str) -> bool {
        self.by_kid.contains_key(kid)
    }

    /// The key with this `kid`, if it is one for this algorithm. Without a `kid` the only key.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&VerificationKey> {
        let key = match kid {
            // The defect that A-082 is about: whatever key there is will do.
            Some(_) if weakened("a_082") => {
                self.by_kid.values().find(|key| key.algorithm == algorithm)
            }
            Some(kid) => self.by_kid.get(kid),
            None if self.by_kid.len() == 1 => self.by_kid.values().next(),
            None => None,
        }?;
        (key.algorithm == algorithm || weakened("a_071") || weakened("a_072")).then_some(key)
    }
}

impl VerificationKey {
    /// A P-256 key from its uncompressed point (65 bytes, SEC 1 §2.3.3).
    ///
    /// # Errors
    /// [`KeySetError::Unusable`] when it is no point of the curve.
    pub fn es256(point: &[u8]) -> Result<Self, KeySetError> {
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .map_err(|_| KeySetError::Unusable)?;
        Ok(Self {
            algorithm: Algorithm::Es256,
            key,
        })
    }

    /// An Ed25519 key (32 bytes, RFC 8032 §5.1.5).
    ///
    /// # Errors
    /// [`KeySetError::Unusable`].
    pub fn ed25519(key: &[u8]) -> Result<Self, KeySetError> {
        let key = ParsedPublicKey::new(&ED25519, key).map_err(|_| KeySetError::Unusable)?;
        Ok(Self {
            algorithm: Algorithm::EdDsa,
            key,
        })
    }

    /// An RSA key of 2048 to 8192 bits, `n` and `e` big-endian.
    ///
    /// # Errors
    /// [`KeySetError::Unusable`] for other sizes and exponents.
    pub fn rs256(n: &[u8], e: &[u8]) -> Result<Self, KeySetError> {
        let strip = |bytes: &[u8]| {
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            bytes.get(zeros..).unwrap_or_default().to_vec()
        };
        let (n, e) = (strip(n), strip(e));
        let long_enough = (256..=1024).contains(&n.len());
        let odd_above_one = e.last().is_some_and(|byte| byte % 2 == 1) && e != [1];
        if !long_enough || !odd_above_one || e.len() > 8 {
            return Err(KeySetError::Unusable);
        }
        let key = PublicKeyComponents { n, e }
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .map_err(|_| KeySetError::Unusable)?;
        Ok(Self {
            algorithm: Algorithm::Rs256,
            key,
        })
    }

    /// A proof, or none: there is no second answer (CHECKLIST R3).
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

impl Jwk {
    /// The algorithm that this key is for; `None` when it is not taken here.
    fn algorithm(&self) -> Option<Algorithm> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let algorithm = match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => Algorithm::Es256,
            ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
            ("RSA", _) => Algorithm::Rs256,
            _ => return None,
        };
        let agrees = self
            .alg
            .as_deref()
            .is_none_or(|alg| alg == algorithm.as_str());
        agrees.then_some(algorithm)
    }

    fn key(&self, algorithm: Algorithm) -> Result<VerificationKey, KeySetError> {
        let part = |text: &Option<String>| {
            let text = text.as_deref().ok_or(KeySetError::Unusable)?;
            URL_SAFE_NO_PAD
                .decode(text)
                .map_err(|_| KeySetError::Unusable)
        };
        match algorithm {
            Algorithm::Es256 => {
                let (x, y) = (part(&self.x)?, part(&self.y)?);
                if x.len() != 32 || y.len() != 32 {
                    return Err(KeySetError::Unusable);
                }
                VerificationKey::es256(&[&[4], &x[..], &y[..]].concat())
            }
            Algorithm::EdDsa => VerificationKey::ed25519(&part(&self.x)?),
            Algorithm::Rs256 => VerificationKey::rs256(&part(&self.n)?, &part(&self.e)?),
        }
    }
}
