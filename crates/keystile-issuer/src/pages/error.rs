//! A refusal as a page: what was expected, what to do, and the reference to ask about (DESIGN §1.3).

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;

use super::Page;
use super::form_action::FormAction;

/// A refusal that a person sees.
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage<'a> {
    /// What happened, as a short heading.
    pub(crate) headline: &'a str,
    /// What was expected and what came.
    pub(crate) expected: &'a str,
    /// What to do now.
    pub(crate) to_do: &'a str,
    /// A stable word.
    pub(crate) code: &'a str,
    /// `KS-…`, if the flow has one.
    pub(crate) reference: Option<&'a str>,
}

impl ErrorPage<'_> {
    /// The page with its status.
    pub(crate) fn page(&self, status: StatusCode) -> Page {
        Page::new(self, FormAction::Nowhere).status(status)
    }
}

/// The page is there, and not for this method.
pub(crate) async fn other_method() -> Response {
    let view = ErrorPage {
        headline: "This page is not opened like that",
        expected: "The request has a method that this address does not take.",
        to_do: "Go back to the app and start connecting again, or see your connected apps at \
                /ks/account.",
        code: "method_not_allowed",
        reference: None,
    };
    view.page(StatusCode::METHOD_NOT_ALLOWED).into_response()
}

/// Nothing lives at this address.
pub(crate) fn nowhere() -> Response {
    let view = ErrorPage {
        headline: "There is no such page",
        expected: "Pages here are your account, and what your apps open when they connect.",
        to_do: "See your connected apps at /ks/account, or start connecting from the app again.",
        code: "not_found",
        reference: None,
    };
    view.page(StatusCode::NOT_FOUND).into_response()
}
