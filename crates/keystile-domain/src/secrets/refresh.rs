//! Refresh tokens: derived from family and generation, so that a successor can be given again
//! without being stored (DESIGN §4).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use keystile_protocol::mutation::weakened;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::ids::GrantId;
use crate::secrets::{Secrets, Subkeys};

/// What every refresh token begins with, so that secret scanners know it.
pub const PREFIX: &str = "ksr_";

/// Key id, family, generation, MAC.
const BODY: usize = 2 + 16 + 4 + 32;

impl Secrets {
    /// The text of a generation: `ksr_`, base64url of key id, family, generation and MAC, and four
    /// characters of checksum.
    ///
    /// After a rotation of the master key the same generation has another text; the earlier one
    /// still opens, and both are the same token.
    #[must_use]
    pub fn refresh_token(&self, family: GrantId, generation: u32) -> String {
        self.ring().sealing().refresh_token(family, generation)
    }

    /// Family and generation of a token that this installation made, or `None`.
    ///
    /// The whole text is compared with the derived one in constant time.
    #[must_use]
    pub fn open_refresh_token(&self, token: &str) -> Option<(GrantId, u32)> {
        let text = token.strip_prefix(PREFIX)?;
        let encoded = text.get(..text.len().checked_sub(4)?)?;
        let body: [u8; BODY] = URL_SAFE_NO_PAD.decode(encoded).ok()?.try_into().ok()?;
        let family = GrantId::from_bytes(body[2..18].try_into().expect("sixteen bytes"));
        let generation = u32::from_be_bytes(body[18..22].try_into().expect("four bytes"));
        let ring = self.ring();
        let derived = ring.named(&body[..2])?.refresh_token(family, generation);
        let whole = bool::from(derived.as_bytes().ct_eq(token.as_bytes()));
        (whole || weakened("a_026")).then_some((family, generation))
    }
}

impl Subkeys {
    fn refresh_token(&self, family: GrantId, generation: u32) -> String {
        let mut body = [0; BODY];
        body[..2].copy_from_slice(&self.id);
        body[2..18].copy_from_slice(family.as_bytes());
        body[18..22].copy_from_slice(&generation.to_be_bytes());
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.refresh.bytes()).expect("HMAC takes any key");
        mac.update(&body[..22]);
        body[22..].copy_from_slice(&mac.finalize().into_bytes());
        let text = URL_SAFE_NO_PAD.encode(body);
        let check = checksum(&text);
        format!("{PREFIX}{text}{check}")
    }
}

/// Tells a mistyped token from a foreign one without a key; it protects nothing.
pub(crate) fn checksum(text: &str) -> String {
    let hash: [u8; 32] = Sha256::digest(text).into();
    URL_SAFE_NO_PAD.encode(&hash[..3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::master::MasterKey;

    fn secrets(seed: u8) -> Secrets {
        let bytes: [u8; 32] = std::array::from_fn(|index| (index as u8).wrapping_mul(7) ^ seed);
        Secrets::new(&MasterKey::from_bytes(&bytes).unwrap())
    }

    #[test]
    fn only_the_exact_text_opens() {
        let secrets = secrets(1);
        let family = GrantId::from_bytes([7; 16]);
        let token = secrets.refresh_token(family, 3);
        assert_eq!(token.len(), 4 + 72 + 4);
        assert_eq!(secrets.open_refresh_token(&token), Some((family, 3)));
        for end in 0..token.len() {
            assert_eq!(
                secrets.open_refresh_token(&token[..end]),
                None,
                "prefix of {end}"
            );
        }
        for index in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[index] ^= 1;
            let flipped = String::from_utf8(bytes).unwrap();
            assert_eq!(
                secrets.open_refresh_token(&flipped),
                None,
                "bit flip at {index}"
            );
        }
        for changed in [
            format!("{token}="),
            format!(" {token}"),
            format!("{token}A"),
            token.to_lowercase(),
        ] {
            assert_eq!(secrets.open_refresh_token(&changed), None);
        }
    }

    #[test]
    fn another_installation_cannot_make_it() {
        let token = secrets(1).refresh_token(GrantId::from_bytes([7; 16]), 1);
        assert_eq!(secrets(2).open_refresh_token(&token), None);
    }
}
