//! Tokens of one issuer: verified once, remembered by digest.

use std::sync::Arc;

use arc_swap::ArcSwap;
use keystile_protocol::jwt::{Expectations, KeySet, Rejected, UnverifiedJwt, VerifiedClaims};
use keystile_protocol::mutation::weakened;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

/// Verifies access tokens of one issuer.
///
/// Checking an ES256 signature costs some 60 µs, so a token that was good is remembered under its
/// SHA-256 until it leaves the bounded cache. What may have changed since is looked at each time:
/// the time, the resource it is shown to, the keys. Revocation is the caller's to ask, after each
/// hit (DESIGN §4).
///
/// ```
/// use keystile_protocol::jwt::KeySet;
/// use keystile_resource::Verifier;
///
/// let verifier = Verifier::new("https://auth.example", KeySet::new());
/// assert!(verifier.verify("a.b.c", "https://mcp.example/mcp", 1_800_000_000).is_err());
/// ```
#[derive(Debug)]
pub struct Verifier {
    issuer: String,
    trusted: ArcSwap<Trusted>,
    skew: u64,
}

/// Keys, and what was verified with them. They are exchanged together: a token that was being
/// verified meanwhile is remembered beside the keys that are gone, and nowhere else.
#[derive(Debug)]
struct Trusted {
    keys: Arc<KeySet>,
    seen: Cache<[u8; 32], Verified>,
}

/// The claims of a good token, cheap to clone.
#[derive(Debug, Clone)]
pub struct Verified(Arc<VerifiedClaims>);

impl std::ops::Deref for Verified {
    type Target = VerifiedClaims;

    fn deref(&self) -> &VerifiedClaims {
        &self.0
    }
}

impl Verifier {
    /// Of this issuer, whose keys are these.
    #[must_use]
    pub fn new(issuer: &str, keys: impl Into<Arc<KeySet>>) -> Self {
        Self {
            issuer: issuer.to_owned(),
            trusted: ArcSwap::from_pointee(Trusted::new(keys.into())),
            skew: 0,
        }
    }

    /// Lets the issuer's clock be off by so many seconds; only for an issuer on another machine.
    #[must_use]
    pub fn with_skew(mut self, seconds: u64) -> Self {
        self.skew = seconds;
        self
    }

    /// Whose tokens these are.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Takes other keys from now on; tokens of keys that are gone are no longer good.
    pub fn replace_keys(&self, keys: impl Into<Arc<KeySet>>) {
        self.trusted.store(Arc::new(Trusted::new(keys.into())));
    }

    /// The claims of `token` if it is good for `resource` at `now` (seconds since 1970).
    ///
    /// # Errors
    /// One reason, for the log: the answer must not depend on it (CHECKLIST A-078).
    pub fn verify(&self, token: &str, resource: &str, now: u64) -> Result<Verified, Rejected> {
        let expected = Expectations {
            issuer: &self.issuer,
            resource,
            now,
            skew: self.skew,
        };
        self.trusted.load().verify(token, &expected)
    }
}

impl Trusted {
    fn new(keys: Arc<KeySet>) -> Self {
        let seen = Cache::new(REMEMBERED);
        Self { keys, seen }
    }

    fn verify(&self, token: &str, expected: &Expectations<'_>) -> Result<Verified, Rejected> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(known) = self.seen.get(&digest) {
            return still(known, expected);
        }
        let claims = UnverifiedJwt::parse(token)?.verify(&self.keys, expected)?;
        let verified = Verified(Arc::new(claims));
        self.seen.insert(digest, verified.clone());
        Ok(verified)
    }
}

/// What can have changed since a token was verified.
fn still(known: Verified, expected: &Expectations<'_>) -> Result<Verified, Rejected> {
    if known.aud != expected.resource && !weakened("a_029") {
        return Err(Rejected::Audience);
    }
    if known.exp.saturating_add(expected.skew) <= expected.now && !weakened("n_rs_03") {
        return Err(Rejected::Time);
    }
    Ok(known)
}

/// Tokens that are remembered: 10 minutes of some thousand people.
const REMEMBERED: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use keystile_protocol::jwt::{AccessTokenClaims, SigningKey};

    const NOW: u64 = 1_800_000_000;

    fn token(key: &SigningKey, aud: &str) -> String {
        key.sign(&AccessTokenClaims {
            iss: "https://auth.example".into(),
            sub: "p".into(),
            aud: aud.into(),
            client_id: "c".into(),
            scope: "kb:call".into(),
            iat: NOW,
            exp: NOW + 600,
            nbf: None,
            jti: "j".into(),
            sid: Some("g".into()),
        })
        .unwrap()
    }

    fn verifier(key: &SigningKey) -> Verifier {
        Verifier::new("https://auth.example", keys(key))
    }

    fn keys(key: &SigningKey) -> KeySet {
        let mut keys = KeySet::new();
        keys.insert(key.kid(), key.verification_key()).unwrap();
        keys
    }

    #[test]
    fn a_remembered_token_is_still_bound_to_its_resource_and_its_end() {
        let key = SigningKey::generate_es256().unwrap();
        let verifier = verifier(&key);
        let token = token(&key, "r1");
        for _ in 0..2 {
            assert!(verifier.verify(&token, "r1", NOW).is_ok());
            assert_eq!(
                verifier.verify(&token, "r2", NOW).unwrap_err(),
                Rejected::Audience
            );
            assert_eq!(
                verifier.verify(&token, "r1", NOW + 600).unwrap_err(),
                Rejected::Time
            );
            assert!(verifier.verify(&token, "r1", NOW + 599).is_ok());
        }
    }

    /// A token of a key that nobody has costs no signature check, no memory and no question to
    /// anybody; and a key that went is one that nobody has.
    #[test]
    fn a_082_a_storm_of_unknown_keys_costs_nothing_and_a_stale_key_opens_nothing() {
        let (ours, gone) = (
            SigningKey::generate_es256().unwrap(),
            SigningKey::generate_es256().unwrap(),
        );
        let verifier = verifier(&gone);
        let stale = token(&gone, "r");
        assert!(verifier.verify(&stale, "r", NOW).is_ok());
        verifier.replace_keys(keys(&ours));
        let unknown = Err(Rejected::UnknownKey);
        assert_eq!(verifier.verify(&stale, "r", NOW).map(|_| ()), unknown);
        let good = token(&ours, "r");
        let (_, rest) = good.split_once('.').unwrap();
        for number in 0..10_000 {
            let header = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{number}"}}"#);
            let token = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(verifier.verify(&token, "r", NOW).map(|_| ()), unknown);
        }
        let remembered = verifier.trusted.load().seen.len();
        assert_eq!(remembered, 0, "a refused token is not remembered");
        assert!(verifier.verify(&good, "r", NOW).is_ok());
    }

    /// Whatever a header says of where keys are: nobody goes there.
    #[test]
    fn a_074_no_address_in_a_header_is_ever_visited() {
        let evil = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        evil.set_nonblocking(true).unwrap();
        let place = format!("http://{}", evil.local_addr().unwrap());
        let (ours, theirs) = (
            SigningKey::generate_es256().unwrap(),
            SigningKey::generate_es256().unwrap(),
        );
        let verifier = verifier(&ours);
        let (good, forged) = (token(&ours, "r"), token(&theirs, "r"));
        for name in ["jku", "x5u", "jwk", "x5c", "iss"] {
            for kid in [ours.kid(), theirs.kid(), "unknown"] {
                for address in [&place, "file:///dev/null", "data:application/json,{}"] {
                    let header = format!(
                        r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","{name}":"{address}/keys"}}"#
                    );
                    let header = URL_SAFE_NO_PAD.encode(header);
                    for token in [&good, &forged] {
                        let (_, rest) = token.split_once('.').unwrap();
                        let changed = format!("{header}.{rest}");
                        assert!(verifier.verify(&changed, "r", NOW).is_err(), "{name} {kid}");
                    }
                }
            }
        }
        let visit = evil.accept();
        assert_eq!(visit.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }

    #[test]
    fn replaced_keys_forget_what_was_verified_with_them() {
        let (old, new) = (
            SigningKey::generate_es256().unwrap(),
            SigningKey::generate_es256().unwrap(),
        );
        let verifier = verifier(&old);
        let token = token(&old, "r");
        assert!(verifier.verify(&token, "r", NOW).is_ok());
        verifier.replace_keys(keys(&new));
        assert_eq!(
            verifier.verify(&token, "r", NOW).unwrap_err(),
            Rejected::UnknownKey
        );
    }

    /// Whoever was verifying when the keys went leaves nothing behind, however late.
    #[test]
    fn a_token_verified_while_its_key_went_opens_nothing_later() {
        let (old, new) = (
            SigningKey::generate_es256().unwrap(),
            SigningKey::generate_es256().unwrap(),
        );
        let verifier = verifier(&old);
        let token = token(&old, "r");
        let expected = Expectations {
            issuer: "https://auth.example",
            resource: "r",
            now: NOW,
            skew: 0,
        };
        let under_way = verifier.trusted.load_full();
        verifier.replace_keys(keys(&new));
        assert!(under_way.verify(&token, &expected).is_ok());
        assert_eq!(
            verifier.verify(&token, "r", NOW).unwrap_err(),
            Rejected::UnknownKey
        );
    }
}
