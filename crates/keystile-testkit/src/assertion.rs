//! Keys of clients, and what they sign: `private_key_jwt` (RFC 7523).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The private key of a client.
pub struct ClientKey {
    kid: String,
    pair: Pair,
}

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

impl ClientKey {
    /// P-256.
    ///
    /// # Panics
    /// Without randomness.
    #[must_use]
    pub fn es256(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("randomness");
        Self::new(kid, Pair::Es256(pair))
    }

    /// Ed25519.
    ///
    /// # Panics
    /// Without randomness.
    #[must_use]
    pub fn eddsa(kid: &str) -> Self {
        Self::new(
            kid,
            Pair::EdDsa(Ed25519KeyPair::generate().expect("randomness")),
        )
    }

    /// RSA of 2048 bits.
    ///
    /// # Panics
    /// Without randomness.
    #[must_use]
    pub fn rs256(kid: &str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("randomness");
        Self::new(kid, Pair::Rs256(pair))
    }

    fn new(kid: &str, pair: Pair) -> Self {
        Self {
            kid: kid.to_owned(),
            pair,
        }
    }

    /// `alg`.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Es256(_) => "ES256",
            Pair::EdDsa(_) => "EdDSA",
            Pair::Rs256(_) => "RS256",
        }
    }

    /// The public half (RFC 7517 §4).
    ///
    /// # Panics
    /// Never for a key that was generated.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::Es256(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])})
            }
            Pair::EdDsa(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())})
            }
            Pair::Rs256(pair) => {
                let key = pair.public_key();
                let (n, e) = (
                    key.modulus().big_endian_without_leading_zero(),
                    key.exponent().big_endian_without_leading_zero(),
                );
                json!({"kty": "RSA", "n": text(n), "e": text(e)})
            }
        };
        jwk["kid"] = self.kid.as_str().into();
        jwk["alg"] = self.algorithm().into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// A set of this one key.
    #[must_use]
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk()] })
    }

    /// A good header.
    #[must_use]
    pub fn header(&self) -> Value {
        json!({"typ": "JWT", "alg": self.algorithm(), "kid": self.kid})
    }

    /// Signs whatever it is given.
    ///
    /// # Panics
    /// When the module refuses.
    #[must_use]
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", text(header), text(claims));
        let (random, bytes) = (SystemRandom::new(), signed.as_bytes());
        let signature = match &self.pair {
            Pair::Es256(pair) => pair
                .sign(&random, bytes)
                .expect("it signs")
                .as_ref()
                .to_vec(),
            Pair::EdDsa(pair) => pair.sign(bytes).as_ref().to_vec(),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature)
                    .expect("it signs");
                signature
            }
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A good assertion: for this issuer, for a minute.
    #[must_use]
    pub fn assertion(&self, client_id: &str, issuer: &str, now: i64, jti: &str) -> String {
        let claims = json!({
            "iss": client_id, "sub": client_id, "aud": issuer, "jti": jti, "iat": now, "exp": now + 60,
        });
        self.sign(&self.header(), &claims)
    }
}
