//! Sealed client ids: the metadata of a registration is the id (DESIGN §4).
//!
//! Sealing is deterministic (AES-SIV, RFC 5297): a `none` client that registers twice gets the same
//! id. It costs no row, survives restarts, and cannot be made elsewhere.

use aes_siv::siv::Aes256Siv;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use keystile_protocol::client_metadata::{ClientMetadata, TokenEndpointAuthMethod};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::client::{Client, ClientKind};
use crate::ports::Rng;
use crate::secrets::Secrets;

/// What every self-registered client id begins with.
pub const PREFIX: &str = "ksd_";

/// The most bytes of metadata that fit into an id.
pub const MOST: usize = 1024;

/// What is inside of an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedClient {
    /// What was registered, as far as it means something here.
    pub metadata: ClientMetadata,
    /// How it authenticates.
    pub auth_method: TokenEndpointAuthMethod,
    /// Only for confidential clients: makes id and secret their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<[u8; 16]>,
}

/// The metadata is larger than an id may be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the metadata has {0} bytes; a registration here has at most {MOST}")]
pub struct TooLarge(pub usize);

impl Secrets {
    /// The id of a registration.
    ///
    /// # Errors
    /// [`TooLarge`] for metadata over 1 KiB.
    pub fn seal_client_id(
        &self,
        metadata: ClientMetadata,
        auth_method: TokenEndpointAuthMethod,
        rng: &dyn Rng,
    ) -> Result<String, TooLarge> {
        let nonce = (auth_method != TokenEndpointAuthMethod::None).then(|| {
            let mut nonce = [0; 16];
            rng.fill(&mut nonce);
            nonce
        });
        let sealed = SealedClient {
            metadata,
            auth_method,
            nonce,
        };
        let plain = serde_json::to_vec(&sealed).expect("metadata is plain data");
        if plain.len() > MOST {
            return Err(TooLarge(plain.len()));
        }
        let secret = self
            .siv()
            .encrypt([self.key_id], &plain)
            .expect("1 KiB fits");
        Ok(format!(
            "{PREFIX}{}",
            URL_SAFE_NO_PAD.encode([&self.key_id[..], &secret].concat())
        ))
    }

    /// The client of a sealed id, or `None` if this installation did not make it.
    #[must_use]
    pub fn open_client_id(&self, client_id: &str) -> Option<Client> {
        let bytes = URL_SAFE_NO_PAD
            .decode(client_id.strip_prefix(PREFIX)?)
            .ok()?;
        let (key_id, secret) = bytes.split_at_checked(2)?;
        let plain = self.siv().decrypt([key_id], secret).ok()?;
        let sealed: SealedClient = serde_json::from_slice(&plain).ok()?;
        Some(Client::from_metadata(
            client_id.to_owned(),
            ClientKind::Registered,
            &sealed.metadata,
            sealed.auth_method,
        ))
    }

    /// The secret of a confidential self-registered client; derived, never stored.
    #[must_use]
    pub fn client_secret(&self, client_id: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.client_secret.bytes()).expect("HMAC takes any key");
        mac.update(client_id.as_bytes());
        format!(
            "ksx_{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        )
    }

    /// Whether a secret is that client's, in constant time.
    #[must_use]
    pub fn is_client_secret(&self, shown: &str, client_id: &str) -> bool {
        self.client_secret(client_id)
            .as_bytes()
            .ct_eq(shown.as_bytes())
            .into()
    }

    fn siv(&self) -> Aes256Siv {
        Aes256Siv::new(self.client_id.bytes().into())
    }
}
