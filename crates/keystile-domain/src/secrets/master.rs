//! The master key and the subkeys that come from it.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::ports::Rng;
use crate::secrets::KeyId;

/// The 32 bytes from which every key of the installation is derived (DESIGN §4).
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

/// The bytes are no master key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MasterKeyError {
    /// Not 32 bytes.
    #[error("a master key is exactly 32 random bytes; this one has {0}")]
    Length(usize),
    /// All the same byte, or a text: a placeholder (CHECKLIST R14).
    #[error("this master key is a placeholder; use 32 random bytes")]
    Placeholder,
    /// Two keys of one file have the same id.
    #[error("the same master key stands in the file twice")]
    Doubled,
}

impl MasterKey {
    /// A fresh key.
    #[must_use]
    pub fn generate(rng: &dyn Rng) -> Self {
        let mut bytes = [0; 32];
        rng.fill(&mut bytes);
        Self(bytes)
    }

    /// A key read back.
    ///
    /// # Errors
    /// For another length, and for bytes that are no random key: one byte repeated, or plain text.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MasterKeyError> {
        let key: [u8; 32] = bytes
            .try_into()
            .map_err(|_| MasterKeyError::Length(bytes.len()))?;
        let text = key
            .iter()
            .all(|byte| byte.is_ascii_graphic() || *byte == b' ');
        let distinct = (0..=255_u8).filter(|byte| key.contains(byte)).count();
        if (text || distinct < 12) && !keystile_protocol::mutation::weakened("a_163") {
            return Err(MasterKeyError::Placeholder);
        }
        Ok(Self(key))
    }

    /// The same key once more.
    pub(crate) const fn copy(&self) -> Self {
        Self(self.0)
    }

    /// The bytes, to be written to the key file.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What names the key in whatever was made with it.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.subkey::<2>("key id").into_bytes()
    }

    /// The subkey of a purpose (HKDF-SHA-256, RFC 5869).
    #[must_use]
    pub(crate) fn subkey<const N: usize>(&self, purpose: &str) -> Subkey<N> {
        let mut bytes = [0; N];
        Hkdf::<Sha256>::new(Some(b"keystile v1"), &self.0)
            .expand(purpose.as_bytes(), &mut bytes)
            .expect("N is far below 255 hash lengths");
        Subkey(bytes)
    }
}

/// A key for one purpose.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Subkey<const N: usize>([u8; N]);

impl<const N: usize> Subkey<N> {
    pub(crate) const fn bytes(&self) -> &[u8; N] {
        &self.0
    }

    pub(crate) fn into_bytes(self) -> [u8; N] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_163_placeholder_keys_are_refused() {
        for bytes in [
            [0; 32],
            [0xff; 32],
            *b"secret-api-key-secret-api-key-00",
            *b"0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(
                MasterKey::from_bytes(&bytes).err(),
                Some(MasterKeyError::Placeholder)
            );
        }
        assert_eq!(
            MasterKey::from_bytes(&[1; 31]).err(),
            Some(MasterKeyError::Length(31))
        );
    }

    #[test]
    fn purposes_have_keys_of_their_own() {
        let master = MasterKey(std::array::from_fn(|index| (index * 7) as u8));
        assert_ne!(
            master.subkey::<32>("a").bytes(),
            master.subkey::<32>("b").bytes()
        );
        assert_eq!(
            master.subkey::<32>("a").bytes(),
            master.subkey::<32>("a").bytes()
        );
    }
}
