//! Random texts: authorization codes, session cookies, set-up codes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ids::GrantId;
use crate::ports::Rng;
use crate::secrets::digest::Digest;
use crate::secrets::refresh::checksum;

/// What every initial access token begins with.
pub const INITIAL_ACCESS_TOKEN: &str = "ksi_";

/// What every authorization code begins with.
pub const AUTHORIZATION_CODE: &str = "ksc_";

/// How many characters an authorization code has: [`AUTHORIZATION_CODE`], and the base64url of 48 bytes.
pub const CODE_LENGTH: usize = 68;

/// What every session cookie begins with.
pub const SESSION: &str = "kss_";

/// What every device code begins with.
pub const DEVICE_CODE: &str = "ksv_";

/// What every client secret begins with.
pub const CLIENT_SECRET: &str = "ksx_";

/// An authorization code as the store finds it. It names its grant, so that it is found where the grant is, and new ones
/// lie beside each other; what opens it is the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorizationCode {
    /// The grant that it says it belongs to.
    pub grant: GrantId,
    /// Of its whole text.
    pub digest: Digest,
}

impl AuthorizationCode {
    /// The code of this text, or `None` if no code looks like that. Whether there is one only the store knows.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let body = text.strip_prefix(AUTHORIZATION_CODE)?;
        let body: [u8; 48] = URL_SAFE_NO_PAD.decode(body).ok()?.try_into().ok()?;
        let grant = GrantId::from_bytes(*body.first_chunk()?);
        let digest = Digest::of(text);
        Some(Self { grant, digest })
    }
}

/// A fresh 256-bit text with its digest. The text goes out once and is never stored.
pub struct FreshSecret {
    /// What the holder gets.
    pub text: String,
    /// What the store keeps.
    pub digest: Digest,
}

impl FreshSecret {
    /// The authorization code of a grant: `ksc_`, the grant and 256 bits.
    #[must_use]
    pub fn authorization_code(grant: GrantId, rng: &dyn Rng) -> Self {
        let mut body = [0; 48];
        let (named, random) = body.split_at_mut(16);
        named.copy_from_slice(grant.as_bytes());
        rng.fill(random);
        let text = format!("{AUTHORIZATION_CODE}{}", URL_SAFE_NO_PAD.encode(body));
        let digest = Digest::of(&text);
        Self { text, digest }
    }

    /// The value of a session cookie: `kss_` and 256 bits.
    #[must_use]
    pub fn session(rng: &dyn Rng) -> Self {
        Self::with_prefix(SESSION, rng)
    }

    /// A device code (RFC 8628 §3.2): `ksv_` and 256 bits.
    #[must_use]
    pub fn device_code(rng: &dyn Rng) -> Self {
        Self::with_prefix(DEVICE_CODE, rng)
    }

    /// The secret of a client that an operator registered: `ksx_`, 256 bits, and four characters
    /// that tell a mistyped one from a foreign one.
    #[must_use]
    pub fn client_secret(rng: &dyn Rng) -> Self {
        let mut bytes = [0; 32];
        rng.fill(&mut bytes);
        let body = URL_SAFE_NO_PAD.encode(bytes);
        let text = format!("{CLIENT_SECRET}{body}{}", checksum(&body));
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;

    impl Rng for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    #[test]
    fn a_code_names_its_grant_and_is_known_by_its_whole_text() {
        let grant = GrantId::from_bytes([9; 16]);
        let FreshSecret { text, digest } = FreshSecret::authorization_code(grant, &Sevens);
        let read = AuthorizationCode::read(&text);
        assert_eq!(read, Some(AuthorizationCode { grant, digest }));
        assert_eq!(text.len(), CODE_LENGTH);
        for end in 0..text.len() {
            assert_eq!(
                AuthorizationCode::read(&text[..end]),
                None,
                "prefix of {end}"
            );
        }
        for other in [
            text.replacen("ksc_", "ksr_", 1),
            format!("{text}A"),
            format!("{text}="),
            format!(" {text}"),
        ] {
            assert_eq!(AuthorizationCode::read(&other), None, "{other}");
        }
    }
}
