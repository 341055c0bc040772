//! One authorization request on its way through sign-in and consent.
//!
//! It travels sealed in the browser's address, so a flood of requests costs no memory and a restart
//! loses none (docs/adr/0005).

pub mod pushed;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystile_protocol::pkce::CodeChallenge;
use keystile_protocol::redirect::RedirectUri;
use keystile_protocol::scope::ScopeSet;
use serde::{Deserialize, Serialize};

use crate::client::ClientSnapshot;
use crate::ids::TransactionId;
use crate::ports::Rng;
use crate::secrets::Secrets;
use crate::secrets::reference::Reference;
use crate::time::Timestamp;

/// How long a person has for sign-in and consent.
pub const LIFETIME: Duration = Duration::from_secs(600);

/// The longest handle, in characters. A request line or header with it stays below 6 KiB, whatever
/// client, redirect and state are: nginx, for one, takes 8 KiB by default.
pub const LONGEST_HANDLE: usize = 6000;

/// The same before base64url, without the seal's nonce and tag.
const LONGEST_PLAIN: usize = LONGEST_HANDLE / 4 * 3 - 24 - 16;

/// A checked authorization request. What it says was decided once and is not asked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Answered once.
    #[serde(rename = "t")]
    pub id: TransactionId,
    /// What a person reads out when it fails.
    #[serde(rename = "f")]
    pub reference: Reference,
    /// The client as it was when the request came (A-059).
    #[serde(rename = "c")]
    pub client: ClientSnapshot,
    /// Matched against the client's. Travels as its exact bytes.
    #[serde(rename = "u", with = "redirect")]
    pub redirect_uri: RedirectUri,
    /// Given back untouched. Sealed behind the rest, as it is: in JSON it could become six times as
    /// long.
    #[serde(skip)]
    pub state: Option<String>,
    /// `{server}`.
    #[serde(rename = "s")]
    pub server: String,
    /// Canonical resource.
    #[serde(rename = "r")]
    pub resource: String,
    /// What will be granted on yes.
    #[serde(rename = "p")]
    pub scopes: ScopeSet,
    /// S256 challenge.
    #[serde(rename = "h", with = "challenge")]
    pub challenge: CodeChallenge,
    /// Who is signed in already is asked once more when the browser comes.
    #[serde(rename = "g", default, skip_serializing_if = "std::ops::Not::not")]
    pub another_sign_in: bool,
    /// When the request came.
    #[serde(rename = "a")]
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

/// The request does not fit into a handle.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "client_id, redirect_uri and state are too long together: state has {state} bytes, and at most {fits} can be carried through sign-in"
)]
pub struct TooLong {
    /// Bytes of the state.
    pub state: usize,
    /// How many there may be.
    pub fits: usize,
}

impl Transaction {
    /// The host that vouches for the client, `None` for a program on this computer.
    #[must_use]
    pub fn client_host(&self) -> Option<String> {
        self.client.host(&self.redirect_uri)
    }
}

impl Secrets {
    /// The handle of a transaction: opaque text for `tx=`, at most [`LONGEST_HANDLE`] characters.
    ///
    /// # Errors
    /// [`TooLong`]: the client has to send a shorter state.
    pub fn seal_transaction(
        &self,
        transaction: &Transaction,
        rng: &dyn Rng,
    ) -> Result<String, TooLong> {
        let plain = write(transaction)?;
        Ok(URL_SAFE_NO_PAD.encode(self.seal_transaction_bytes(&plain, rng)))
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
        let transaction = read(plain).ok_or(TransactionError::Foreign)?;
        if now.since(transaction.created_at) > LIFETIME {
            return Err(TransactionError::Expired);
        }
        Ok(transaction)
    }
}

/// JSON has no such byte: control characters in it are escaped.
const BEFORE_STATE: u8 = 0;

fn write(transaction: &Transaction) -> Result<Vec<u8>, TooLong> {
    let mut plain = serde_json::to_vec(transaction).expect("a transaction is plain data");
    plain.push(BEFORE_STATE);
    let state = transaction.state.as_deref().unwrap_or_default();
    let fits = LONGEST_PLAIN.saturating_sub(plain.len());
    if plain.len() + state.len() > LONGEST_PLAIN {
        let state = state.len();
        return Err(TooLong { state, fits });
    }
    plain.extend_from_slice(state.as_bytes());
    Ok(plain)
}

fn read(mut plain: Vec<u8>) -> Option<Transaction> {
    let end = plain.iter().position(|byte| *byte == BEFORE_STATE)?;
    let state = plain.split_off(end + 1);
    plain.pop();
    let state = String::from_utf8(state).ok()?;
    let mut transaction: Transaction = serde_json::from_slice(&plain).ok()?;
    transaction.state = (!state.is_empty()).then_some(state);
    Some(transaction)
}

mod redirect {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::RedirectUri;

    pub(super) fn serialize<S: Serializer>(uri: &RedirectUri, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(uri.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<RedirectUri, D::Error> {
        let text = String::deserialize(from)?;
        RedirectUri::parse(&text).map_err(D::Error::custom)
    }
}

/// As the 43 characters that came: JSON would make up to 129 of the bytes.
mod challenge {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::CodeChallenge;

    pub(super) fn serialize<S: Serializer>(
        challenge: &CodeChallenge,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(challenge.as_bytes()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<CodeChallenge, D::Error> {
        let bytes = URL_SAFE_NO_PAD
            .decode(String::deserialize(from)?)
            .map_err(D::Error::custom)?;
        <[u8; 32]>::try_from(bytes)
            .map(CodeChallenge::from_bytes)
            .map_err(|_| D::Error::custom("a challenge has 32 bytes"))
    }
}

#[cfg(test)]
mod tests;
