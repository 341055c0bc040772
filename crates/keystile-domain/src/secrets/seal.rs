//! Sealing: authenticated encryption with XChaCha20-Poly1305 and a random nonce.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};

use crate::ports::Rng;
use crate::secrets::master::Subkey;
use crate::secrets::{Secrets, Subkeys};

/// The sealed bytes were not made by this installation for this purpose, or were changed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("it was not sealed by this installation, or it was changed")]
pub struct NotSealedHere;

impl Secrets {
    /// Seals the private part of a signing key for the store; `kid` is bound to it.
    #[must_use]
    pub fn seal_signing_key(&self, kid: &str, pkcs8: &[u8], rng: &dyn Rng) -> Vec<u8> {
        let ring = self.ring();
        seal(&ring.sealing().signing_keys, kid.as_bytes(), pkcs8, rng)
    }

    /// Opens the private part of a signing key.
    ///
    /// # Errors
    /// [`NotSealedHere`]: another master key, another `kid`, or changed bytes.
    pub fn open_signing_key(&self, kid: &str, sealed: &[u8]) -> Result<Vec<u8>, NotSealedHere> {
        let open = |keys: &Subkeys| open(&keys.signing_keys, kid.as_bytes(), sealed).ok();
        self.ring().first_of(open).ok_or(NotSealedHere)
    }

    /// Whether a signing key is sealed under the master key that seals now, and not an earlier one.
    #[must_use]
    pub fn seals_signing_key(&self, kid: &str, sealed: &[u8]) -> bool {
        let ring = self.ring();
        open(&ring.sealing().signing_keys, kid.as_bytes(), sealed).is_ok()
    }

    pub(crate) fn seal_transaction_bytes(&self, plain: &[u8], rng: &dyn Rng) -> Vec<u8> {
        seal(&self.ring().sealing().transaction, b"", plain, rng)
    }

    pub(crate) fn seal_pushed_bytes(&self, plain: &[u8], rng: &dyn Rng) -> Vec<u8> {
        seal(&self.ring().sealing().pushed_request, b"", plain, rng)
    }

    pub(crate) fn open_pushed_bytes(&self, sealed: &[u8]) -> Result<Vec<u8>, NotSealedHere> {
        let open = |keys: &Subkeys| open(&keys.pushed_request, b"", sealed).ok();
        self.ring().first_of(open).ok_or(NotSealedHere)
    }

    pub(crate) fn open_transaction_bytes(&self, sealed: &[u8]) -> Result<Vec<u8>, NotSealedHere> {
        let open = |keys: &Subkeys| open(&keys.transaction, b"", sealed).ok();
        self.ring().first_of(open).ok_or(NotSealedHere)
    }
}

pub(super) fn seal(key: &Subkey<32>, bound: &[u8], plain: &[u8], rng: &dyn Rng) -> Vec<u8> {
    let mut sealed = vec![0; 24];
    rng.fill(&mut sealed);
    let nonce = XNonce::try_from(sealed.as_slice()).expect("24 bytes");
    let cipher = XChaCha20Poly1305::new(key.bytes().into());
    let secret = cipher
        .encrypt(
            &nonce,
            Payload {
                msg: plain,
                aad: bound,
            },
        )
        .expect("it fits in memory");
    sealed.extend(secret);
    sealed
}

pub(super) fn open(
    key: &Subkey<32>,
    bound: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, NotSealedHere> {
    let (nonce, secret) = sealed.split_at_checked(24).ok_or(NotSealedHere)?;
    let nonce = XNonce::try_from(nonce).map_err(|_| NotSealedHere)?;
    let cipher = XChaCha20Poly1305::new(key.bytes().into());
    cipher
        .decrypt(
            &nonce,
            Payload {
                msg: secret,
                aad: bound,
            },
        )
        .map_err(|_| NotSealedHere)
}
