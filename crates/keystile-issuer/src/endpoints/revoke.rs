//! `POST /oauth/revoke` (RFC 7009): a client gives back what it holds.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::request::Parts;
use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::time::Timestamp;
use keystile_protocol::error::OAuthError;
use keystile_protocol::form::Params;
use keystile_protocol::mutation::weakened;

use crate::app::{App, SharedApp};
use crate::client_auth::{self, authenticate};
use crate::endpoints::body::Form;
use crate::endpoints::own_tokens::{grant_of, held};
use crate::refusal::Refusal;
use crate::traced;

/// 200 for every token, ours or not (RFC 7009 §2.2).
pub(crate) async fn post(
    State(app): State<SharedApp>,
    request: Parts,
    Form(params): Form,
) -> Response {
    let now = app.clock.now();
    let ended = end(&app, &request, &params, now).await;
    let mut response = ended.map_err(Refusal::from).into_response();
    let id = || client_auth::claimed(&app, &request, &params, now);
    traced::tell_whose(&app, id, &params, &mut response).await;
    response
}

/// Ends the grant of a refresh or access token; a foreign client ends nothing.
async fn end(
    app: &App,
    request: &Parts,
    params: &Params,
    now: Timestamp,
) -> Result<StatusCode, OAuthError> {
    let client = authenticate(app, request, params, now).await?;
    let token = params
        .one("token")
        .ok_or_else(|| OAuthError::invalid_request("token is missing: send the token to end."))?;
    let Some(grant) = grant_of(app, token, now) else {
        return Ok(StatusCode::OK);
    };
    let Some(held) = held(app, grant).await? else {
        return Ok(StatusCode::OK);
    };
    if held.client_id != client.client_id() && !weakened("a_024") {
        return Ok(StatusCode::OK);
    }
    client.require_proof(held.client_proves)?;
    let revoked = if held.is_service {
        app.service_grants.revoke(grant, "by_client", now).await
    } else {
        app.grants.revoke(grant, "by_client", now).await
    };
    if revoked.map_err(OAuthError::internal)? {
        let grant = grant.to_string();
        let event = Event {
            person: Some(&held.subject),
            client: Some(client.client_id()),
            grant: Some(&grant),
            reason: Some("by_client"),
            ..Event::new(now, Action::Grant, Outcome::Allow)
        };
        app.audit
            .record(&event)
            .await
            .map_err(OAuthError::internal)?;
    }
    Ok(StatusCode::OK)
}
