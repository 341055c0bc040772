//! The signing keys of the issuer.

use keystile_protocol::jwt::sign::Jwks;
use keystile_protocol::jwt::{AccessTokenClaims, KeySet, KeySetError, SigningKey, SigningKeyError};

/// The key that signs and all keys that verify.
pub struct KeyRing {
    active: SigningKey,
    jwks: String,
}

impl KeyRing {
    /// A ring of one key.
    #[must_use]
    pub fn new(active: SigningKey) -> Self {
        let jwks = Jwks::new(vec![active.public_jwk().clone()]);
        let jwks = serde_json::to_string(&jwks).expect("public keys are plain data");
        Self { active, jwks }
    }

    /// Signs an access token (RFC 9068).
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn sign(&self, claims: &AccessTokenClaims) -> Result<String, SigningKeyError> {
        self.active.sign(claims)
    }

    /// The JWK set (RFC 7517 §5) as it is served.
    #[must_use]
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// The keys that verify what this ring signs.
    ///
    /// # Errors
    /// Never for keys of this ring; the JWK set is read as a foreign one would be.
    pub fn verification_keys(&self) -> Result<KeySet, KeySetError> {
        KeySet::from_jwks(self.jwks.as_bytes())
    }
}
