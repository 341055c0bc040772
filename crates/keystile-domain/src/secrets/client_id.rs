//! Sealed client ids: the metadata of a registration is the id (DESIGN §4).
//!
//! Sealing is deterministic (AES-SIV, RFC 5297): a `none` client that registers twice gets the same
//! id. It costs no row, survives restarts, and cannot be made elsewhere.

use aes_siv::siv::Aes256Siv;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use keystile_protocol::client_metadata::{
    ApplicationType, ClientMetadata, TokenEndpointAuthMethod,
};
use keystile_protocol::mutation::weakened;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::client::{Client, ClientKind, Trust, grant_types, may_vary_port, self_described};
use crate::ports::Rng;
use crate::records::GrantType;
use crate::secrets::code::CLIENT_SECRET;
use crate::secrets::{KeyId, Secrets, Subkeys};
use crate::shown;

/// What every self-registered client id begins with.
pub const PREFIX: &str = "ksd_";

/// The most bytes of metadata that fit into an id.
pub const MOST: usize = 1024;

/// What is inside of an id: short names, and only what the rules of a later request look at, since
/// the id travels in every authorization request.
#[derive(Serialize, Deserialize)]
struct Sealed {
    #[serde(rename = "r")]
    redirect_uris: Vec<String>,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(rename = "m")]
    auth_method: TokenEndpointAuthMethod,
    /// Where the keys of `private_key_jwt` are.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<String>,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    application_type: Option<ApplicationType>,
    /// Only for confidential clients: makes id and secret their own.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    nonce: Option<[u8; 16]>,
    /// Who let it register.
    #[serde(rename = "v", default, skip_serializing_if = "Trust::is_unknown")]
    trust: Trust,
    /// `require_pushed_authorization_requests`
    #[serde(rename = "p", default, skip_serializing_if = "std::ops::Not::not")]
    pushes_only: bool,
    /// Whether its grant types list that of devices; the others are everybody's.
    #[serde(rename = "d", default, skip_serializing_if = "std::ops::Not::not")]
    device: bool,
}

/// The metadata is larger than an id may be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the metadata has {0} bytes; a registration here has at most {MOST}")]
pub struct TooLarge(pub usize);

impl Secrets {
    /// The id of a registration. After a rotation of the master key the same registration has
    /// another id; the earlier one stays good.
    ///
    /// # Errors
    /// [`TooLarge`] for metadata over 1 KiB.
    pub fn seal_client_id(
        &self,
        metadata: &ClientMetadata,
        auth_method: TokenEndpointAuthMethod,
        trust: Trust,
        rng: &dyn Rng,
    ) -> Result<String, TooLarge> {
        let own = auth_method != TokenEndpointAuthMethod::None && !weakened("a_064");
        let nonce = own.then(|| {
            let mut nonce = [0; 16];
            rng.fill(&mut nonce);
            nonce
        });
        let sealed = Sealed {
            redirect_uris: metadata.redirect_uris.clone(),
            name: metadata.client_name.clone(),
            auth_method,
            jwks_uri: metadata.jwks_uri.clone(),
            application_type: metadata.application_type,
            nonce,
            trust,
            pushes_only: metadata.require_pushed_authorization_requests,
            device: grant_types(metadata).contains(GrantType::DeviceCode),
        };
        let plain = serde_json::to_vec(&sealed).expect("metadata is plain data");
        if plain.len() > MOST {
            return Err(TooLarge(plain.len()));
        }
        let ring = self.ring();
        let keys = ring.sealing();
        let secret = keys.siv().encrypt([keys.id], &plain).expect("1 KiB fits");
        Ok(format!(
            "{PREFIX}{}",
            URL_SAFE_NO_PAD.encode([&keys.id[..], &secret].concat())
        ))
    }

    /// What the client of a sealed id calls itself, as an operator may be told.
    #[must_use]
    pub fn called(&self, client_id: &str) -> Option<String> {
        let client = self.open_client_id(client_id)?;
        Some(client.name.unwrap_or_else(|| "without a name".to_owned()))
    }

    /// The client of a sealed id, or `None` if this installation did not make it.
    #[must_use]
    pub fn open_client_id(&self, client_id: &str) -> Option<Client> {
        let bytes = URL_SAFE_NO_PAD
            .decode(client_id.strip_prefix(PREFIX)?)
            .ok()?;
        let (key_id, secret) = bytes.split_at_checked(2)?;
        let ring = self.ring();
        let plain = ring.named(key_id)?.siv().decrypt([key_id], secret).ok()?;
        let sealed: Sealed = serde_json::from_slice(&plain).ok()?;
        Some(Client {
            client_id: client_id.to_owned(),
            kind: ClientKind::Registered,
            // Ids of earlier releases hold the name as it came.
            name: sealed.name.as_deref().and_then(shown::name),
            any_loopback_port: may_vary_port(sealed.application_type, sealed.auth_method),
            grant_types: self_described(&sealed.redirect_uris, sealed.device),
            redirect_uris: sealed.redirect_uris,
            auth_method: sealed.auth_method,
            jwks_uri: sealed.jwks_uri,
            trust: sealed.trust,
            pushes_only: sealed.pushes_only,
        })
    }

    /// The secret of a confidential self-registered client; derived, never stored. It comes from
    /// the master key that made the id, so it outlives a rotation.
    #[must_use]
    pub fn client_secret(&self, client_id: &str) -> String {
        let ring = self.ring();
        let of_id = key_id(client_id).and_then(|id| ring.named(&id));
        let key = &of_id.unwrap_or_else(|| ring.sealing()).client_secret;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("HMAC takes any key");
        mac.update(client_id.as_bytes());
        format!(
            "{CLIENT_SECRET}{}",
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
}

impl Subkeys {
    fn siv(&self) -> Aes256Siv {
        Aes256Siv::new(self.client_id.bytes().into())
    }
}

/// Which master key made an id.
fn key_id(client_id: &str) -> Option<KeyId> {
    let bytes = URL_SAFE_NO_PAD.decode(client_id.strip_prefix(PREFIX)?);
    bytes.ok()?.first_chunk().copied()
}
