//! `/ks/setup`: the first person, let in by the code from the terminal.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::ids::PersonId;
use keystile_domain::records::{NewPerson, PersonCreated};
use keystile_domain::secrets::code::setup_code_digest;
use keystile_domain::secrets::reference::Reference;
use keystile_protocol::form::Params;

use super::own_form::{OwnForm, read};
use super::password::Passwords;
use super::refusal::{PageRefusal, Told, Why, again, answer};
use super::session::{self, Visitor};
use super::transaction::{Open, after_sign_in};
use crate::app::{App, SharedApp};
use crate::limits::{Guess, TooMany};
use crate::pages::sign_in::FirstAccount;
use crate::pages::{Problem, shown};
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
    let made = create(&app, &visitor, &form).await;
    answer(&app, made)
}

/// The empty form, with the code if it came in the link.
pub(super) fn form<'a>(
    app: &'a App,
    open: Option<&'a Open>,
    params: &'a Params,
) -> FirstAccount<'a> {
    FirstAccount {
        admin: &app.settings.admin_command,
        tx: open.map(|open| open.handle.as_str()),
        asks: open.map(Open::asks),
        device: params.one("device"),
        setup_code: params
            .one("setup_code")
            .or_else(|| params.one("code"))
            .unwrap_or_default(),
        username: params.one("username").unwrap_or_default(),
        problem: None,
    }
}

/// Looking spends nothing: link previews and prefetches look, too.
async fn show(app: &App, visitor: &Visitor, query: &str) -> Result<Response, PageRefusal> {
    let params = read(query.as_bytes())?;
    let open = Open::find(app, &params, visitor.now)?;
    if app.people.has_anybody().await? {
        return Err(Why::SetUpAlready.into());
    }
    Ok(form(app, open.as_ref(), &params).page().into_response())
}

async fn create(app: &App, visitor: &Visitor, params: &Params) -> Result<Response, PageRefusal> {
    let open = Open::find(app, params, visitor.now)?;
    let view = form(app, open.as_ref(), params);
    if app.people.has_anybody().await? {
        return Err(Why::SetUpAlready.into());
    }
    let reference = Open::reference(open.as_ref(), app);
    let (name, password) = match wanted(params, &reference) {
        Ok(wanted) => wanted,
        Err(problem) => {
            let told = Told::of(&problem, &reference);
            return Ok(again(view.refused(StatusCode::BAD_REQUEST, problem), &told));
        }
    };
    let attempt = match app
        .limits
        .attempt(Guess::SetupCode, visitor.peer, visitor.now)
    {
        Ok(attempt) => attempt,
        Err(TooMany { wait, first }) => {
            let problem = Problem::too_many(wait, reference.to_string());
            let told = Told::of(&problem, &reference).quietly(!first);
            if first {
                record(app, visitor, open.as_ref(), &reference, Err(problem.code)).await?;
            }
            let page = view.refused(StatusCode::TOO_MANY_REQUESTS, problem);
            return Ok(again(page.retry_after(wait), &told));
        }
    };
    let person = NewPerson {
        id: PersonId::new(visitor.now, &*app.rng),
        name: name.to_owned(),
        password_hash: app.passwords.hash(password.to_owned()).await?,
        created_at: visitor.now,
    };
    let id = person.id;
    let code = setup_code_digest(params.one("setup_code").unwrap_or_default());
    match app.people.create_first(person, code).await? {
        PersonCreated::Created => {}
        PersonCreated::CodeSpent | PersonCreated::NameTaken => {
            record(
                app,
                visitor,
                open.as_ref(),
                &reference,
                Err("set_up_already"),
            )
            .await?;
            return Err(PageRefusal::from(Why::SetUpAlready).in_flow(&reference));
        }
        PersonCreated::WrongCode => {
            let problem = Problem::wrong_setup_code(view.admin, reference.to_string());
            let told = Told::of(&problem, &reference);
            record(app, visitor, open.as_ref(), &reference, Err(problem.code)).await?;
            return Ok(again(
                view.refused(StatusCode::UNAUTHORIZED, problem),
                &told,
            ));
        }
    }
    attempt.settle();
    record(app, visitor, open.as_ref(), &reference, Ok(id)).await?;
    let cookie = session::begin(app, visitor, id).await?;
    Ok(session::with_cookie(
        after_sign_in(open.as_ref(), params),
        cookie,
    ))
}

/// Name and password of the account to be made.
fn wanted<'a>(params: &'a Params, reference: &Reference) -> Result<(&'a str, &'a str), Problem> {
    let name = params.one("username").unwrap_or_default().trim();
    if shown::name(name).as_deref() != Some(name) {
        return Err(Problem {
            code: "unusable_name",
            what: "This name can't be used.",
            to_do: "A name has 1 to 64 visible characters, without quotation marks.".into(),
            reference: reference.to_string(),
        });
    }
    let password = params.one("password").unwrap_or_default();
    Passwords::usable(password).map_err(|unusable| Problem {
        code: "unusable_password",
        what: "This password can't be used.",
        to_do: format!("Choose another one: {unusable}.").into(),
        reference: reference.to_string(),
    })?;
    Ok((name, password))
}

async fn record(
    app: &App,
    visitor: &Visitor,
    open: Option<&Open>,
    reference: &Reference,
    outcome: Result<PersonId, &'static str>,
) -> Result<(), PageRefusal> {
    if open.is_some() && outcome.is_ok() {
        let how = "with a new account, the first";
        traced::signed_in(app, reference, how, visitor.now);
    }
    let person = outcome.ok().map(|id| id.to_string());
    let peer = visitor.peer.to_string();
    let event = Event {
        person: person.as_deref(),
        reference: (open.is_some() || outcome.is_err()).then_some(reference.as_str()),
        reason: outcome.err(),
        peer: Some(&peer),
        method: Some("first_account"),
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
