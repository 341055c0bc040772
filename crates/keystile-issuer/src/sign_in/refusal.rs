//! Why a page can't go on, and what it says then.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::flow::Line;
use keystile_domain::ports::{AuditFailed, StoreError};
use keystile_domain::secrets::reference::Reference;
use keystile_domain::transaction::TransactionError;
use tracing::Level;

use super::password::PasswordError;
use crate::app::App;
use crate::clients;
use crate::limits::TooMany;
use crate::pages::error::ErrorPage;
use crate::pages::{Form, Page, Problem};
use crate::traced;

/// A refusal that only a person sees: nothing here redirects to a client.
#[derive(Debug)]
pub(super) struct PageRefusal {
    why: Why,
    reference: Option<Reference>,
}

#[derive(Debug)]
pub(super) enum Why {
    /// The page needs a transaction and has none.
    NoTransaction,
    /// Its transaction is not ours, or too old.
    Transaction(TransactionError),
    /// The form was not sent by a page of ours.
    OtherSite,
    /// The form or query can't be read.
    Unreadable(String),
    /// The form belongs to another session or another request.
    Stale,
    /// The operator keeps the client out.
    ClientDisabled,
    /// There is an account already.
    SetUpAlready,
    /// Too many passwords wait to be compared.
    Busy,
    /// Something of ours failed.
    Internal(String),
}

impl From<Why> for PageRefusal {
    fn from(why: Why) -> Self {
        Self {
            why,
            reference: None,
        }
    }
}

impl From<StoreError> for PageRefusal {
    fn from(error: StoreError) -> Self {
        Why::Internal(error.to_string()).into()
    }
}

impl From<AuditFailed> for PageRefusal {
    fn from(error: AuditFailed) -> Self {
        Why::Internal(error.to_string()).into()
    }
}

impl From<PasswordError> for PageRefusal {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Why::Busy.into(),
            PasswordError::Hash(_) => Why::Internal(error.to_string()).into(),
        }
    }
}

impl PageRefusal {
    /// As part of a flow that has a reference already.
    pub(super) fn in_flow(mut self, reference: &Reference) -> Self {
        self.reference = Some(reference.clone());
        self
    }
}

/// A form again with what is wrong with what was typed: logged once, and kept as part of its attempt.
/// What was typed stays out of both.
pub(super) fn again(
    view: impl Form,
    status: StatusCode,
    problem: Problem,
    reference: &Reference,
) -> Response {
    let diagnosis = Diagnosis::named(problem.code, problem.what);
    again_because(view, status, problem, reference, diagnosis)
}

/// The same page, with what only log and doctor may say.
pub(super) fn again_because(
    view: impl Form,
    status: StatusCode,
    problem: Problem,
    reference: &Reference,
    diagnosis: Diagnosis,
) -> Response {
    let problem = problem.about(reference);
    let what = problem.what;
    told(view.refused(status, problem), what, reference, diagnosis)
}

/// A form again after one try too many. A flood fills neither the log nor the book: an attempt says so
/// once, else doctor would find nothing wrong with it; and what is no attempt has no reference.
pub(super) fn limited(
    app: &App,
    view: impl Form,
    problem: Problem,
    limit: TooMany,
    attempt: Option<&Reference>,
) -> Response {
    let (what, code) = (problem.what, problem.code);
    let problem = match attempt {
        Some(reference) => problem.about(reference),
        None => problem,
    };
    let page = view.refused(StatusCode::TOO_MANY_REQUESTS, problem);
    let page = page.retry_after(limit.wait);
    match attempt.filter(|reference| !app.flows.ended_for(reference, code)) {
        Some(reference) => told(page, what, reference, Diagnosis::named(code, what)),
        None => page.into_response(),
    }
}

/// Leaves a problem to be logged and kept.
fn told(page: Page, what: &str, reference: &Reference, diagnosis: Diagnosis) -> Response {
    let mut response = page.into_response();
    traced::note(&mut response, reference, diagnosis, Line::refused(what));
    response
}

/// The answer of a page: what it made, or the refusal as a page.
pub(super) fn answer(app: &App, made: Result<Response, PageRefusal>) -> Response {
    made.unwrap_or_else(|refusal| refusal.render(app))
}

impl PageRefusal {
    pub(super) fn render(self, app: &App) -> Response {
        let reference = self.reference.unwrap_or_else(|| Reference::new(&*app.rng));
        let (status, code, headline) = self.why.kind();
        let diagnosis = Diagnosis::described(code, headline);
        let line = Line {
            level: match status.is_server_error() {
                true => Level::ERROR,
                false => Level::INFO,
            },
            cause: self.why.cause(),
            ..Line::refused(headline)
        };
        let view = ErrorPage {
            headline,
            expected: &self.why.expected(),
            to_do: self.why.to_do(),
            code,
            reference: Some(reference.as_str()),
        };
        let mut response = view.page(status).into_response();
        traced::note(&mut response, &reference, diagnosis, line);
        response
    }
}

impl Why {
    const fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NoTransaction => (
                StatusCode::BAD_REQUEST,
                "no_request",
                "No app is waiting here",
            ),
            Self::Transaction(TransactionError::Expired) => (
                StatusCode::BAD_REQUEST,
                "sign_in_expired",
                "This took too long",
            ),
            Self::Transaction(TransactionError::Foreign) => (
                StatusCode::BAD_REQUEST,
                "damaged_link",
                "This link can't be used",
            ),
            Self::OtherSite => (
                StatusCode::FORBIDDEN,
                "cross_site_form",
                "This came from another site",
            ),
            Self::Unreadable(_) => (
                StatusCode::BAD_REQUEST,
                "unreadable_form",
                "The form can't be read",
            ),
            Self::Stale => (
                StatusCode::FORBIDDEN,
                "stale_form",
                "This page is out of date",
            ),
            Self::ClientDisabled => (
                StatusCode::FORBIDDEN,
                clients::DISABLED,
                "This app is kept out",
            ),
            Self::SetUpAlready => (
                StatusCode::CONFLICT,
                "already_set_up",
                "The first account exists already",
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Too many people sign in right now",
            ),
            Self::Internal(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                "Something failed on this server",
            ),
        }
    }

    fn expected(&self) -> String {
        match self {
            Self::NoTransaction => {
                "This page decides about an app that asks to connect, and the address names none."
                    .to_owned()
            }
            Self::Transaction(TransactionError::Expired) => {
                "Sign-in and decision have to be finished within ten minutes.".to_owned()
            }
            Self::Transaction(TransactionError::Foreign) => {
                "The address of this page was cut off, changed, or made by another installation."
                    .to_owned()
            }
            Self::OtherSite => {
                "A form was sent by a page that is not one of this server's. Nothing was changed."
                    .to_owned()
            }
            Self::Unreadable(why) => format!("What your browser sent was not understood: {why}."),
            Self::Stale => {
                "You signed in or out since the page was opened. Nothing was changed.".to_owned()
            }
            Self::ClientDisabled => {
                "The operator of this server has disabled this app. Nothing was allowed.".to_owned()
            }
            Self::SetUpAlready => {
                "A set-up code works once, for the first account. Somebody has made it.".to_owned()
            }
            Self::Busy => "Passwords are compared a few at a time. Nothing was changed.".to_owned(),
            Self::Internal(_) => "It could not be saved or read. Nothing was allowed.".to_owned(),
        }
    }

    const fn to_do(&self) -> &'static str {
        match self {
            Self::NoTransaction | Self::Transaction(_) => {
                "Go back to your app and start connecting again."
            }
            Self::OtherSite => {
                "Open the page on this server itself and send it again. If you did, an extension or a \
                 proxy changes the Origin of your requests."
            }
            Self::Unreadable(_) => "Go back, reload the page and try again.",
            Self::Stale => "Go back, reload the page and answer again.",
            Self::ClientDisabled => {
                "Whoever runs this server lets it in again with: keystile client enable"
            }
            Self::SetUpAlready => {
                "Sign in at /ks/sign-in. Whoever runs this server adds people with: keystile user add NAME --password-stdin"
            }
            Self::Busy => "Wait a few seconds, go back and try again.",
            Self::Internal(_) => {
                "Try again. If it fails again, give the reference below to whoever runs this server."
            }
        }
    }

    /// What failed behind it, for the log.
    fn cause(&self) -> Option<String> {
        match self {
            Self::Internal(cause) | Self::Unreadable(cause) => Some(cause.clone()),
            _ => None,
        }
    }
}
