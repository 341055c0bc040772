//! `POST /oauth/register` (RFC 7591): the id is the sealed metadata, no row is kept.

mod initial_access;

use std::net::IpAddr;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use keystile_domain::decide::client_credentials::operators_only;
use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::decide::register::{
    Leave, Registrable, RegistrationMode, RegistrationPolicy, admit, auth_method, register,
};
use keystile_domain::time::Timestamp;
use keystile_protocol::client_metadata::{ClientMetadata, MetadataError};
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::mutation::weakened;
use serde::Serialize;
use url::Url;

use crate::app::{App, SharedApp};
use crate::endpoints::body::Json;
use crate::fetched;
use crate::peer;
use crate::refusal::Refusal;
use initial_access::InitialAccess;

/// RFC 7591 §3.2.1. A public client that registers twice gets the same answer.
#[derive(Serialize)]
struct Registration {
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// 0: it does not expire. Required beside a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<u8>,
    #[serde(flatten)]
    metadata: ClientMetadata,
}

/// Registers a client. An initial access token is spent last, when nothing else can fail.
pub(crate) async fn post(
    State(app): State<SharedApp>,
    request: Parts,
    body: Result<Json, Refusal>,
) -> Result<Response, Refusal> {
    let policy = app.settings.registration.as_ref();
    let open = RegistrationPolicy::default();
    let policy = policy
        .or(weakened("n_as_14").then_some(&open))
        .ok_or_else(not_here)?;
    let (peer, now) = (peer::of(&request.extensions), app.clock.now());
    let needed = policy.mode == RegistrationMode::InitialAccessToken;
    let access = InitialAccess::shown(&request.headers)?.token(needed)?;
    let Json(body) = body?;
    let asked = ClientMetadata::registration(&body).map_err(|error| unreadable(&error))?;
    let asked_order = asked.redirect_uris.clone();
    let asked = within_reach(&app, asked)?;
    let registrable = register(asked, policy, &app.settings.resources)?;
    let leave = match access {
        Some(_) => Leave::Token,
        None => approved(&app, &registrable).await?,
    };
    let trust = admit(&registrable, policy, &leave)
        .inspect_err(|_| remember(&app, policy, &registrable, peer, now))?;
    let method = registrable.auth_method;
    let client_id = app
        .secrets
        .seal_client_id(&registrable.metadata, method, trust, &*app.rng)
        .map_err(|error| metadata_error(format!("{error}.")))?;
    if let Some(access) = access {
        access.spend(&app, &client_id, peer, now).await?;
    }
    let secret = method
        .is_shared_secret()
        .then(|| app.secrets.client_secret(&client_id));
    let answer = Registration {
        client_secret_expires_at: secret.is_some().then_some(0),
        client_secret: secret,
        client_id,
        metadata: ClientMetadata {
            redirect_uris: asked_order,
            ..registrable.metadata
        },
    };
    Ok((
        StatusCode::CREATED,
        [(CACHE_CONTROL, "no-store")],
        axum::Json(answer),
    )
        .into_response())
}

/// Where nobody registers there is no endpoint (N-AS-14).
pub(crate) async fn closed() -> Refusal {
    not_here()
}

fn not_here() -> Refusal {
    let why = "Clients can't register themselves here; ask whoever runs this server for: keystile client add.";
    let closed = metadata_error(why).because("registration_off");
    Refusal::from(closed).status(StatusCode::NOT_FOUND)
}

/// Without keys that this server would never ask for, if the client can do without them.
fn within_reach(app: &App, asked: ClientMetadata) -> Result<ClientMetadata, OAuthError> {
    let uri = asked.jwks_uri.as_deref().map(Url::parse);
    let Some(Ok(uri)) = uri else {
        return Ok(asked);
    };
    if app.documents.may_fetch_from(&uri) {
        return Ok(asked);
    }
    let without = ClientMetadata {
        jwks_uri: None,
        ..asked
    };
    if auth_method(&without).is_ok() {
        return Ok(without);
    }
    let host = fetched::host(&uri);
    let or = match app.documents.is_open() {
        true => format!(", or to start it with --trust-client-host {host}"),
        false => String::new(),
    };
    let refusal = metadata_error(format!(
        "No keys are fetched from {host} here (jwks_uri). Register with another token_endpoint_auth_method, or ask whoever runs this server for: keystile client add --auth private_key_jwt --jwks FILE{or}."
    ))
    .because("registration_keys_not_fetched");
    let told = Diagnosis::of(&refusal).filled("HOST", &host);
    Err(refusal.with_detail(told))
}

/// Which of the places that need leave the owner approved of.
async fn approved(app: &App, asked: &Registrable) -> Result<Leave, OAuthError> {
    let mut places = asked.places();
    for place in asked.places() {
        let approved = app.registrations.is_approved(&place).await;
        if !approved.map_err(OAuthError::internal)? {
            places.remove(&place);
        }
    }
    Ok(Leave::Places(places))
}

/// What nobody knows is kept for the owner, where the owner is asked.
fn remember(
    app: &App,
    policy: &RegistrationPolicy,
    asked: &Registrable,
    peer: IpAddr,
    now: Timestamp,
) {
    if policy.mode != RegistrationMode::Approval {
        return;
    }
    let name = asked.metadata.client_name.as_deref();
    for place in asked.places() {
        app.asked_redirects.remember(&place, name, peer, now);
    }
}

/// RFC 7591 §3.2.2 has two codes.
fn unreadable(error: &MetadataError) -> OAuthError {
    if *error == MetadataError::ForItself {
        return operators_only(ErrorCode::InvalidClientMetadata);
    }
    let code = if error.is_about_redirect_uris() {
        ErrorCode::InvalidRedirectUri
    } else {
        ErrorCode::InvalidClientMetadata
    };
    OAuthError::new(code, format!("{error}."))
}

fn metadata_error(description: impl Into<std::borrow::Cow<'static, str>>) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClientMetadata, description)
}
