//! THE table of paths.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{MethodRouter, any, get, post};
use http::{Method, StatusCode};
use keystile_protocol::error::OAuthError;
use keystile_protocol::mutation::weakened;

use crate::app::SharedApp;
use crate::endpoints::{authorize, introspect, jwks, metadata, register, revoke, token};
use crate::pages::asset;
use crate::refusal::{self, Refusal};

/// The most bytes of a form or a registration.
pub(crate) const LARGEST_BODY: usize = 64 * 1024;

/// The routes of the issuer and its pages.
pub fn routes(app: SharedApp) -> Router {
    let mut router = Router::new()
        .route(
            "/.well-known/oauth-authorization-server",
            program(get(metadata::get), "GET, HEAD"),
        )
        .route("/oauth/authorize", get(authorize::get))
        .route("/oauth/token", program(post(token::post), "POST"))
        .route("/oauth/register", program(post(register::post), "POST"))
        .route("/oauth/revoke", program(post(revoke::post), "POST"))
        .route("/oauth/introspect", program(post(introspect::post), "POST"))
        .route("/oauth/jwks", program(get(jwks::get), "GET, HEAD"))
        .route("/oauth/{*nowhere}", any(no_endpoint))
        .route("/ks/style.css", get(asset::style))
        .route("/ks/icon.svg", get(asset::icon))
        .merge(crate::sign_in::routes())
        .route("/ks/{*nowhere}", any(nowhere));
    if !weakened("n_as_02") {
        router = router.route(
            "/.well-known/openid-configuration",
            program(get(metadata::get), "GET, HEAD"),
        );
    }
    if app.settings.resources.only().is_some() {
        // The 2025-03-26 façade: clients of that revision look at the origin of the MCP URL.
        router = router
            .route("/authorize", get(authorize::get))
            .route("/token", program(post(token::post), "POST"))
            .route("/register", program(post(register::post), "POST"));
    }
    router
        .method_not_allowed_fallback(crate::pages::error::other_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(app.clone(), refusal::render))
        .with_state(app)
}

/// An endpoint for programs: a wrong method is refused as everything else is, in JSON.
fn program(endpoint: MethodRouter<SharedApp>, allow: &'static str) -> MethodRouter<SharedApp> {
    endpoint.fallback(move |method: Method| async move {
        let expected = allow.split(',').next().unwrap_or(allow);
        let why = format!("This endpoint takes {expected}; {method} was sent.");
        Refusal::from(OAuthError::invalid_request(why).because("other_method"))
            .status(StatusCode::METHOD_NOT_ALLOWED)
            .allow(allow)
    })
}

async fn no_endpoint(State(app): State<SharedApp>) -> Refusal {
    let metadata = app
        .settings
        .issuer
        .at("/.well-known/oauth-authorization-server");
    let why = format!("There is no such endpoint; {metadata} names those that there are.");
    Refusal::from(OAuthError::invalid_request(why).because("no_such_endpoint"))
        .status(StatusCode::NOT_FOUND)
}

/// A page that is not there, said on a page.
async fn nowhere() -> Response {
    crate::pages::error::nowhere()
}
