//! Pushed authorization requests (RFC 9126): a checked request that waits for its browser, sealed
//! into its own `request_uri`.
//!
//! There is no row, so a flood of pushes costs no memory, and a restart or another replica knows
//! every `request_uri` (docs/adr/0005). Nothing is spent when the browser comes: some clients look
//! at the address before the person does, and people reload. What is made once is the code: each
//! code is bound to the id that the request got when it was pushed, so a second yes, whichever
//! browser it comes from, is refused by the store (RFC 9126 §7.3). Until then the `request_uri` is
//! good for [`LIFETIME`].

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystile_protocol::mutation::weakened;

use super::{TooLong, Transaction, read, write};
use crate::ports::Rng;
use crate::secrets::Secrets;
use crate::time::Timestamp;

/// How long the browser may take to come. RFC 9126 §2.2: "between 5 and 600 seconds".
pub const LIFETIME: Duration = Duration::from_secs(90);

/// RFC 9126 §2.2
pub const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// Why a `request_uri` is refused. None is ever fetched.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum PushedError {
    /// An address of somebody else (RFC 9101 §5.2), or no `request_uri` at all.
    #[error("request_uri is not one that this server gave out, and it fetches none")]
    NotOurs,
    /// Changed on the way, or made by another installation.
    #[error("request_uri is damaged, or another installation gave it out")]
    Damaged,
    /// Older than [`LIFETIME`].
    #[error("request_uri is older than 90 seconds")]
    Expired,
    /// Pushed by another client (RFC 9126 §2.2: "bound to the client").
    #[error("request_uri was given to another client_id")]
    OtherClient,
}

impl PushedError {
    /// The stable word for log and doctor.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotOurs => "request_uri_not_ours",
            Self::Damaged => "request_uri_damaged",
            Self::Expired => "request_uri_expired",
            Self::OtherClient => "request_uri_of_another_client",
        }
    }
}

impl Secrets {
    /// The `request_uri` of a checked request: as long as a handle of the same request and
    /// [`PREFIX`], so what fits here fits through sign-in.
    ///
    /// # Errors
    /// [`TooLong`]: the client has to send a shorter state.
    pub fn seal_pushed(&self, transaction: &Transaction, rng: &dyn Rng) -> Result<String, TooLong> {
        let sealed = self.seal_pushed_bytes(&write(transaction)?, rng);
        Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// The request behind a `request_uri`, for the client that pushed it. It begins now: the person
    /// has as long for it as for any other.
    ///
    /// # Errors
    /// [`PushedError`]; each is a page for the person, since no redirect is trusted by then.
    pub fn open_pushed(
        &self,
        request_uri: &str,
        client_id: &str,
        now: Timestamp,
    ) -> Result<Transaction, PushedError> {
        let sealed = request_uri
            .strip_prefix(PREFIX)
            .ok_or(PushedError::NotOurs)?;
        let sealed = URL_SAFE_NO_PAD.decode(sealed);
        let sealed = sealed.map_err(|_| PushedError::Damaged)?;
        let plain = self.open_pushed_bytes(&sealed);
        let plain = plain.map_err(|_| PushedError::Damaged)?;
        let pushed = read(plain).ok_or(PushedError::Damaged)?;
        if pushed.client.client_id != client_id && !weakened("rfc_9126a") {
            return Err(PushedError::OtherClient);
        }
        if now.since(pushed.created_at) > LIFETIME && !weakened("rfc_9126b") {
            return Err(PushedError::Expired);
        }
        Ok(Transaction {
            created_at: now,
            ..pushed
        })
    }
}

#[cfg(test)]
mod tests;
