//! `GET /oauth/jwks` (RFC 7517 §5).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use keystile_protocol::jwt::sign::JWKS_MAX_AGE;

use crate::app::SharedApp;

/// The public keys.
pub(crate) async fn get(State(app): State<SharedApp>) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/jwk-set+json".to_owned()),
        (CACHE_CONTROL, format!("public, max-age={JWKS_MAX_AGE}")),
    ];
    (headers, app.keys.jwks().to_string()).into_response()
}
