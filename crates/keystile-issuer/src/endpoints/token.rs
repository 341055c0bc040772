//! `POST /oauth/token` (OAuth 2.1 §3.2).

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use keystile_protocol::error::OAuthError;
use keystile_protocol::form::Params;
use keystile_protocol::token::{TokenRequest, TokenResponse};

use crate::app::{App, SharedApp};
use crate::client_auth::authenticate;
use crate::grants::{authorization_code, refresh_token};
use crate::refusal::Refusal;

/// Exchanges a code or a refresh token.
pub(crate) async fn post(
    State(app): State<SharedApp>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let now = app.clock.now();
    let params = form(&headers, &body)?;
    let client = authenticate(&app, &headers, &params, now).await?;
    let tokens = match TokenRequest::parse(&params)? {
        TokenRequest::AuthorizationCode(code) => {
            authorization_code::exchange(&app, &client, &code, now).await?
        }
        TokenRequest::RefreshToken(refresh) => {
            refresh_token::exchange(&app, &client, &refresh, now).await?
        }
    };
    Ok(uncached(tokens))
}

/// RFC 6749 §5.1: JSON that no cache keeps.
fn uncached(tokens: TokenResponse) -> Response {
    (
        [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")],
        Json(tokens),
    )
        .into_response()
}

/// The parameters of a form body.
///
/// # Errors
/// `invalid_request` for another content type or a repeated parameter.
pub(crate) fn form(headers: &HeaderMap, body: &[u8]) -> Result<Params, OAuthError> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(OAuthError::invalid_request(
            "Content-Type must be application/x-www-form-urlencoded.",
        ));
    }
    Params::parse(body).map_err(|error| OAuthError::invalid_request(format!("{error}.")))
}

/// The canonical resource that a token request names, if it names one.
///
/// # Errors
/// `invalid_target` for a resource that is not served here; nothing was touched by then.
pub(crate) fn named_resource(app: &App, asked: &[String]) -> Result<Option<String>, OAuthError> {
    if asked.is_empty() {
        return Ok(None);
    }
    let found = app
        .settings
        .resources
        .resolve(asked.iter().map(String::as_str))?;
    Ok(Some(found.resource.to_string()))
}
