//! Signing access tokens and publishing the keys.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::claims::AccessTokenClaims;
use super::jwk::VerificationKey;

/// An ES256 key that signs.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    public: PublicJwk,
    /// The encoded header, with the dot behind it.
    header: String,
}

/// A key that can't be used, or a signature that could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing key can't be used")]
pub struct SigningKeyError;

/// A public key as it stands in the JWKS (RFC 7517 §4, RFC 7518 §6.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicJwk {
    kty: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    /// RFC 7638 thumbprint.
    kid: String,
    crv: &'static str,
    x: String,
    y: String,
}

/// The document at `jwks_uri` (RFC 7517 §5).
#[derive(Debug, Clone, Serialize)]
pub struct Jwks {
    keys: Vec<PublicJwk>,
}

impl Jwks {
    /// Of these keys, in this order.
    #[must_use]
    pub fn new(keys: Vec<PublicJwk>) -> Self {
        Self { keys }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public.kid).finish()
    }
}

impl SigningKey {
    /// Makes a new key. The randomness is the cryptographic module's own: it takes no other.
    ///
    /// # Errors
    /// The module has no randomness.
    pub fn generate_es256() -> Result<Self, SigningKeyError> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| SigningKeyError)
            .map(Self::new)
    }

    /// Reads a key as [`Self::to_pkcs8`] wrote it (RFC 5958).
    ///
    /// # Errors
    /// No P-256 key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SigningKeyError> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
            .map_err(|_| SigningKeyError)
            .map(Self::new)
    }

    /// The private key, to be sealed in the store.
    ///
    /// # Errors
    /// The module refused.
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, SigningKeyError> {
        let document = self.pair.to_pkcs8v1().map_err(|_| SigningKeyError)?;
        Ok(document.as_ref().to_vec())
    }

    /// Signs an access token.
    ///
    /// # Errors
    /// The module refused.
    pub fn sign(&self, claims: &AccessTokenClaims) -> Result<String, SigningKeyError> {
        let claims = serde_json::to_vec(claims).map_err(|_| SigningKeyError)?;
        let mut token = String::with_capacity(self.header.len() + claims.len() * 4 / 3 + 96);
        token.push_str(&self.header);
        URL_SAFE_NO_PAD.encode_string(&claims, &mut token);
        let signature = self
            .pair
            .sign(&SystemRandom::new(), token.as_bytes())
            .map_err(|_| SigningKeyError)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// Its id: the RFC 7638 thumbprint of the public key.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.public.kid
    }

    /// The public half, for the JWKS.
    #[must_use]
    pub fn public_jwk(&self) -> &PublicJwk {
        &self.public
    }

    /// The public half, for verifying.
    #[must_use]
    pub fn verification_key(&self) -> VerificationKey {
        VerificationKey::es256(self.pair.public_key().as_ref())
            .expect("the public half of a good key is a point of the curve")
    }

    fn new(pair: EcdsaKeyPair) -> Self {
        let point = pair.public_key().as_ref().to_vec();
        let public = PublicJwk::es256(&point);
        let kid = serde_json::Value::from(public.kid.as_str());
        let header = format!("{{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":{kid}}}");
        let header = format!("{}.", URL_SAFE_NO_PAD.encode(header));
        Self {
            pair,
            public,
            header,
        }
    }
}

impl PublicJwk {
    /// Its id.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// From an uncompressed point: 4, x, y.
    fn es256(point: &[u8]) -> Self {
        let (x, y) = point.get(1..).unwrap_or_default().split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let kid = thumbprint_p256(&x, &y);
        Self {
            kty: "EC",
            usage: "sig",
            alg: "ES256",
            kid,
            crv: "P-256",
            x,
            y,
        }
    }
}

/// RFC 7638 §3: the required members in lexical order, without white space, hashed.
fn thumbprint_p256(x: &str, y: &str) -> String {
    let canonical = format!("{{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"{x}\",\"y\":\"{y}\"}}");
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}

#[cfg(test)]
impl SigningKey {
    /// Signs anything at all.
    pub(super) fn sign_bytes_for_tests(&self, bytes: &[u8]) -> Vec<u8> {
        self.pair
            .sign(&SystemRandom::new(), bytes)
            .expect("a good key")
            .as_ref()
            .to_vec()
    }
}
