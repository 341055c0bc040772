//! `POST /oauth/device` (RFC 8628 §3.1): a device without a browser asks for a code that its person
//! types elsewhere.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::request::Parts;
use keystile_domain::client::ClientSnapshot;
use keystile_domain::decide::authorize::target;
use keystile_domain::flow::{Attempt, Stage, Step};
use keystile_domain::ids::DeviceRequestId;
use keystile_domain::records::{
    DEVICE_INTERVAL, DEVICE_LIFETIME, DeviceBegun, DeviceRequest, NewDeviceRequest,
};
use keystile_domain::secrets::code::FreshSecret;
use keystile_domain::secrets::reference::Reference;
use keystile_domain::secrets::user_code::UserCode;
use keystile_domain::time::Timestamp;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::form::Params;
use serde::Serialize;

use crate::app::{App, SharedApp};
use crate::client_auth::{self, authenticate};
use crate::clients::{self, Asker};
use crate::endpoints::body::Form;
use crate::refusal::Refusal;
use crate::traced;

/// RFC 8628 §3.2
#[derive(Serialize)]
struct Waits {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: u64,
    interval: u64,
}

/// The client authenticates as at the token endpoint; `resource` and `scope` count as at the
/// authorization endpoint.
pub(crate) async fn post(
    State(app): State<SharedApp>,
    request: Parts,
    form: Result<Form, Refusal>,
) -> Result<Response, Refusal> {
    let Form(params) = form?;
    let (reference, now) = (Reference::new(&*app.rng), app.clock.now());
    let mut response = match begin(&app, &request, &params, (&reference, now)).await {
        Ok(waits) => ([(CACHE_CONTROL, "no-store")], Json(waits)).into_response(),
        Err(error) => Refusal::from(error).about(reference).into_response(),
    };
    let id = || client_auth::claimed(&app, &request, &params, now);
    traced::tell_whose(&app, id, &params, &mut response).await;
    Ok(response)
}

async fn begin(
    app: &App,
    request: &Parts,
    params: &Params,
    (reference, now): (&Reference, Timestamp),
) -> Result<Waits, OAuthError> {
    let shown = authenticate(app, request, params, now).await?;
    let asker = Asker::of(request, now);
    let client = clients::for_device(app, shown.client_id(), asker).await?;
    shown.require_proof(client.proves())?;
    let (resource, scopes) = target(params, &app.settings.resources)?;
    let asked = DeviceRequest {
        id: DeviceRequestId::new(now, &*app.rng),
        reference: reference.clone(),
        client: client.snapshot(),
        server: resource.name.clone(),
        resource: resource.resource.to_string(),
        scopes,
        created_at: now,
        expires_at: now.plus(DEVICE_LIFETIME),
    };
    let device_code = FreshSecret::device_code(&*app.rng);
    let user_code = keep(app, &asked, &device_code).await?;
    let client_id = &asked.client.client_id;
    app.flows
        .start(attempt(&asked), client_id, device_code.digest);
    let page = app.settings.issuer.at("/ks/device");
    Ok(Waits {
        device_code: device_code.text,
        verification_uri_complete: format!("{page}?user_code={user_code}"),
        verification_uri: page,
        user_code: user_code.to_string(),
        expires_in: DEVICE_LIFETIME.as_secs(),
        interval: DEVICE_INTERVAL.as_secs(),
    })
}

/// Keeps the request under a user code that no other waiting device has.
async fn keep(
    app: &App,
    asked: &DeviceRequest,
    device_code: &FreshSecret,
) -> Result<UserCode, OAuthError> {
    for _ in 0..TRIES {
        let user_code = UserCode::new(&*app.rng);
        let request = NewDeviceRequest {
            id: asked.id,
            device_code: device_code.digest,
            user_code: user_code.digest(),
            asked: asked.clone(),
        };
        let begun = app.device_requests.begin(request, asked.created_at).await;
        match begun.map_err(OAuthError::internal)? {
            DeviceBegun::Kept => return Ok(user_code),
            DeviceBegun::CodeTaken => {}
            DeviceBegun::TooMany => break,
        }
    }
    let why = "Too many devices wait to be connected. Try again in a few minutes.";
    Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, why).because("too_many_devices"))
}

fn attempt(asked: &DeviceRequest) -> Attempt {
    let mut attempt = Attempt::new(asked.reference.clone(), asked.created_at);
    attempt.client = Some(who(&asked.client));
    attempt.resource = Some(asked.resource.clone());
    let note = format!("a code to type elsewhere; scopes {}", asked.scopes);
    let step = Step::passed(asked.created_at, Stage::Device, note);
    attempt.steps.push(step);
    attempt
}

fn who(client: &ClientSnapshot) -> String {
    let name = client.name.as_deref().unwrap_or("without a name");
    match client.document_host() {
        Some(host) => format!("{name} ({host}, on a device)"),
        None => format!("{name} (on a device)"),
    }
}

/// With 10,000 codes taken, one of 2.56 × 10¹⁰ is taken three times in a row never.
const TRIES: usize = 3;
