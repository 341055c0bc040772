//! The signing keys of the issuer.

use std::sync::Arc;

use arc_swap::ArcSwap;
use keystile_protocol::jwt::sign::{Jwks, PublicJwk};
use keystile_protocol::jwt::{AccessTokenClaims, KeySet, KeySetError, SigningKey, SigningKeyError};

/// The key that signs and all keys that are published. Exchanged as a whole while requests run.
pub struct KeyRing {
    keys: ArcSwap<RingKeys>,
}

/// What a ring holds at one time.
pub struct RingKeys {
    active: SigningKey,
    jwks: Arc<str>,
    verifying: Arc<KeySet>,
}

impl RingKeys {
    /// `active` signs; it and `others` (what is next, and what is retired) are published.
    ///
    /// # Errors
    /// When two of them are the same. The set is read as a foreign one would be.
    pub fn new(active: SigningKey, others: Vec<PublicJwk>) -> Result<Self, KeySetError> {
        let mut published = vec![active.public_jwk().clone()];
        published.extend(others);
        let jwks = serde_json::to_string(&Jwks::new(published));
        let jwks: Arc<str> = jwks.expect("public keys are plain data").into();
        let verifying = Arc::new(KeySet::from_jwks(jwks.as_bytes())?);
        Ok(Self {
            active,
            jwks,
            verifying,
        })
    }

    /// The keys that verify what these sign, for a verifier of its own.
    #[must_use]
    pub fn key_set(&self) -> Arc<KeySet> {
        Arc::clone(&self.verifying)
    }
}

impl KeyRing {
    /// A ring of one key.
    #[must_use]
    pub fn new(active: SigningKey) -> Self {
        Self::of(RingKeys::new(active, Vec::new()).expect("one key differs from all others"))
    }

    /// A ring of these keys.
    #[must_use]
    pub fn of(keys: RingKeys) -> Self {
        Self {
            keys: ArcSwap::from_pointee(keys),
        }
    }

    /// Signs and publishes these keys from now on. Whoever verifies the tokens must know them
    /// already.
    pub fn replace(&self, keys: RingKeys) {
        self.keys.store(Arc::new(keys));
    }

    /// Signs an access token (RFC 9068).
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn sign(&self, claims: &AccessTokenClaims) -> Result<String, SigningKeyError> {
        self.keys.load().active.sign(claims)
    }

    /// The JWK set (RFC 7517 §5) as it is served.
    #[must_use]
    pub fn jwks(&self) -> Arc<str> {
        Arc::clone(&self.keys.load().jwks)
    }

    /// The keys that verify what this ring signs and what retired keys signed. A token of an unknown
    /// key costs a look into a map (CHECKLIST A-082).
    #[must_use]
    pub fn verification_keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys.load().verifying)
    }
}
