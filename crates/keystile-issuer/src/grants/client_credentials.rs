//! `grant_type=client_credentials` (OAuth 2.1 §4.2): a client that an operator added acts for itself.

use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::client::ClientKind;
use keystile_domain::decide::client_credentials::client_credentials;
use keystile_domain::ids::GrantId;
use keystile_domain::records::{GrantType, ServiceRequest, service_subject};
use keystile_domain::time::Timestamp;
use keystile_protocol::error::OAuthError;
use keystile_protocol::mutation::weakened;
use keystile_protocol::token::{CredentialsRequest, TokenResponse};

use crate::app::App;
use crate::client_auth::AuthenticatedClient;
use crate::clients;
use crate::tokens::{Issue, issue};

/// Issues an access token, and never a refresh token (RFC 6749 §4.4.3).
pub(crate) async fn exchange(
    app: &App,
    client: &AuthenticatedClient,
    request: &CredentialsRequest,
    now: Timestamp,
) -> Result<TokenResponse, OAuthError> {
    client.require(GrantType::ClientCredentials)?;
    // No registration and no document can put it among the grant types; this says so once more.
    let proven = client.is_confidential() && client.kind() == ClientKind::PreRegistered;
    if !proven && !weakened("n_cc_03") {
        return Err(clients::not_proven());
    }
    let named = request.resource.iter().map(String::as_str);
    let resource = app.settings.resources.resolve(named)?;
    let scopes = client_credentials(request.scope.as_ref(), client.scopes(), resource)?;
    let asked = ServiceRequest {
        grant: GrantId::new(now, &*app.rng),
        client_id: client.client_id().to_owned(),
        client_name: client.name().to_owned(),
        resource: resource.resource.to_string(),
        scopes: scopes.clone(),
    };
    let audience = asked.resource.clone();
    let grant = app.service_grants.issue(asked, now).await;
    let grant = grant
        .map_err(OAuthError::internal)?
        .ok_or_else(|| clients::disabled(client.client_id()))?;
    let subject = if weakened("n_cc_04") {
        client.client_id().to_owned()
    } else {
        service_subject(client.client_id())
    };
    let id = grant.to_string();
    let event = Event {
        person: Some(&subject),
        client: Some(client.client_id()),
        grant: Some(&id),
        resource: Some(&audience),
        method: Some(GrantType::ClientCredentials.as_str()),
        ..Event::new(now, Action::Token, Outcome::Allow)
    };
    app.audit.append(&event).map_err(OAuthError::internal)?;
    let what = Issue {
        grant,
        subject: &subject,
        client_id: client.client_id(),
        resource,
        scopes: &scopes,
        generation: None,
    };
    issue(app, &what, now)
}
