//! Authorization server metadata (RFC 8414 §3), the same document under both well-known names.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use keystile_protocol::metadata::{AuthorizationServerMetadata, Offers};

use crate::app::SharedApp;

/// What this issuer offers.
pub(crate) async fn get(State(app): State<SharedApp>) -> Response {
    let offers = Offers {
        client_id_metadata_documents: app.documents.is_open(),
        registration: app.settings.registration.is_some(),
    };
    let settings = &app.settings;
    let document = AuthorizationServerMetadata::new(&settings.issuer, &settings.resources, offers);
    ([(CACHE_CONTROL, "public, max-age=60")], Json(document)).into_response()
}
