//! Synchroniser tokens against cross-site request forgery.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::secrets::digest::Digest;
use crate::secrets::{Secrets, Subkeys};

impl Secrets {
    /// The token that a form must carry: bound to the session, to what the form is about (for
    /// consent: the transaction's id) and to its purpose. It may be rendered as often as needed.
    #[must_use]
    pub fn synchroniser_token(&self, session: &Digest, about: &str, purpose: &str) -> String {
        let ring = self.ring();
        ring.sealing().synchroniser_token(session, about, purpose)
    }

    /// Whether a form carries the right token, in constant time.
    #[must_use]
    pub fn is_synchroniser_token(
        &self,
        shown: &str,
        session: &Digest,
        about: &str,
        purpose: &str,
    ) -> bool {
        let is = |keys: &Subkeys| {
            let wanted = keys.synchroniser_token(session, about, purpose);
            bool::from(wanted.as_bytes().ct_eq(shown.as_bytes())).then_some(())
        };
        // A form may have been rendered just before the master key was rotated.
        self.ring().first_of(is).is_some()
    }
}

impl Subkeys {
    fn synchroniser_token(&self, session: &Digest, about: &str, purpose: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.synchroniser.bytes()).expect("HMAC takes any key");
        for part in [
            session.as_bytes().as_slice(),
            about.as_bytes(),
            purpose.as_bytes(),
        ] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }
}
