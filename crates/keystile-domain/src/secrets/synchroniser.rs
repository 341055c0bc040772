//! Synchroniser tokens against cross-site request forgery.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::secrets::Secrets;
use crate::secrets::digest::Digest;

impl Secrets {
    /// The token that a form must carry: bound to the session, to what the form is about (for
    /// consent: the transaction's id) and to its purpose. It may be rendered as often as needed.
    #[must_use]
    pub fn synchroniser_token(&self, session: &Digest, about: &str, purpose: &str) -> String {
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

    /// Whether a form carries the right token, in constant time.
    #[must_use]
    pub fn is_synchroniser_token(
        &self,
        shown: &str,
        session: &Digest,
        about: &str,
        purpose: &str,
    ) -> bool {
        let wanted = self.synchroniser_token(session, about, purpose);
        wanted.as_bytes().ct_eq(shown.as_bytes()).into()
    }
}
