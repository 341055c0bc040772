//! `POST /oauth/token` (OAuth 2.1 §3.2).

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, PRAGMA};
use http::request::Parts;
use keystile_domain::records::GrantType;
use keystile_domain::time::Timestamp;
use keystile_protocol::error::OAuthError;
use keystile_protocol::form::Params;
use keystile_protocol::mutation::weakened;
use keystile_protocol::token::{TokenRequest, TokenResponse};

use crate::app::{App, SharedApp};
use crate::client_auth::{self, authenticate};
use crate::endpoints::body::Form;
use crate::grants::{authorization_code, client_credentials, device_code, refresh_token};
use crate::traced;

/// Exchanges a code, a refresh token, or the proof of a client that acts for itself.
pub(crate) async fn post(
    State(app): State<SharedApp>,
    request: Parts,
    Form(params): Form,
) -> Response {
    let now = app.clock.now();
    let answered = answer(&app, &request, &params, now).await;
    let id = || client_auth::claimed(&app, &request, &params, now);
    let mut response = traced::token(&app, &params, id, answered, now).await;
    traced::tell_whose(&app, id, &params, &mut response).await;
    response
}

async fn answer(
    app: &App,
    request: &Parts,
    params: &Params,
    now: Timestamp,
) -> Result<Response, OAuthError> {
    let client = authenticate(app, request, params, now).await?;
    let tokens = match TokenRequest::parse(params)? {
        TokenRequest::AuthorizationCode(code) => {
            client.require(GrantType::AuthorizationCode)?;
            authorization_code::exchange(app, &client, &code, now).await?
        }
        TokenRequest::DeviceCode(device) => {
            device_code::exchange(app, &client, &device, now).await?
        }
        TokenRequest::RefreshToken(refresh) => {
            client.require(GrantType::RefreshToken)?;
            refresh_token::exchange(app, &client, &refresh, now).await?
        }
        TokenRequest::ClientCredentials(asked) => {
            client_credentials::exchange(app, &client, &asked, now).await?
        }
    };
    Ok(uncached(tokens))
}

/// RFC 6749 §5.1: JSON that no cache keeps.
fn uncached(tokens: TokenResponse) -> Response {
    if weakened("n_as_30") {
        return Json(tokens).into_response();
    }
    (
        [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")],
        Json(tokens),
    )
        .into_response()
}

/// The canonical resource that a token request names, if it names one.
///
/// # Errors
/// `invalid_target` for a resource that is not served here; nothing was touched by then.
pub(crate) fn named_resource(app: &App, asked: &[String]) -> Result<Option<String>, OAuthError> {
    if asked.is_empty() || weakened("n_as_22") {
        return Ok(None);
    }
    let found = app
        .settings
        .resources
        .resolve(asked.iter().map(String::as_str))?;
    Ok(Some(found.resource.to_string()))
}
