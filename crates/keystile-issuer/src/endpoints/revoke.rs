//! `POST /oauth/revoke` (RFC 7009): a client gives back what it holds.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::ids::GrantId;
use keystile_domain::records::GrantRecord;
use keystile_domain::time::Timestamp;
use keystile_protocol::error::OAuthError;
use keystile_protocol::jwt::{Expectations, UnverifiedJwt};
use keystile_protocol::mutation::weakened;

use crate::app::{App, SharedApp};
use crate::client_auth::authenticate;
use crate::endpoints::body::Form;
use crate::refusal::Refusal;

/// Ends the grant of a refresh or access token. 200 for every token, ours or not (RFC 7009 §2.2); a
/// foreign client ends nothing.
pub(crate) async fn post(
    State(app): State<SharedApp>,
    headers: HeaderMap,
    Form(params): Form,
) -> Result<StatusCode, Refusal> {
    let now = app.clock.now();
    let client = authenticate(&app, &headers, &params, now).await?;
    let token = params
        .one("token")
        .ok_or_else(|| OAuthError::invalid_request("token is missing: send the token to end."))?;
    let Some(grant) = grant_of(&app, token, now) else {
        return Ok(StatusCode::OK);
    };
    let record = app
        .grants
        .lookup(grant)
        .await
        .map_err(OAuthError::internal)?;
    let own = |record: &GrantRecord| record.client_id == client.client_id() || weakened("a_024");
    let Some(record) = record.filter(own) else {
        return Ok(StatusCode::OK);
    };
    if app
        .grants
        .revoke(grant, "by_client", now)
        .await
        .map_err(OAuthError::internal)?
    {
        let (grant, person) = (grant.to_string(), record.person.to_string());
        let event = Event {
            person: Some(&person),
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

fn grant_of(app: &App, token: &str, now: Timestamp) -> Option<GrantId> {
    if let Some((grant, _)) = app.secrets.open_refresh_token(token) {
        return Some(grant);
    }
    let keys = app.keys.verification_keys();
    let now = u64::try_from(now.seconds()).ok()?;
    app.settings.resources.iter().find_map(|entry| {
        let expected = Expectations {
            issuer: app.settings.issuer.as_str(),
            resource: entry.resource.as_str(),
            now,
            skew: 0,
        };
        let claims = UnverifiedJwt::parse(token)
            .ok()?
            .verify(&keys, &expected)
            .ok()?;
        claims.sid.as_deref()?.parse().ok()
    })
}
