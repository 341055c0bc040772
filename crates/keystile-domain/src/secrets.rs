//! Secrets: made, derived, digested, sealed. No text of a secret is in a record.

pub mod client_id;
pub mod code;
pub mod digest;
pub mod master;
pub mod reference;
pub mod refresh;
pub mod seal;
pub mod synchroniser;

use crate::secrets::master::{MasterKey, Subkey};

/// Every key that this installation derives from its master key, each for one purpose.
pub struct Secrets {
    key_id: [u8; 2],
    refresh: Subkey<32>,
    client_id: Subkey<64>,
    client_secret: Subkey<32>,
    transaction: Subkey<32>,
    synchroniser: Subkey<32>,
    signing_keys: Subkey<32>,
}

impl Secrets {
    /// Derives the subkeys (RFC 5869; the purpose is the `info`).
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        Self {
            key_id: master.subkey::<2>("key id").into_bytes(),
            refresh: master.subkey("refresh token"),
            client_id: master.subkey("client id"),
            client_secret: master.subkey("client secret"),
            transaction: master.subkey("transaction"),
            synchroniser: master.subkey("synchroniser token"),
            signing_keys: master.subkey("signing keys at rest"),
        }
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
