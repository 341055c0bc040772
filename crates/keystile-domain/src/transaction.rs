//! One authorization request on its way through sign-in and consent.
//!
//! It travels sealed in the browser's address, so a flood of requests costs no memory and a restart
//! loses none (docs/adr/0005).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystile_protocol::pkce::CodeChallenge;
use keystile_protocol::redirect::RedirectUri;
use keystile_protocol::scope::ScopeSet;
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::ids::TransactionId;
use crate::ports::Rng;
use crate::secrets::Secrets;
use crate::secrets::reference::Reference;
use crate::time::Timestamp;

/// How long a person has for sign-in and consent.
pub const LIFETIME: Duration = Duration::from_secs(600);

/// A checked authorization request. What it says was decided once and is not asked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Answered once.
    pub id: TransactionId,
    /// What a person reads out when it fails.
    pub reference: Reference,
    /// The client as it was when the request came.
    pub client: Client,
    /// Exact bytes; matched against the client's.
    pub redirect_uri: String,
    /// Given back untouched.
    pub state: Option<String>,
    /// `{server}`.
    pub server: String,
    /// Canonical resource.
    pub resource: String,
    /// What will be granted on yes.
    pub scopes: ScopeSet,
    #[serde(with = "challenge")]
    /// S256 challenge.
    pub challenge: CodeChallenge,
    /// When the request came.
    pub created_at: Timestamp,
}

/// Why a handle of a transaction is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TransactionError {
    /// Not sealed by this installation, or changed on the way.
    #[error(
        "this sign-in link is damaged or was made by another installation; start again from the app"
    )]
    Foreign,
    /// Older than [`LIFETIME`].
    #[error("this sign-in took longer than ten minutes; start again from the app")]
    Expired,
}

impl Transaction {
    /// The redirect URI in its parsed form.
    ///
    /// # Panics
    /// Never: a transaction is made only with a URI that was parsed, and it travels sealed.
    #[must_use]
    pub fn redirect(&self) -> RedirectUri {
        RedirectUri::parse(&self.redirect_uri).expect("it was parsed before it was sealed")
    }

    /// The host that vouches for the client, `None` for a program on this computer.
    #[must_use]
    pub fn client_host(&self) -> Option<String> {
        self.client.host(&self.redirect())
    }
}

impl Secrets {
    /// The handle of a transaction: opaque text for `tx=`.
    #[must_use]
    pub fn seal_transaction(&self, transaction: &Transaction, rng: &dyn Rng) -> String {
        let plain = serde_json::to_vec(transaction).expect("a transaction is plain data");
        URL_SAFE_NO_PAD.encode(self.seal_transaction_bytes(&plain, rng))
    }

    /// Opens a handle.
    ///
    /// # Errors
    /// [`TransactionError`]; each is a page for the person, never a redirect.
    pub fn open_transaction(
        &self,
        handle: &str,
        now: Timestamp,
    ) -> Result<Transaction, TransactionError> {
        let sealed = URL_SAFE_NO_PAD
            .decode(handle)
            .map_err(|_| TransactionError::Foreign)?;
        let plain = self
            .open_transaction_bytes(&sealed)
            .map_err(|_| TransactionError::Foreign)?;
        let transaction: Transaction =
            serde_json::from_slice(&plain).map_err(|_| TransactionError::Foreign)?;
        if now.since(transaction.created_at) > LIFETIME {
            return Err(TransactionError::Expired);
        }
        Ok(transaction)
    }
}

mod challenge {
    use super::CodeChallenge;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(
        challenge: &CodeChallenge,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        challenge.as_bytes().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<CodeChallenge, D::Error> {
        <[u8; 32]>::deserialize(from).map(CodeChallenge::from_bytes)
    }
}
