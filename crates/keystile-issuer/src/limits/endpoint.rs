//! The limit of an endpoint, before anything of a request is read: 429 with `Retry-After`.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use keystile_protocol::error::OAuthError;

use super::{Endpoint, TOO_MANY};
use crate::app::App;
use crate::pages::shown;
use crate::peer;
use crate::refusal::{self, Advice, Refusal};

impl Endpoint {
    /// What a request to this path counts as, whatever its method is.
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path {
            "/oauth/authorize" | "/authorize" => Some(Self::Authorize),
            "/oauth/token" | "/token" | "/oauth/revoke" => Some(Self::Token),
            "/oauth/register" | "/register" => Some(Self::Register),
            "/oauth/introspect" => Some(Self::Introspect),
            "/oauth/device" => Some(Self::Device),
            "/oauth/par" => Some(Self::Push),
            _ => None,
        }
    }
}

/// Answers a request to this endpoint, unless there were too many from its network.
pub(crate) async fn counted(
    app: &App,
    endpoint: Endpoint,
    request: Request,
    next: Next,
) -> Response {
    let peer = peer::of(request.extensions());
    let paid = match app.limits.request(endpoint, peer, app.clock.now()) {
        Ok(paid) => paid,
        // Not in the audit trail: it would let a stranger fill the disk as fast as they can ask.
        Err(wait) => return too_many(endpoint, wait),
    };
    let response = next.run(request).await;
    if response.status().is_success() || response.status().is_redirection() {
        paid.answered();
    }
    response
}

/// Without a reference: nothing is kept of it.
fn too_many(endpoint: Endpoint, wait: Duration) -> Response {
    let time = shown::wait(wait);
    let why = format!("Too many requests came from your network. Try again in {time}.");
    let error = OAuthError::too_many(why, wait).because(TOO_MANY);
    if endpoint == Endpoint::Authorize {
        return refusal::page(&error, &Advice::default(), None);
    }
    Refusal::from(error).into_response()
}
