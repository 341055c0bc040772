//! Every page with a session, server-rendered: no script, no third party, one stylesheet.
//!
//! A view is plain data (`consent::Consent`, `sign_in::SignIn`, …) that becomes a [`Page`]; the page
//! brings the headers that keep it out of frames, caches and other people's forms (CHECKLIST
//! N-AS-36, A-037, A-165).

pub(crate) mod account;
pub(crate) mod asset;
pub(crate) mod brand;
pub(crate) mod consent;
pub(crate) mod device;
pub(crate) mod error;
pub(crate) mod form_action;
pub(crate) mod notice;
pub(crate) mod shown;
pub(crate) mod sign_in;

use std::borrow::Cow;
use std::time::Duration;

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use keystile_domain::secrets::reference::Reference;

use self::form_action::FormAction;

/// What is wrong with what a person typed: shown above the form, announced by screen readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// A stable word.
    pub(crate) code: &'static str,
    /// What happened.
    pub(crate) what: &'static str,
    /// What to do about it.
    pub(crate) to_do: Cow<'static, str>,
    /// `KS-…`, under which log and doctor have it, too; `None` where nothing is kept of it.
    pub(crate) reference: Option<String>,
}

impl Problem {
    /// As a part of what this reference stands for.
    #[must_use]
    pub(crate) fn about(mut self, reference: &Reference) -> Self {
        self.reference = Some(reference.to_string());
        self
    }
}

/// A form that stays on this origin, and is shown again with what is wrong with what was typed.
pub(crate) trait Form: Template + Sized {
    /// Where the problem is shown.
    fn problem(&mut self) -> &mut Option<Problem>;

    /// The form.
    fn page(&self) -> Page {
        Page::new(self, FormAction::Ours)
    }

    /// The form again, with what is wrong.
    fn refused(mut self, status: StatusCode, problem: Problem) -> Page {
        *self.problem() = Some(problem);
        self.page().status(status)
    }
}

/// A rendered page with its status and headers.
#[derive(Debug)]
pub(crate) struct Page {
    status: StatusCode,
    html: Result<String, askama::Error>,
    form_action: FormAction,
    retry_after: Option<Duration>,
}

impl Page {
    /// Renders a view; its forms may post to `form_action` only.
    pub(crate) fn new(view: &impl Template, form_action: FormAction) -> Self {
        let mut html = view.render();
        if keystile_protocol::mutation::weakened("a_165") {
            html = html.map(|text| {
                text.replace("&#60;", "<")
                    .replace("&#62;", ">")
                    .replace("&#34;", "\"")
            });
        }
        Self {
            status: StatusCode::OK,
            html,
            form_action,
            retry_after: None,
        }
    }

    /// With another status than 200.
    #[must_use]
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// With a `Retry-After` (RFC 9110 §10.2.3), whole seconds, rounded up.
    #[must_use]
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    #[cfg(test)]
    pub(crate) fn html(&self) -> &str {
        self.html.as_deref().expect("every template renders")
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let html = match self.html {
            Ok(html) => html,
            Err(error) => {
                tracing::error!(error = %error, "a page could not be rendered");
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        };
        let mut response = (self.status, html).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        );
        headers.insert(CONTENT_SECURITY_POLICY, policy(&self.form_action));
        if !keystile_protocol::mutation::weakened("a_037") {
            headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // Not `no-referrer`: with it browsers send `Origin: null` with our own forms (Fetch standard,
        // "append a request Origin header"). Other origins get nothing either way.
        if !keystile_protocol::mutation::weakened("a_031") {
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, whole_seconds(wait));
        }
        response
    }
}

/// The value of a `Retry-After`, rounded up.
pub(crate) fn whole_seconds(wait: Duration) -> HeaderValue {
    let seconds = wait.as_millis().div_ceil(1000).max(1);
    HeaderValue::from(u64::try_from(seconds).unwrap_or(60))
}

/// No `Cross-Origin-Opener-Policy` beside it: clients open sign-in in a popup and wait for it
/// (DESIGN §2).
fn policy(form_action: &FormAction) -> HeaderValue {
    let text = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action {form_action}; \
         frame-ancestors 'none'; base-uri 'none'"
    );
    HeaderValue::try_from(text).expect("form_action writes visible ASCII only")
}

#[cfg(test)]
mod tests;
