//! The limit of an endpoint, before anything of a request is read: 429 with `Retry-After`.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use keystile_domain::secrets::reference::Reference;
use keystile_protocol::error::OAuthError;

use super::{Endpoint, TOO_MANY};
use crate::app::SharedApp;
use crate::pages::shown;
use crate::peer;
use crate::refusal::{self, Advice, Refusal};

/// Counts the requests of each network to this route.
pub(crate) fn limited(
    app: &SharedApp,
    endpoint: Endpoint,
    route: MethodRouter<SharedApp>,
) -> MethodRouter<SharedApp> {
    route.layer(from_fn_with_state((app.clone(), endpoint), count))
}

async fn count(
    State((app, endpoint)): State<(SharedApp, Endpoint)>,
    request: Request,
    next: Next,
) -> Response {
    let peer = peer::of(request.extensions());
    let paid = match app.limits.request(endpoint, peer, app.clock.now()) {
        Ok(paid) => paid,
        // Not in the audit trail: it would let a stranger fill the disk as fast as they can ask.
        Err(wait) => return too_many(&app, endpoint, wait),
    };
    let response = next.run(request).await;
    if response.status().is_success() || response.status().is_redirection() {
        paid.answered();
    }
    response
}

fn too_many(app: &SharedApp, endpoint: Endpoint, wait: Duration) -> Response {
    let time = shown::wait(wait);
    let why = format!("Too many requests came from your network. Try again in {time}.");
    let error = OAuthError::too_many(why, wait).because(TOO_MANY);
    if endpoint == Endpoint::Authorize {
        return refusal::page(&error, &Advice::default(), &Reference::new(&*app.rng));
    }
    Refusal::from(error).into_response()
}
