//! `/ks/device`: a person connects a device that has no browser of its own (RFC 8628 §3.3).
//!
//! Sign-in comes first, the code after it: so a code is looked up only for somebody who has an
//! account, and wrong ones are counted for that account (RFC 8628 §5.1). A code in the link is put
//! into the form, and the person still sees it and goes on with a click (§3.3.1): a link that
//! somebody sent decides nothing (§5.4).

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::client::ClientKind;
use keystile_domain::flow::{Stage, Step};
use keystile_domain::ids::{DeviceRequestId, GrantId};
use keystile_domain::records::{DeviceAnswered, DeviceApproval, DeviceRequest};
use keystile_domain::secrets::reference::Reference;
use keystile_domain::secrets::user_code::UserCode;
use keystile_protocol::form::Params;
use keystile_protocol::mutation::weakened;
use keystile_protocol::scope::ScopeSet;

use super::decision::{
    About, Answer, Decision, as_shown, borrowed_name, catalogue, refuse_disabled,
};
use super::own_form::{OwnForm, read};
use super::refusal::{PageRefusal, Why, again, answer, limited};
use super::session::{SignedIn, Visitor};
use crate::app::{App, SharedApp};
use crate::limits::Guess;
use crate::pages::consent::{Lasts, Power, Requester};
use crate::pages::device::{CONNECTED, DeviceConsent, EnterCode, NOT_CONNECTED, TOO_LATE};
use crate::pages::{Form as _, Page, Problem, shown};
use crate::refusal::see_other;

/// Purposes of the synchroniser tokens of these pages.
const ENTER: &str = "device code";
const ANSWER: &str = "device answer";

pub(super) async fn get(
    State(app): State<SharedApp>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let made = show(&app, &visitor, query.as_deref().unwrap_or_default());
    answer(&app, made)
}

pub(super) async fn post(
    State(app): State<SharedApp>,
    visitor: Visitor,
    OwnForm(form): OwnForm,
) -> Response {
    let made = look_up(&app, &visitor, &form).await;
    answer(&app, made)
}

pub(super) async fn decide(
    State(app): State<SharedApp>,
    visitor: Visitor,
    OwnForm(form): OwnForm,
) -> Response {
    let made = decided(&app, &visitor, &form).await;
    answer(&app, made)
}

/// Where a browser goes for a device: what it carries is a code or nothing, never an address.
pub(super) fn after_sign_in(carried: &str) -> Response {
    match UserCode::parse(carried) {
        Some(code) => see_other(&format!("/ks/device?user_code={code}")),
        None => see_other("/ks/device"),
    }
}

/// To sign-in and back, with the code of the link if it can be one.
fn to_sign_in(params: &Params) -> Response {
    let code = params.one("user_code").and_then(UserCode::parse);
    let carried = code.map_or_else(|| "any".to_owned(), |code| code.to_string());
    see_other(&format!("/ks/sign-in?device={carried}"))
}

/// Looking spends nothing and looks nothing up.
fn show(app: &App, visitor: &Visitor, query: &str) -> Result<Response, PageRefusal> {
    let params = read(query.as_bytes())?;
    let Some(session) = &visitor.session else {
        return Ok(to_sign_in(&params));
    };
    let code = params.one("user_code").and_then(UserCode::parse);
    let code = code.map(|code| code.to_string()).unwrap_or_default();
    let csrf = app.secrets.synchroniser_token(&session.digest, "", ENTER);
    Ok(form(session, &csrf, &code).page().into_response())
}

fn form<'a>(session: &'a SignedIn, csrf: &'a str, user_code: &'a str) -> EnterCode<'a> {
    EnterCode {
        csrf,
        user_code,
        person: &session.person.name,
        problem: None,
    }
}

/// The request behind a code, on the page that asks about it. An attempt is paid before anything is
/// looked up, and given back when the code was right.
async fn look_up(app: &App, visitor: &Visitor, params: &Params) -> Result<Response, PageRefusal> {
    let Some(session) = &visitor.session else {
        return Ok(to_sign_in(params));
    };
    proven(app, session, params, ENTER, "")?;
    let csrf = params.one("csrf").unwrap_or_default();
    let typed = params.one("user_code").unwrap_or_default();
    let view = form(session, csrf, typed);
    let reference = Reference::new(&*app.rng);
    let person = session.person.id.to_string();
    let guess = Guess::UserCode(&person);
    let attempt = match app.limits.attempt(guess, visitor.peer, visitor.now) {
        Ok(attempt) => attempt,
        Err(limit) => {
            let problem = Problem::too_many_codes(limit.wait);
            if limit.first {
                wrong(app, visitor, session, &reference, problem.code).await?;
            }
            let attempt = limit.first.then_some(&reference);
            return Ok(limited(app, view, problem, limit, attempt));
        }
    };
    let found = match UserCode::parse(typed) {
        Some(code) => {
            let found = app.device_requests.find(code.digest(), visitor.now).await?;
            found.map(|request| (code, request))
        }
        None => None,
    };
    let Some((code, request)) = found else {
        let problem = Problem::wrong_user_code();
        wrong(app, visitor, session, &reference, problem.code).await?;
        return Ok(again(view, StatusCode::BAD_REQUEST, problem, &reference));
    };
    attempt.settle();
    let step = Step::passed(visitor.now, Stage::Device, "a person typed its code");
    app.flows.add(&request.reference, step);
    Ok(page(app, session, &request, &code).into_response())
}

fn page(app: &App, session: &SignedIn, request: &DeviceRequest, code: &UserCode) -> Page {
    let id = request.id.to_string();
    let client = &request.client;
    let who = requester(request);
    let scopes = catalogue(app, &request.server);
    let view = DeviceConsent {
        csrf: &app.secrets.synchroniser_token(&session.digest, &id, ANSWER),
        request: &id,
        user_code: &code.to_string(),
        warnings: borrowed_name(client, &who).into_iter().collect(),
        requester: who,
        name: client.name.as_deref().and_then(shown::name),
        name_by_operator: client.kind == ClientKind::PreRegistered,
        server: &request.server,
        resource: &request.resource,
        powers: Power::all(&request.scopes, &scopes),
        less: Power::less(&request.scopes, &scopes),
        lasts: Lasts::of(client, &request.scopes, &app.settings),
        person: &session.person.name,
        reference: request.reference.as_str(),
    };
    view.page()
}

/// The host of its document, or nothing: the redirects that a client registered say nothing about
/// who holds the device.
fn requester(request: &DeviceRequest) -> Requester {
    let host = request.client.document_host();
    host.map_or(Requester::OtherDevice, Requester::Site)
}

/// The answer of a person who saw the page: its form is bound to the session and the request, and
/// only who typed the code has it.
async fn decided(app: &App, visitor: &Visitor, params: &Params) -> Result<Response, PageRefusal> {
    let Some(session) = &visitor.session else {
        return Ok(to_sign_in(params));
    };
    let id = params.one("request").unwrap_or_default();
    proven(app, session, params, ANSWER, id)?;
    let id: DeviceRequestId = id.parse().map_err(|_| PageRefusal::from(Why::Stale))?;
    let Some(request) = app.device_requests.lookup(id, visitor.now).await? else {
        return Ok(TOO_LATE.page().into_response());
    };
    // Where the store would only say that nothing waits any more.
    refuse_disabled(app, &request.client, &request.reference).await?;
    let scopes = catalogue(app, &request.server);
    match Decision::read(params, &request.scopes, &scopes)? {
        Decision::Allow(scopes) => allow(app, visitor, session, &request, scopes).await,
        Decision::Deny => deny(app, visitor, session, &request).await,
    }
}

async fn deny(
    app: &App,
    visitor: &Visitor,
    session: &SignedIn,
    request: &DeviceRequest,
) -> Result<Response, PageRefusal> {
    let about = about(app, visitor, session, request);
    about.record(Answer::No, &request.scopes).await?;
    if !app.device_requests.deny(request.id, visitor.now).await? {
        return Ok(TOO_LATE.page().into_response());
    }
    step(app, visitor, request, "the person said no");
    Ok(NOT_CONNECTED.page().into_response())
}

/// Yes: answer and grant in one durable step; the device gets its tokens when it asks again.
async fn allow(
    app: &App,
    visitor: &Visitor,
    session: &SignedIn,
    request: &DeviceRequest,
    scopes: ScopeSet,
) -> Result<Response, PageRefusal> {
    let about = about(app, visitor, session, request);
    about.record(Answer::Yes, &scopes).await?;
    let grant = GrantId::new(visitor.now, &*app.rng);
    let approval = DeviceApproval {
        request: request.id,
        grant,
        person: session.person.id,
        client_name: as_shown(&requester(request), &request.client),
        scopes: scopes.clone(),
        created_at: visitor.now,
        grant_expires_at: visitor.now.plus(app.settings.grant_idle),
    };
    match app.device_requests.approve(approval).await? {
        DeviceAnswered::First => {}
        DeviceAnswered::TooLate => return Ok(TOO_LATE.page().into_response()),
        DeviceAnswered::PersonGone => {
            return Err(PageRefusal::from(Why::Stale).in_flow(&request.reference));
        }
    }
    if let Err(failed) = about.record(Answer::Granted(grant), &scopes).await {
        // Without its line in the trail there is no grant.
        app.grants
            .revoke(grant, "audit_failed", visitor.now)
            .await?;
        return Err(failed.into());
    }
    step(app, visitor, request, "the person allowed it");
    Ok(CONNECTED.page().into_response())
}

fn step(app: &App, visitor: &Visitor, request: &DeviceRequest, note: &'static str) {
    let step = Step::passed(visitor.now, Stage::Consent, note);
    app.flows.add(&request.reference, step);
}

/// # Errors
/// The form was made for another session, request or page.
fn proven(
    app: &App,
    session: &SignedIn,
    params: &Params,
    purpose: &str,
    about: &str,
) -> Result<(), PageRefusal> {
    if !session.made(app, params, purpose, about) && !weakened("rfc_8628f") {
        return Err(Why::Stale.into());
    }
    Ok(())
}

fn about<'a>(
    app: &'a App,
    visitor: &'a Visitor,
    session: &'a SignedIn,
    request: &'a DeviceRequest,
) -> About<'a> {
    About {
        app,
        visitor,
        session,
        client: &request.client,
        resource: &request.resource,
        reference: &request.reference,
        method: Some("device"),
    }
}

/// A wrong code stands in the trail; what was typed does not.
async fn wrong(
    app: &App,
    visitor: &Visitor,
    session: &SignedIn,
    reference: &Reference,
    reason: &'static str,
) -> Result<(), PageRefusal> {
    let (person, peer) = (session.person.id.to_string(), visitor.peer.to_string());
    let event = Event {
        person: Some(&person),
        method: Some("device"),
        reference: Some(reference.as_str()),
        reason: Some(reason),
        peer: Some(&peer),
        ..Event::new(visitor.now, Action::Consent, Outcome::Deny)
    };
    Ok(app.audit.record(&event).await?)
}
