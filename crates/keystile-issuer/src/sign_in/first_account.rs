//! `/ks/setup`: the first person, let in by the code from the terminal.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::ids::PersonId;
use keystile_domain::records::{NewPerson, PersonCreated};
use keystile_domain::secrets::code::setup_code_digest;
use keystile_protocol::form::Params;

use super::own_form::{OwnForm, read};
use super::password::Passwords;
use super::refusal::{PageRefusal, Why, answer};
use super::session::{self, Visitor};
use super::transaction::{Open, after_sign_in};
use crate::app::{App, SharedApp};
use crate::limits::Guess;
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
    let (name, password) = match wanted(params) {
        Ok(wanted) => wanted,
        Err(problem) => {
            return Ok(view
                .refused(StatusCode::BAD_REQUEST, problem)
                .into_response());
        }
    };
    let attempt = match app
        .limits
        .attempt(Guess::SetupCode, visitor.peer, visitor.now)
    {
        Ok(attempt) => attempt,
        Err(wait) => return Ok(view.too_many(wait).into_response()),
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
            record(app, visitor, open.as_ref(), Err("set_up_already")).await?;
            return Err(Why::SetUpAlready.into());
        }
        PersonCreated::WrongCode => {
            record(app, visitor, open.as_ref(), Err("wrong_setup_code")).await?;
            return Ok(view
                .refused(StatusCode::UNAUTHORIZED, WRONG_CODE)
                .into_response());
        }
    }
    attempt.settle();
    record(app, visitor, open.as_ref(), Ok(id)).await?;
    let cookie = session::begin(app, visitor, id).await?;
    Ok(session::with_cookie(
        after_sign_in(open.as_ref(), params),
        cookie,
    ))
}

/// Name and password of the account to be made.
fn wanted(params: &Params) -> Result<(&str, &str), Problem> {
    let name = params.one("username").unwrap_or_default().trim();
    if shown::name(name).as_deref() != Some(name) {
        return Err(Problem {
            what: "This name can't be used.",
            to_do: "A name has 1 to 64 visible characters, without quotation marks.".into(),
        });
    }
    let password = params.one("password").unwrap_or_default();
    Passwords::usable(password).map_err(|unusable| Problem {
        what: "This password can't be used.",
        to_do: format!("Choose another one: {unusable}.").into(),
    })?;
    Ok((name, password))
}

const WRONG_CODE: Problem = Problem {
    what: "The set-up code is not the right one, or it has expired.",
    to_do: std::borrow::Cow::Borrowed(
        "Copy the latest one from the terminal where Keystile runs, or make a new one there with: \
         keystile user setup-link",
    ),
};

async fn record(
    app: &App,
    visitor: &Visitor,
    open: Option<&Open>,
    outcome: Result<PersonId, &'static str>,
) -> Result<(), PageRefusal> {
    if let Some(open) = open {
        let outcome = outcome.map(|_| "with a new account, the first");
        traced::signed_in(app, &open.transaction.reference, outcome, visitor.now);
    }
    let person = outcome.ok().map(|id| id.to_string());
    let peer = visitor.peer.to_string();
    let event = Event {
        person: person.as_deref(),
        reference: open.map(|open| open.transaction.reference.as_str()),
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
