//! `/ks/sign-in`: name and password.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::records::{PersonRecord, canonical_name};
use keystile_protocol::form::Params;
use keystile_protocol::mutation::weakened;

use super::first_account;
use super::own_form::{OwnForm, read};
use super::password::LONGEST;
use super::refusal::{PageRefusal, answer};
use super::session::{self, Visitor};
use super::signing_in::{SigningIn, Way};
use super::transaction::{Open, after_sign_in};
use crate::app::{App, SharedApp};
use crate::limits::Guess;
use crate::pages::sign_in::SignIn;
use crate::pages::{Form as _, Problem};

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
    // A link ends no session: the sign-in that follows does.
    let again = open.is_some() && params.one("again").is_some();
    if visitor.session.is_some() && !again {
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
    let signing_in = SigningIn {
        app,
        visitor,
        open: open.as_ref(),
        reference: &reference,
        way: BY_PASSWORD,
    };
    let guess = Guess::Password(name);
    let attempt = match app.limits.attempt(guess, visitor.peer, visitor.now) {
        Ok(attempt) => attempt,
        Err(limit) => return signing_in.too_many(view, limit).await,
    };
    let person = match prove(app, name, params.one("password")).await? {
        Proven::Person(person) => person,
        Proven::Nobody => {
            let problem = Problem::wrong_password();
            return signing_in.wrong(view, problem).await;
        }
        Proven::Disabled(person) => {
            let problem = Problem::wrong_password();
            let found = format!("'{}' is disabled, and the password was right.", person.name);
            let told = Diagnosis::named("user_disabled", found).filled("NAME", &person.name);
            return signing_in.wrong_because(view, problem, told).await;
        }
    };
    attempt.settle();
    signing_in.succeed(person.id, params).await
}

/// Whom name and password belong to.
enum Proven {
    Person(PersonRecord),
    /// May not sign in. Their page is that of a wrong password; log and doctor know better.
    Disabled(PersonRecord),
    Nobody,
}

/// The person that name and password belong to. Names that nobody has, and people who may not sign
/// in, take as long as a wrong password (CHECKLIST A-160).
async fn prove(app: &App, name: &str, password: Option<&str>) -> Result<Proven, PageRefusal> {
    let found = app.people.find_by_name(&canonical_name(name)).await?;
    let password = password
        .filter(|text| text.len() <= LONGEST)
        .unwrap_or_default();
    let stored = found.as_ref().map(|person| person.password_hash.clone());
    let right = app.passwords.verify(stored, password.to_owned()).await?;
    Ok(match found.filter(|_| right) {
        Some(person) if person.disabled_at.is_some() => Proven::Disabled(person),
        Some(person) => Proven::Person(person),
        None => Proven::Nobody,
    })
}

fn form<'a>(open: Option<&'a Open>, device: Option<&'a str>, username: &'a str) -> SignIn<'a> {
    SignIn {
        tx: open.map(|open| open.handle.as_str()),
        asks: open.map(Open::asks),
        device,
        username,
        problem: None,
    }
}

const BY_PASSWORD: Way = Way {
    method: "password",
    how: "by password",
};
