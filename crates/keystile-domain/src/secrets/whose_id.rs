//! Whose a sealed `client_id` is that can't be opened: for the explanation only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::secrets::Secrets;
use crate::secrets::client_id::PREFIX;

/// With which master key an id was made, as far as can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedBy {
    /// One of ours (or, one time in 65,536, one that has its name).
    ThisKey,
    /// Another installation's, or one from before the data directory was removed.
    AnotherKey,
    /// It is no sealed id.
    Nobody,
}

impl Secrets {
    /// Whose master key made an id.
    #[must_use]
    pub fn sealed_by(&self, client_id: &str) -> SealedBy {
        let bytes = client_id
            .strip_prefix(PREFIX)
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        // A key's name and the tag of AES-SIV at least.
        match bytes.as_deref().and_then(|it| it.split_at_checked(2)) {
            Some((key_id, sealed)) if sealed.len() > 16 => {
                if self.ring().named(key_id).is_some() {
                    SealedBy::ThisKey
                } else {
                    SealedBy::AnotherKey
                }
            }
            _ => SealedBy::Nobody,
        }
    }
}
