//! What a device hears that shows its code (RFC 8628 §3.5).

use keystile_protocol::error::{ErrorCode, OAuthError};

use super::redeem::client_proof_missing;
use crate::records::{DeviceMismatch, DeviceOutcome, TakenCode};

/// Decides a device's token request.
///
/// A code that was used is refused and nothing more: a device polls, so a second request is more
/// often its own, sent when the first answer was late, than a thief's. The thief gets nothing, and
/// the honest device keeps what it got.
///
/// # Errors
/// `authorization_pending` and `slow_down` until there is an answer; then `access_denied`,
/// `expired_token`, `invalid_grant` or `invalid_target`.
pub fn redeem(outcome: DeviceOutcome) -> Result<TakenCode, OAuthError> {
    match outcome {
        DeviceOutcome::First(taken) => Ok(taken),
        DeviceOutcome::Pending => Err(OAuthError::new(
            ErrorCode::AuthorizationPending,
            "The person has not answered yet: ask again after the interval.",
        )),
        DeviceOutcome::TooSoon => Err(OAuthError::new(
            ErrorCode::SlowDown,
            "The person has not answered yet, and this came too soon: wait 5 seconds more than before, each time from now on.",
        )),
        DeviceOutcome::No(mismatch) => Err(refuse(mismatch)),
    }
}

fn refuse(mismatch: DeviceMismatch) -> OAuthError {
    let (code, why) = match mismatch {
        DeviceMismatch::ClientProof => return client_proof_missing(),
        DeviceMismatch::Unknown => (
            ErrorCode::InvalidGrant,
            "The device_code is unknown here. Start again.",
        ),
        DeviceMismatch::Client => (
            ErrorCode::InvalidGrant,
            "The device_code was given to another client_id: send the one that asked for it, or start again.",
        ),
        DeviceMismatch::Denied => (ErrorCode::AccessDenied, "The person said no."),
        DeviceMismatch::Expired => (
            ErrorCode::ExpiredToken,
            "The device_code is older than 10 minutes. Start again.",
        ),
        DeviceMismatch::Resource => (
            ErrorCode::InvalidTarget,
            "resource is not the one that the device asked for: send the same one twice.",
        ),
        DeviceMismatch::Used => (
            ErrorCode::InvalidGrant,
            "The device_code was used before. Use the tokens that it gave, or start again.",
        ),
        DeviceMismatch::Revoked => (
            ErrorCode::InvalidGrant,
            "The connection was ended meanwhile. Start again.",
        ),
    };
    OAuthError::new(code, why).because(mismatch.as_str())
}
