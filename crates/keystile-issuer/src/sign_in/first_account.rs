//! `/ks/setup`: the first person, let in by the code from the terminal.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use keystile_domain::ids::PersonId;
use keystile_domain::records::{NewPerson, PersonCreated};
use keystile_domain::secrets::code::setup_code_digest;
use keystile_protocol::form::Params;

use super::own_form::{OwnForm, read};
use super::password::Passwords;
use super::refusal::{PageRefusal, Why, again, answer};
use super::session::Visitor;
use super::signing_in::{SigningIn, Way};
use super::transaction::Open;
use crate::app::{App, SharedApp};
use crate::limits::Guess;
use crate::pages::sign_in::FirstAccount;
use crate::pages::{Form as _, Problem, shown};

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
    let signing_in = SigningIn {
        app,
        visitor,
        open: open.as_ref(),
        reference: &reference,
        way: FIRST_ACCOUNT,
    };
    let (name, password) = match wanted(params) {
        Ok(wanted) => wanted,
        Err(problem) => return Ok(again(view, StatusCode::BAD_REQUEST, problem, &reference)),
    };
    let guess = Guess::SetupCode;
    let attempt = match app.limits.attempt(guess, visitor.peer, visitor.now) {
        Ok(attempt) => attempt,
        Err(limit) => return signing_in.too_many(view, limit).await,
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
            signing_in.record(Err("already_set_up")).await?;
            return Err(PageRefusal::from(Why::SetUpAlready).in_flow(&reference));
        }
        PersonCreated::WrongCode => {
            let problem = Problem::wrong_setup_code(view.admin);
            return signing_in.wrong(view, problem).await;
        }
    }
    attempt.settle();
    signing_in.succeed(id, params).await
}

/// Name and password of the account to be made.
fn wanted(params: &Params) -> Result<(&str, &str), Problem> {
    let name = params.one("username").unwrap_or_default().trim();
    if shown::name(name).as_deref() != Some(name) {
        return Err(Problem {
            code: "unusable_name",
            what: "This name can't be used.",
            to_do: "A name has 1 to 64 visible characters, without quotation marks.".into(),
            reference: None,
        });
    }
    let password = params.one("password").unwrap_or_default();
    Passwords::usable(password).map_err(|unusable| Problem {
        code: "unusable_password",
        what: "This password can't be used.",
        to_do: format!("Choose another one: {unusable}.").into(),
        reference: None,
    })?;
    Ok((name, password))
}

const FIRST_ACCOUNT: Way = Way {
    method: "first_account",
    how: "with a new account, the first",
};
