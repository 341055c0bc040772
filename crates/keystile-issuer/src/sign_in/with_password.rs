//! `/ks/sign-in`: name and password.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::records::{PersonRecord, canonical_name};
use keystile_domain::secrets::reference::Reference;
use keystile_protocol::form::Params;
use keystile_protocol::mutation::weakened;

use super::first_account;
use super::own_form::{OwnForm, read};
use super::password::LONGEST;
use super::refusal::{PageRefusal, Told, again, answer};
use super::session::{self, Visitor};
use super::transaction::{Open, after_sign_in};
use crate::app::{App, SharedApp};
use crate::limits::{Guess, TooMany};
use crate::pages::Problem;
use crate::pages::sign_in::SignIn;
use crate::traced;

pub(super) async fn get(
    State(app): State<SharedApp>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let made = show(&app, &visitor, query.as_deref().unwrap_or_default()).await;
    answer(&app, made)
}

pub(super) async fn post(
    State(app): State<SharedApp>,
    visitor: Visitor,
    OwnForm(form): OwnForm,
) -> Response {
    let made = sign_in(&app, &visitor, &form).await;
    answer(&app, made)
}

async fn show(app: &App, visitor: &Visitor, query: &str) -> Result<Response, PageRefusal> {
    let params = read(query.as_bytes())?;
    let open = Open::find(app, &params, visitor.now)?;
    if visitor.session.is_some() {
        return Ok(after_sign_in(open.as_ref(), &params));
    }
    if !app.people.has_anybody().await? {
        return Ok(first_account::form(app, open.as_ref(), &params)
            .page()
            .into_response());
    }
    let device = params.one("device");
    let page = form(open.as_ref(), device, "").page().into_response();
    if weakened("a_038") {
        return Ok(session::with_cookie(page, session::forget(app)));
    }
    Ok(page)
}

async fn sign_in(app: &App, visitor: &Visitor, params: &Params) -> Result<Response, PageRefusal> {
    let open = Open::find(app, params, visitor.now)?;
    let name = params.one("username").unwrap_or_default();
    let reference = Open::reference(open.as_ref(), app);
    let view = form(open.as_ref(), params.one("device"), name);
    let attempt = match app
        .limits
        .attempt(Guess::Password(name), visitor.peer, visitor.now)
    {
        Ok(attempt) => attempt,
        Err(TooMany { wait, first }) => {
            let problem = Problem::too_many(wait, reference.to_string());
            let told = Told::of(&problem, &reference).quietly(!first);
            // Once a minute: a stranger could fill the disk as fast as they can ask.
            if first {
                record(app, visitor, open.as_ref(), &reference, Err(problem.code)).await?;
            }
            let page = view.refused(StatusCode::TOO_MANY_REQUESTS, problem);
            return Ok(again(page.retry_after(wait), &told));
        }
    };
    let Some(person) = prove(app, name, params.one("password")).await? else {
        let problem = Problem::wrong_password(reference.to_string());
        let told = Told::of(&problem, &reference);
        record(app, visitor, open.as_ref(), &reference, Err(problem.code)).await?;
        return Ok(again(
            view.refused(StatusCode::UNAUTHORIZED, problem),
            &told,
        ));
    };
    attempt.settle();
    record(app, visitor, open.as_ref(), &reference, Ok(&person)).await?;
    let cookie = session::begin(app, visitor, person.id).await?;
    Ok(session::with_cookie(
        after_sign_in(open.as_ref(), params),
        cookie,
    ))
}

/// The person that name and password belong to. Names that nobody has, and people who may not sign
/// in, take as long as a wrong password (CHECKLIST A-160).
async fn prove(
    app: &App,
    name: &str,
    password: Option<&str>,
) -> Result<Option<PersonRecord>, PageRefusal> {
    let found = app.people.find_by_name(&canonical_name(name)).await?;
    let password = password
        .filter(|text| text.len() <= LONGEST)
        .unwrap_or_default();
    let stored = found.as_ref().map(|person| person.password_hash.clone());
    let right = app.passwords.verify(stored, password.to_owned()).await?;
    Ok(found.filter(|person| right && person.disabled_at.is_none()))
}

/// What was typed as a name stays out of the trail: it may be a password in the wrong field.
async fn record(
    app: &App,
    visitor: &Visitor,
    open: Option<&Open>,
    reference: &Reference,
    outcome: Result<&PersonRecord, &'static str>,
) -> Result<(), PageRefusal> {
    if open.is_some() && outcome.is_ok() {
        traced::signed_in(app, reference, "by password", visitor.now);
    }
    let person = outcome.ok().map(|person| person.id.to_string());
    let peer = visitor.peer.to_string();
    let event = Event {
        person: person.as_deref(),
        client: open.map(|open| open.transaction.client.client_id.as_str()),
        reference: (open.is_some() || outcome.is_err()).then_some(reference.as_str()),
        reason: outcome.err(),
        peer: Some(&peer),
        method: Some("password"),
        ..Event::new(
            visitor.now,
            Action::SignIn,
            if outcome.is_ok() {
                Outcome::Allow
            } else {
                Outcome::Deny
            },
        )
    };
    Ok(app.audit.record(&event).await?)
}

fn form<'a>(
    open: Option<&'a Open>,
    device: Option<&'a str>,
    username: &'a str,
) -> SignIn<'a> {
    SignIn {
        tx: open.map(|open| open.handle.as_str()),
        asks: open.map(Open::asks),
        device,
        username,
        problem: None,
    }
}
