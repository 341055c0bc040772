//! `POST /oauth/register` (RFC 7591): the id is the sealed metadata, no row is kept.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use keystile_domain::decide::register::register;
use keystile_protocol::client_metadata::{ClientMetadata, MetadataError, TokenEndpointAuthMethod};
use keystile_protocol::error::{ErrorCode, OAuthError};
use serde::Serialize;

use crate::app::SharedApp;
use crate::endpoints::body::Json;
use crate::refusal::Refusal;

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

/// Registers a client.
pub(crate) async fn post(
    State(app): State<SharedApp>,
    Json(body): Json,
) -> Result<Response, Refusal> {
    let policy = app.settings.registration.as_ref().ok_or_else(closed)?;
    let asked = ClientMetadata::registration(&body).map_err(|error| unreadable(&error))?;
    let asked_order = asked.redirect_uris.clone();
    let registrable = register(asked, policy, &app.settings.resources)?;
    let method = registrable.auth_method;
    let client_id = app
        .secrets
        .seal_client_id(&registrable.metadata, method, &*app.rng)
        .map_err(|error| metadata_error(format!("{error}.")))?;
    let secret =
        (method != TokenEndpointAuthMethod::None).then(|| app.secrets.client_secret(&client_id));
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

/// RFC 7591 §3.2.2 has two codes.
fn unreadable(error: &MetadataError) -> OAuthError {
    let code = if error.is_about_redirect_uris() {
        ErrorCode::InvalidRedirectUri
    } else {
        ErrorCode::InvalidClientMetadata
    };
    OAuthError::new(code, format!("{error}."))
}

/// Where nobody registers there is no endpoint (N-AS-14).
fn closed() -> Refusal {
    let why = "Clients can't register themselves here; ask the operator for: keystile client add.";
    Refusal::from(metadata_error(why)).status(StatusCode::NOT_FOUND)
}

fn metadata_error(description: impl Into<std::borrow::Cow<'static, str>>) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClientMetadata, description)
}
