//! `POST /oauth/revoke` (RFC 7009): a client gives back what it holds.

use axum::extract::State;
use http::StatusCode;
use http::request::Parts;
use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::ids::GrantId;
use keystile_domain::records::service_subject;
use keystile_domain::time::Timestamp;
use keystile_protocol::error::OAuthError;
use keystile_protocol::mutation::weakened;

use crate::app::{App, SharedApp};
use crate::client_auth::authenticate;
use crate::endpoints::body::Form;
use crate::endpoints::own_tokens::access_claims;
use crate::refusal::Refusal;

/// Ends the grant of a refresh or access token. 200 for every token, ours or not (RFC 7009 §2.2); a
/// foreign client ends nothing.
pub(crate) async fn post(
    State(app): State<SharedApp>,
    request: Parts,
    Form(params): Form,
) -> Result<StatusCode, Refusal> {
    let now = app.clock.now();
    let client = authenticate(&app, &request, &params, now).await?;
    let token = params
        .one("token")
        .ok_or_else(|| OAuthError::invalid_request("token is missing: send the token to end."))?;
    let Some(grant) = grant_of(&app, token, now) else {
        return Ok(StatusCode::OK);
    };
    let Some(held) = held(&app, grant).await? else {
        return Ok(StatusCode::OK);
    };
    if held.client_id != client.client_id() && !weakened("a_024") {
        return Ok(StatusCode::OK);
    }
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

/// Whose grant it is.
struct Held {
    client_id: String,
    subject: String,
    is_service: bool,
}

async fn held(app: &App, grant: GrantId) -> Result<Option<Held>, OAuthError> {
    let given = app.grants.lookup(grant).await;
    if let Some(record) = given.map_err(OAuthError::internal)? {
        return Ok(Some(Held {
            client_id: record.client_id,
            subject: record.person.to_string(),
            is_service: false,
        }));
    }
    let own = app.service_grants.lookup(grant).await;
    Ok(own.map_err(OAuthError::internal)?.map(|own| Held {
        subject: service_subject(&own.client_id),
        client_id: own.client_id,
        is_service: true,
    }))
}

fn grant_of(app: &App, token: &str, now: Timestamp) -> Option<GrantId> {
    if let Some((grant, _)) = app.secrets.open_refresh_token(token) {
        return Some(grant);
    }
    let claims = access_claims(app, token, now)?;
    claims.sid.as_deref()?.parse().ok()
}
