//! PKCE, S256 only (RFC 7636; OAuth 2.1 §7.5.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use crate::mutation::weakened;

/// An S256 challenge: the SHA-256 of the verifier that the token request must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeChallenge([u8; 32]);

/// What is wrong with the PKCE parameters of an authorization request.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ChallengeError {
    /// No `code_challenge`.
    #[error("code_challenge is missing: PKCE with S256 is required")]
    Missing,
    /// No method, `plain`, or a method that nobody knows.
    #[error("code_challenge_method must be S256 (a missing method means plain, which is refused)")]
    Method,
    /// Not the base64url form of 32 bytes.
    #[error("code_challenge must be the unpadded base64url of a SHA-256 hash, 43 characters")]
    Form,
}

impl CodeChallenge {
    /// Reads the two parameters of an authorization request (RFC 7636 §4.3).
    ///
    /// # Errors
    /// [`ChallengeError`]: the request goes back with `invalid_request`.
    pub fn parse(challenge: Option<&str>, method: Option<&str>) -> Result<Self, ChallengeError> {
        let challenge = challenge.ok_or(ChallengeError::Missing)?;
        if method != Some("S256") && !weakened("a_016") {
            return Err(ChallengeError::Method);
        }
        Self::from_text(challenge).ok_or(ChallengeError::Form)
    }

    /// The challenge of the base64url text, if it is one.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// The challenge that this verifier answers, or `None` for a text that is no verifier
    /// (RFC 7636 §4.1: 43 to 128 unreserved characters).
    #[must_use]
    pub fn of_verifier(verifier: &str) -> Option<Self> {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let legal = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
        legal.then(|| Self(Sha256::digest(verifier).into()))
    }

    /// Whether both are the same challenge, in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// The bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A challenge read back from a store.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_verifier_of_rfc7636_appendix_b() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = CodeChallenge::parse(Some(challenge), Some("S256")).unwrap();
        assert!(challenge.matches(&CodeChallenge::of_verifier(verifier).unwrap()));
    }

    #[test]
    fn a_016_only_s256_spelled_exactly_and_a_challenge_of_43_characters() {
        let good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        for method in [
            None,
            Some(""),
            Some("plain"),
            Some("s256"),
            Some("S512"),
            Some("S256 "),
        ] {
            assert_eq!(
                CodeChallenge::parse(Some(good), method),
                Err(ChallengeError::Method),
                "{method:?}"
            );
        }
        let padded = format!("{good}=");
        for bad in [
            "",
            "short",
            &good[1..],
            &padded,
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM",
        ] {
            assert_eq!(
                CodeChallenge::parse(Some(bad), Some("S256")),
                Err(ChallengeError::Form),
                "{bad}"
            );
        }
        assert_eq!(
            CodeChallenge::parse(None, Some("S256")),
            Err(ChallengeError::Missing)
        );
    }

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        for bad in [
            "x".repeat(42),
            "x".repeat(129),
            format!("{} ", "x".repeat(43)),
            "\u{e9}".repeat(43),
        ] {
            assert_eq!(CodeChallenge::of_verifier(&bad), None);
        }
    }
}
