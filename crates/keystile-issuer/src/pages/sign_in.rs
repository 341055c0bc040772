//! Sign-in and first account.

use std::time::Duration;

use askama::Template;

use super::{Form, Problem, shown};
use crate::limits;

/// Which app waits for the person behind a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asks {
    /// Its host, or words for an app on this computer.
    pub(crate) who: String,
    /// The server it wants to use.
    pub(crate) server: String,
}

/// The sign-in form.
#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignIn<'a> {
    /// The sealed transaction to come back to.
    pub(crate) tx: Option<&'a str>,
    /// Who asks, if there is a transaction.
    pub(crate) asks: Option<Asks>,
    /// Whether it is a device's code that comes after, and which.
    pub(crate) device: Option<&'a str>,
    /// What was typed before.
    pub(crate) username: &'a str,
    /// What was wrong with it.
    pub(crate) problem: Option<Problem>,
}

impl Form for SignIn<'_> {
    fn problem(&mut self) -> &mut Option<Problem> {
        &mut self.problem
    }
}

/// The form for the first account, which owns the server.
#[derive(Debug, Template)]
#[template(path = "first_account.html")]
pub(crate) struct FirstAccount<'a> {
    /// The sealed transaction to come back to.
    pub(crate) tx: Option<&'a str>,
    /// Who asks, if there is a transaction.
    pub(crate) asks: Option<Asks>,
    /// Whether it is a device's code that comes after, and which.
    pub(crate) device: Option<&'a str>,
    /// How commands of whoever runs this begin.
    pub(crate) admin: &'a str,
    /// From the set-up link, or what was typed before.
    pub(crate) setup_code: &'a str,
    /// What was typed before.
    pub(crate) username: &'a str,
    /// What was wrong with it.
    pub(crate) problem: Option<Problem>,
}

impl Form for FirstAccount<'_> {
    fn problem(&mut self) -> &mut Option<Problem> {
        &mut self.problem
    }
}

impl Problem {
    /// After a name and password that do not belong together.
    pub(crate) fn wrong_password() -> Self {
        Self {
            code: "wrong_name_or_password",
            what: "Name or password is wrong.",
            to_do: "Check both and try again. Capital letters in the password count.".into(),
            reference: None,
        }
    }

    /// After a set-up code that is none, or is none any more.
    pub(crate) fn wrong_setup_code(admin: &str) -> Self {
        let to_do = format!(
            "Copy the latest one from the terminal where Keystile runs, or make a new one there \
             with: {admin} user setup-link"
        );
        Self {
            code: "wrong_setup_code",
            what: "The set-up code is not the right one, or it has expired.",
            to_do: to_do.into(),
            reference: None,
        }
    }

    /// After too many wrong guesses.
    pub(crate) fn too_many(wait: Duration) -> Self {
        let to_do = format!(
            "Wait {} and try again. The limit protects your account.",
            shown::wait(wait)
        );
        Self {
            code: limits::TOO_MANY,
            what: "Too many wrong tries.",
            to_do: to_do.into(),
            reference: None,
        }
    }
}
