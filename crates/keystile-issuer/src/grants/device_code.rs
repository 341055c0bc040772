//! `grant_type=urn:ietf:params:oauth:grant-type:device_code` (RFC 8628 §3.4).

use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::decide::device::redeem;
use keystile_domain::records::{DeviceMismatch, DeviceOutcome, DevicePoll, GrantType};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use keystile_protocol::error::OAuthError;
use keystile_protocol::token::{DeviceCodeRequest, TokenResponse};

use super::authorization_code::first_tokens;
use crate::app::App;
use crate::client_auth::AuthenticatedClient;
use crate::endpoints::token::named_resource;

/// Answers a device that asks whether its person has said yes; a yes gives tokens once.
pub(crate) async fn exchange(
    app: &App,
    client: &AuthenticatedClient,
    request: &DeviceCodeRequest,
    now: Timestamp,
) -> Result<TokenResponse, OAuthError> {
    client.require(GrantType::DeviceCode)?;
    let poll = DevicePoll {
        code: Digest::of(&request.device_code),
        client_id: client.client_id().to_owned(),
        client_proved: client.is_confidential(),
        resource: named_resource(app, &request.resource)?,
    };
    let outcome = app.device_requests.poll(poll, now).await;
    let outcome = outcome.map_err(OAuthError::internal)?;
    if let DeviceOutcome::No(mismatch) = outcome {
        refused(app, client, mismatch, now).await?;
    }
    let taken = redeem(outcome)?;
    first_tokens(app, client, &taken, (GrantType::DeviceCode, now)).await
}

/// Stands in the trail before the answer, unless nobody made the code, or somebody's no stands there
/// already: who sends noise must not fill the disk.
async fn refused(
    app: &App,
    client: &AuthenticatedClient,
    mismatch: DeviceMismatch,
    now: Timestamp,
) -> Result<(), OAuthError> {
    let quiet = [
        DeviceMismatch::Unknown,
        DeviceMismatch::Denied,
        DeviceMismatch::Expired,
    ];
    if quiet.contains(&mismatch) {
        return Ok(());
    }
    let event = Event {
        client: Some(client.client_id()),
        method: Some(GrantType::DeviceCode.as_str()),
        reason: Some(mismatch.as_str()),
        ..Event::new(now, Action::Token, Outcome::Deny)
    };
    app.audit.record(&event).await.map_err(OAuthError::internal)
}
