//! THE table of paths.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Response;
use axum::routing::{any, get, post};
use keystile_protocol::mutation::weakened;

use crate::app::SharedApp;
use crate::endpoints::{authorize, jwks, metadata, register, revoke, token};
use crate::pages::asset;

/// The most bytes of a form or a registration.
pub(crate) const LARGEST_BODY: usize = 64 * 1024;

/// The routes of the issuer and its pages.
pub fn routes(app: SharedApp) -> Router {
    let mut router = Router::new()
        .route(
            "/.well-known/oauth-authorization-server",
            get(metadata::get),
        )
        .route("/oauth/authorize", get(authorize::get))
        .route("/oauth/token", post(token::post))
        .route("/oauth/register", post(register::post))
        .route("/oauth/revoke", post(revoke::post))
        .route("/oauth/jwks", get(jwks::get))
        .route("/ks/style.css", get(asset::style))
        .route("/ks/icon.svg", get(asset::icon))
        .merge(crate::sign_in::routes())
        .route("/ks/{*nowhere}", any(nowhere));
    if !weakened("n_as_02") {
        router = router.route("/.well-known/openid-configuration", get(metadata::get));
    }
    if app.settings.resources.only().is_some() {
        // The 2025-03-26 façade: clients of that revision look at the origin of the MCP URL.
        router = router
            .route("/authorize", get(authorize::get))
            .route("/token", post(token::post))
            .route("/register", post(register::post));
    }
    router
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(app)
}

/// A page that is not there, said on a page.
async fn nowhere() -> Response {
    crate::pages::error::nowhere()
}
