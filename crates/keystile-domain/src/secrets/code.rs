//! Random texts: authorization codes, session cookies, set-up codes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ports::Rng;
use crate::secrets::digest::Digest;
use crate::secrets::refresh::checksum;

/// What every initial access token begins with.
pub const INITIAL_ACCESS_TOKEN: &str = "ksi_";

/// A fresh 256-bit text with its digest. The text goes out once and is never stored.
pub struct FreshSecret {
    /// What the holder gets.
    pub text: String,
    /// What the store keeps.
    pub digest: Digest,
}

impl FreshSecret {
    /// An authorization code: `ksc_` and 256 bits.
    #[must_use]
    pub fn authorization_code(rng: &dyn Rng) -> Self {
        Self::with_prefix("ksc_", rng)
    }

    /// The value of a session cookie: `kss_` and 256 bits.
    #[must_use]
    pub fn session(rng: &dyn Rng) -> Self {
        Self::with_prefix("kss_", rng)
    }

    /// A device code (RFC 8628 §3.2): `ksv_` and 256 bits.
    #[must_use]
    pub fn device_code(rng: &dyn Rng) -> Self {
        Self::with_prefix("ksv_", rng)
    }

    /// The secret of a client that an operator registered: `ksx_`, 256 bits, and four characters
    /// that tell a mistyped one from a foreign one.
    #[must_use]
    pub fn client_secret(rng: &dyn Rng) -> Self {
        let mut bytes = [0; 32];
        rng.fill(&mut bytes);
        let body = URL_SAFE_NO_PAD.encode(bytes);
        let text = format!("ksx_{body}{}", checksum(&body));
        let digest = Digest::of(&text);
        Self { text, digest }
    }

    /// An initial access token (RFC 7591 §1.2): `ksi_` and 256 bits.
    #[must_use]
    pub fn initial_access_token(rng: &dyn Rng) -> Self {
        Self::with_prefix(INITIAL_ACCESS_TOKEN, rng)
    }

    /// A set-up code for the first account: twelve characters to type, about 58 bits; attempts are
    /// limited and it works once.
    #[must_use]
    pub fn setup_code(rng: &dyn Rng) -> Self {
        let mut text = unambiguous::<12>(rng);
        text.insert(4, '-');
        text.insert(9, '-');
        let digest = setup_code_digest(&text);
        Self { text, digest }
    }

    fn with_prefix(prefix: &str, rng: &dyn Rng) -> Self {
        let mut bytes = [0; 32];
        rng.fill(&mut bytes);
        let text = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes));
        let digest = Digest::of(&text);
        Self { text, digest }
    }
}

/// The digest of a set-up code as a person typed it: case, spaces and hyphens do not matter.
#[must_use]
pub fn setup_code_digest(typed: &str) -> Digest {
    let plain: String = typed.chars().filter(char::is_ascii_alphanumeric).collect();
    Digest::of(&plain.to_ascii_uppercase())
}

/// Characters that nobody mistakes for another (no 0/O, 1/I/L, U).
pub(crate) fn unambiguous<const N: usize>(rng: &dyn Rng) -> String {
    const ALPHABET: &[u8; 30] = b"23456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut text = String::with_capacity(N + 4);
    while text.len() < N {
        let mut bytes = [0; 32];
        rng.fill(&mut bytes);
        // 240 = 8 × 30: bytes above it would favour the first characters.
        let fair = bytes.iter().filter(|byte| **byte < 240);
        text.extend(
            fair.map(|byte| char::from(ALPHABET[usize::from(byte % 30)]))
                .take(N - text.len()),
        );
    }
    text
}
