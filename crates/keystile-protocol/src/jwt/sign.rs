//! Signing access tokens and publishing the keys.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Algorithm;
use super::claims::AccessTokenClaims;
use super::jwk::VerificationKey;

/// A key that signs access tokens with its one algorithm.
pub struct SigningKey {
    pair: Pair,
    public: PublicJwk,
    /// The encoded header, with the dot behind it.
    header: String,
}

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(rsa::KeyPair),
}

/// A key that can't be used, or a signature that could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing key can't be used")]
pub struct SigningKeyError;

/// A public key as it stands in the JWKS (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicJwk {
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    /// RFC 7638 thumbprint.
    kid: String,
    #[serde(flatten)]
    numbers: Numbers,
}

/// The members that make the key. In the order of their names: RFC 7638 §3 hashes them so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Numbers {
    Curve {
        crv: &'static str,
        kty: &'static str,
        x: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        y: Option<String>,
    },
    Rsa {
        e: String,
        kty: &'static str,
        n: String,
    },
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
    /// Makes a new key. The randomness is the cryptographic module's own: it takes no other. An RSA
    /// key has [`RSA_BITS`] and takes a good part of a second: not on a thread that answers others.
    ///
    /// ```
    /// use keystile_protocol::jwt::{Algorithm, SigningKey};
    ///
    /// let key = SigningKey::generate(Algorithm::EdDsa)?;
    /// assert_eq!(key.algorithm(), Algorithm::EdDsa);
    /// # Ok::<(), keystile_protocol::jwt::SigningKeyError>(())
    /// ```
    ///
    /// # Errors
    /// The module has no randomness.
    pub fn generate(algorithm: Algorithm) -> Result<Self, SigningKeyError> {
        let pair = match algorithm {
            Algorithm::Es256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::Es256)
            }
            Algorithm::EdDsa => Ed25519KeyPair::generate().map(Pair::EdDsa),
            Algorithm::Rs256 => rsa::KeyPair::generate(RSA_SIZE).map(Pair::Rs256),
        };
        pair.map(Self::new).map_err(|_| SigningKeyError)
    }

    /// Makes a new key of the default algorithm.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub fn generate_es256() -> Result<Self, SigningKeyError> {
        Self::generate(Algorithm::Es256)
    }

    /// Reads a key as [`Self::to_pkcs8`] wrote it (RFC 5958). Its own algorithm identifier says what
    /// it is for.
    ///
    /// # Errors
    /// No P-256, Ed25519 or RSA key, or an RSA key of less than 2048 bits.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SigningKeyError> {
        let es256 = || EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der);
        let eddsa = || Ed25519KeyPair::from_pkcs8(der);
        let rs256 = || rsa::KeyPair::from_pkcs8(der);
        let pair = es256()
            .map(Pair::Es256)
            .or_else(|_| eddsa().map(Pair::EdDsa))
            .or_else(|_| rs256().map(Pair::Rs256));
        pair.map(Self::new).map_err(|_| SigningKeyError)
    }

    /// The private key, to be sealed in the store.
    ///
    /// # Errors
    /// The module refused.
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, SigningKeyError> {
        let bytes = match &self.pair {
            Pair::Es256(pair) => pair.to_pkcs8v1().map(|document| document.as_ref().to_vec()),
            Pair::EdDsa(pair) => pair.to_pkcs8().map(|document| document.as_ref().to_vec()),
            Pair::Rs256(pair) => pair.as_der().map(|der| der.as_ref().to_vec()),
        };
        bytes.map_err(|_| SigningKeyError)
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
        let signature = self.sign_bytes(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    pub(super) fn sign_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, SigningKeyError> {
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Es256(pair) => pair.sign(&random, bytes).map(|made| made.as_ref().to_vec()),
            Pair::EdDsa(pair) => pair.try_sign(bytes).map(|made| made.as_ref().to_vec()),
            Pair::Rs256(pair) => {
                let mut made = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut made)
                    .map(|()| made)
            }
        };
        signature.map_err(|_| SigningKeyError)
    }

    /// Its id: the RFC 7638 thumbprint of the public key.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.public.kid
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Es256(_) => Algorithm::Es256,
            Pair::EdDsa(_) => Algorithm::EdDsa,
            Pair::Rs256(_) => Algorithm::Rs256,
        }
    }

    /// The public half, for the JWKS.
    #[must_use]
    pub fn public_jwk(&self) -> &PublicJwk {
        &self.public
    }

    /// The public half, for verifying.
    #[must_use]
    pub fn verification_key(&self) -> VerificationKey {
        let key = match &self.pair {
            Pair::Es256(pair) => VerificationKey::es256(pair.public_key().as_ref()),
            Pair::EdDsa(pair) => VerificationKey::ed25519(pair.public_key().as_ref()),
            Pair::Rs256(pair) => {
                let public = pair.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                VerificationKey::rs256(
                    n.big_endian_without_leading_zero(),
                    e.big_endian_without_leading_zero(),
                )
            }
        };
        key.expect("the public half of a good key can be used")
    }

    fn new(pair: Pair) -> Self {
        let public = PublicJwk::of(&pair);
        let kid = serde_json::Value::from(public.kid.as_str());
        let alg = public.alg;
        let header = format!("{{\"typ\":\"at+jwt\",\"alg\":\"{alg}\",\"kid\":{kid}}}");
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

    fn of(pair: &Pair) -> Self {
        let (algorithm, numbers) = match pair {
            Pair::Es256(pair) => {
                // An uncompressed point: 4, x, y (SEC 1 §2.3.3).
                let point = pair.public_key().as_ref();
                let (x, y) = point.get(1..).unwrap_or_default().split_at(32);
                let numbers = Numbers::Curve {
                    crv: "P-256",
                    kty: "EC",
                    x: URL_SAFE_NO_PAD.encode(x),
                    y: Some(URL_SAFE_NO_PAD.encode(y)),
                };
                (Algorithm::Es256, numbers)
            }
            Pair::EdDsa(pair) => {
                let numbers = Numbers::Curve {
                    crv: "Ed25519",
                    kty: "OKP",
                    x: URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()),
                    y: None,
                };
                (Algorithm::EdDsa, numbers)
            }
            Pair::Rs256(pair) => {
                let public = pair.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                let numbers = Numbers::Rsa {
                    e: URL_SAFE_NO_PAD.encode(e.big_endian_without_leading_zero()),
                    kty: "RSA",
                    n: URL_SAFE_NO_PAD.encode(n.big_endian_without_leading_zero()),
                };
                (Algorithm::Rs256, numbers)
            }
        };
        Self {
            usage: "sig",
            alg: algorithm.as_str(),
            kid: numbers.thumbprint(),
            numbers,
        }
    }
}

impl Numbers {
    /// RFC 7638 §3: the required members in lexical order, without white space, hashed.
    fn thumbprint(&self) -> String {
        let canonical = serde_json::to_vec(self).expect("texts are plain data");
        URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
    }
}

/// How long others may keep the published set, in seconds.
pub const JWKS_MAX_AGE: u64 = 300;

/// How long a new RSA key is (RFC 7518 §3.3 wants no less).
pub const RSA_BITS: usize = 2048;
const RSA_SIZE: KeySize = KeySize::Rsa2048;

#[cfg(test)]
mod tests;
