//! THE table of paths.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, any, get, post};
use http::{Method, StatusCode, Uri};
use keystile_protocol::error::OAuthError;
use keystile_protocol::mutation::weakened;

use crate::app::SharedApp;
use crate::drain;
use crate::endpoints::address::without_secrets;
use crate::endpoints::{
    authorize, device, introspect, jwks, metadata, par, register, revoke, token,
};
use crate::limits::Endpoint;
use crate::limits::endpoint::counted;
use crate::pages::asset;
use crate::refusal::{self, Refusal};
use crate::traced;

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
        .route("/oauth/token", token())
        .route("/oauth/register", register(&app))
        .route("/oauth/revoke", program(post(revoke::post), "POST"))
        .route("/oauth/introspect", program(post(introspect::post), "POST"))
        .route("/oauth/device", program(post(device::post), "POST"))
        .route("/oauth/par", program(post(par::post), "POST"))
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
    // The 2025-03-26 façade: clients of that revision look at the origin of the MCP URL. With two
    // servers nobody could tell which one is meant.
    router = match app.settings.resources.only().is_some() || weakened("a_047") {
        true => router
            .route("/authorize", get(authorize::get))
            .route("/token", token())
            .route("/register", register(&app)),
        false => router
            .route("/authorize", any(no_endpoint))
            .route("/token", any(no_endpoint))
            .route("/register", any(no_endpoint)),
    };
    router
        .method_not_allowed_fallback(crate::pages::error::other_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(app.clone(), around))
        .with_state(app)
}

fn token() -> MethodRouter<SharedApp> {
    program(post(token::post), "POST")
}

fn register(app: &SharedApp) -> MethodRouter<SharedApp> {
    if app.settings.registration.is_none() && !weakened("n_as_14") {
        return any(register::closed);
    }
    program(post(register::post), "POST")
}

/// What is the same for all of them, whatever is at the path: the limit of its endpoint, the end of its body, and its
/// refusal.
async fn around(State(app): State<SharedApp>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let (stage, endpoint) = (traced::stage(path), Endpoint::of(path));
    let answer = async |request| match endpoint {
        Some(endpoint) => counted(&app, endpoint, request, next).await,
        None => next.run(request).await,
    };
    let response = drain::rest(request, answer).await;
    refusal::render(&app, stage, response)
}

/// An endpoint for programs: a wrong method is refused as everything else is, in JSON.
fn program(endpoint: MethodRouter<SharedApp>, allow: &'static str) -> MethodRouter<SharedApp> {
    endpoint.fallback(move |method: Method, address: Uri| async move {
        let expected = allow.split(',').next().unwrap_or(allow);
        let why = format!("This endpoint takes {expected}; {method} was sent.");
        let wrong = OAuthError::invalid_request(why).because("other_method");
        let error = without_secrets(&address).err().unwrap_or(wrong);
        Refusal::from(error)
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
