//! `POST /oauth/par` (RFC 9126): the client says what it wants before any browser is involved.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use keystile_domain::flow::{Stage, Step};
use keystile_domain::secrets::reference::Reference;
use keystile_domain::time::Timestamp;
use keystile_domain::transaction::pushed::LIFETIME;
use keystile_protocol::error::OAuthError;
use keystile_protocol::form::Params;
use serde::Serialize;

use crate::app::{App, SharedApp};
use crate::client_auth::{self, authenticate};
use crate::clients::{self, Asker};
use crate::endpoints::authorize::request::{self, Refused, Way};
use crate::endpoints::body::Form;
use crate::refusal::Refusal;
use crate::traced;

/// RFC 9126 §2.2
#[derive(Serialize)]
struct Pushed {
    request_uri: String,
    expires_in: u64,
}

/// The client authenticates as at the token endpoint, and the request is judged as a browser's is.
pub(crate) async fn post(
    State(app): State<SharedApp>,
    request: Parts,
    form: Result<Form, Refusal>,
) -> Result<Response, Refusal> {
    let Form(params) = form?;
    let (reference, now) = (Reference::new(&*app.rng), app.clock.now());
    let mut response = match push(&app, &request, &params, (&reference, now)).await {
        Ok(pushed) => (
            StatusCode::CREATED,
            [(CACHE_CONTROL, "no-store")],
            Json(pushed),
        )
            .into_response(),
        Err(error) => Refusal::from(error).about(reference).into_response(),
    };
    let id = || client_auth::claimed(&app, &request, &params, now);
    traced::tell_whose(&app, id, &params, &mut response).await;
    Ok(response)
}

async fn push(
    app: &App,
    request: &Parts,
    params: &Params,
    (reference, now): (&Reference, Timestamp),
) -> Result<Pushed, OAuthError> {
    let shown = authenticate(app, request, params, now).await?;
    let asker = Asker::of(request, now);
    let client = clients::for_sign_in(app, shown.client_id(), asker).await?;
    shown.require_proof(client.proves())?;
    let transaction = request::judge(app, &client, params, Way::Pushed, (reference, now))
        .await
        .map_err(Refused::into_error)?;
    let request_uri = app
        .secrets
        .seal_pushed(&transaction, &*app.rng)
        .map_err(|error| request::too_long(&error))?;
    app.flows.begin(&transaction, now);
    let step = Step::passed(
        now,
        Stage::Push,
        "the client has a request_uri; it is good for 90 seconds",
    );
    app.flows.add(reference, step);
    Ok(Pushed {
        request_uri,
        expires_in: LIFETIME.as_secs(),
    })
}
