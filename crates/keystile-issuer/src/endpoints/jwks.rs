//! `GET /oauth/jwks` (RFC 7517 §5).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::app::SharedApp;

/// The public keys.
pub(crate) async fn get(State(app): State<SharedApp>) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/jwk-set+json"),
        (CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, app.keys.jwks().to_owned()).into_response()
}
