//! Who a `client_id` is: sealed by us, the URL of a document, or a record of the operator's.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use keystile_domain::client::{Client, ClientKind, Trust};
use keystile_domain::decide::diagnose::client::lost;
use keystile_domain::records::GrantType;
use keystile_domain::secrets::client_id;
use keystile_domain::time::Timestamp;
use keystile_fetch::{Document, LookupError, Tier};
use keystile_protocol::client_id_url::ClientIdUrl;
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::mutation::weakened;
use keystile_protocol::redirect::RedirectUri;

use crate::app::App;

/// The client of an authorization request.
///
/// # Errors
/// `invalid_client` with what to do. So is a document that can't be had: its host is the client's.
pub(crate) async fn resolve(
    app: &App,
    client_id: &str,
    now: Timestamp,
) -> Result<Client, OAuthError> {
    if client_id.starts_with(client_id::PREFIX) {
        return app.secrets.open_client_id(client_id).ok_or_else(|| {
            unknown("This client_id was not registered here (or with another key). Register again.")
                .because(UNKNOWN)
                .with_detail(lost(client_id, app.secrets.sealed_by(client_id)))
        });
    }
    if ClientIdUrl::is_meant_by(client_id) {
        return by_document(app, client_id, now).await;
    }
    let found = app
        .clients
        .lookup(client_id)
        .await
        .map_err(OAuthError::internal)?;
    found.map(Client::from).ok_or_else(not_known)
}

/// The client of a sign-in: known, not kept out, and one that people sign in to.
///
/// # Errors
/// As [`resolve`], and `unauthorized_client` for one that only acts for itself.
pub(crate) async fn for_sign_in(
    app: &App,
    client_id: &str,
    now: Timestamp,
) -> Result<Client, OAuthError> {
    let client = resolve(app, client_id, now).await?;
    let kept_out = app.clients.disabled_since(client_id).await;
    if kept_out.map_err(OAuthError::internal)?.is_some() && !weakened("a_025") {
        return Err(disabled());
    }
    if !client.grant_types.contains(GrantType::AuthorizationCode) {
        let why = "This client is not registered for people to sign in to; the operator adds one that is with: keystile client add.";
        return Err(
            OAuthError::new(ErrorCode::UnauthorizedClient, why).because("client_grant_type")
        );
    }
    Ok(client)
}

/// Nobody has this id.
pub(crate) fn not_known() -> OAuthError {
    unknown("This client_id is not known here. Register first.").because(UNKNOWN)
}

/// The operator keeps this client out.
pub(crate) fn disabled() -> OAuthError {
    unknown(
        "The operator of this server has disabled this client. Ask for: keystile client enable.",
    )
    .because("client_disabled")
}

/// The client only says who it is.
pub(crate) fn not_proven() -> OAuthError {
    unknown("This is for clients that authenticate with a secret or a key, added by the operator: keystile client add --auth.")
        .because("client_not_proven")
}

/// Pays for the fetch that this `client_id` would cause, if it would cause one (CHECKLIST A-060).
///
/// # Errors
/// How long to wait.
pub(crate) fn pay_for_fetch(
    app: &App,
    client_id: &str,
    peer: IpAddr,
    now: Timestamp,
) -> Result<(), Duration> {
    let fetches = |url: &ClientIdUrl| app.documents.would_fetch(url, now.0);
    match ClientIdUrl::parse(client_id) {
        Ok(url) if fetches(&url) => app.limits.fetch_document(peer, now),
        _ => Ok(()),
    }
}

/// What stands at a `client_id` that is a URL.
///
/// # Errors
/// `invalid_client`.
pub(crate) async fn document(
    app: &App,
    client_id: &str,
    now: Timestamp,
) -> Result<Arc<Document>, OAuthError> {
    let url =
        ClientIdUrl::parse(client_id).map_err(|error| unknown(format!("client_id: {error}.")))?;
    app.documents
        .lookup(&url, now.0)
        .await
        .map_err(refuse_document)
}

async fn by_document(app: &App, client_id: &str, now: Timestamp) -> Result<Client, OAuthError> {
    let document = document(app, client_id, now).await?;
    let metadata = &document.metadata;
    let method = metadata
        .choose_auth_method(&[TokenEndpointAuthMethod::None], TokenEndpointAuthMethod::None)
        .ok_or_else(|| {
            unknown("The client's document asks for an authentication that is not supported for documents; expected none.")
        })?;
    let id = client_id.to_owned();
    let client = Client::from_metadata(id, ClientKind::Document, metadata, method);
    let tier = ClientIdUrl::parse(client_id).map(|url| app.documents.tier(&url));
    Ok(client.with_trust(match tier {
        Ok(Tier::Pinned) => Trust::Shipped,
        Ok(Tier::TrustedHost) => Trust::Operator,
        Ok(Tier::Unknown) | Err(_) => Trust::Unknown,
    }))
}

/// A self-registered client whose redirect the owner approved of stays only as long as that stands.
///
/// # Errors
/// `invalid_request` on a page of our own: its redirect is no longer trusted.
pub(crate) async fn still_approved(
    app: &App,
    client: &Client,
    redirect: &RedirectUri,
) -> Result<(), OAuthError> {
    let policy = app.settings.registration.as_ref();
    let known = policy.is_some_and(|policy| policy.knows(redirect)) || redirect.is_loopback();
    if client.trust != Trust::Approved || known {
        return Ok(());
    }
    let place = redirect.place();
    let approved = app.registrations.is_approved(&place).await;
    if approved.map_err(OAuthError::internal)? {
        return Ok(());
    }
    let why = format!(
        "Sign-ins may no longer lead to {place}. Whoever runs this server allows it again with: keystile client redirect approve {place}"
    );
    Err(OAuthError::invalid_request(why).because("redirect_approval_removed"))
}

/// What the operator may know of the network behind this server, a stranger may not.
fn refuse_document(error: LookupError) -> OAuthError {
    let public = error.public_message();
    unknown(format!("The client can't be used: {public}."))
        .because("client_document_unusable")
        .with_detail(error)
}

/// The reason of a `client_id` that nobody has here (any more).
pub(crate) const UNKNOWN: &str = "client_unknown";

fn unknown(description: impl Into<std::borrow::Cow<'static, str>>) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClient, description)
}
