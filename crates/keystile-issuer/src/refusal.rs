//! The one renderer of refusals: JSON for programs (RFC 6749 §5.2), a page for people, or a
//! redirect back to a client that is known by then (RFC 6749 §4.1.2.1). Each has a reference, and is
//! logged once, where it is kept (DESIGN §1).

mod to_do;

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{
    ALLOW, CACHE_CONTROL, LOCATION, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE,
};
use http::{HeaderValue, StatusCode};
use keystile_domain::decide::authorize::NOT_REGISTERED;
use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::flow::{Noted, Stage, Whose};
use keystile_domain::secrets::reference::Reference;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::issuer::Issuer;
use keystile_protocol::redirect::RedirectUri;
use serde::Serialize;

use crate::app::App;
use crate::clients;
use crate::limits;
use crate::pages::error::ErrorPage;
use crate::pages::shown;

/// An OAuth error as the JSON body of a token, registration or revocation endpoint.
///
/// As a response it is empty; `render`, which each answer passes, gives it a reference and
/// its body.
#[derive(Debug)]
pub struct Refusal {
    error: OAuthError,
    status: StatusCode,
    allow: Option<&'static str>,
    about: Option<Reference>,
}

/// On its way from a handler to [`render`].
#[derive(Clone)]
struct Refused(Arc<Refusal>);

#[derive(Serialize)]
struct Body<'a> {
    error: &'static str,
    error_description: &'a str,
}

impl From<OAuthError> for Refusal {
    fn from(error: OAuthError) -> Self {
        Self {
            status: error.status(),
            error,
            allow: None,
            about: None,
        }
    }
}

impl Refusal {
    /// With the status of HTTP instead of the code's: the request never came as far as OAuth.
    #[must_use]
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// With the methods that would do (RFC 9110 §15.5.6).
    #[must_use]
    pub(crate) fn allow(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    /// As the end of an attempt that has a reference already.
    #[must_use]
    pub(crate) fn about(mut self, reference: Reference) -> Self {
        self.about = Some(reference);
        self
    }

    /// Of what nothing is kept there is nothing to ask about, either: no reference.
    fn render(&self, reference: Option<&Reference>) -> Response {
        let Self {
            error,
            status,
            allow,
            about: _,
        } = self;
        let body = Body {
            error: error.code.as_str(),
            error_description: &described(error, reference),
        };
        let mut response = (*status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(methods) = allow {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        if let Some(wait) = error.retry_after() {
            headers.insert(RETRY_AFTER, crate::pages::whole_seconds(wait));
        }
        if error.code == ErrorCode::InvalidToken {
            // RFC 6750 §3: an initial access token is a bearer token.
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"keystile\", error=\"invalid_token\""),
            );
        }
        if error.code == ErrorCode::InvalidClient {
            // RFC 6749 §5.2: required when the client used HTTP authentication, harmless otherwise.
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"keystile\""),
            );
        }
        tell(error, reference, &mut response);
        response
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(Refused(Arc::new(self)));
        response
    }
}

/// Renders what a handler refused, and keeps it for `keystile doctor`.
pub(crate) fn render(app: &App, stage: Stage, mut response: Response) -> Response {
    let whose = response.extensions_mut().remove::<Whose>();
    if let Some(Refused(refusal)) = response.extensions_mut().remove::<Refused>() {
        let fresh = || is_news(&refusal.error).then(|| Reference::new(&*app.rng));
        let reference = refusal.about.clone().or_else(fresh);
        response = refusal.render(reference.as_ref());
    }
    if let Some(noted) = response.extensions_mut().remove::<Noted>() {
        let noted = Noted { stage, ..noted };
        let whose = whose.unwrap_or_default();
        app.flows.refused_of(noted, whose, app.clock.now());
    }
    if app.settings.issuer.is_https() {
        // RFC 6797 §7.2: over https only. Not for subdomains, which are not ours to speak for.
        let year = HeaderValue::from_static("max-age=31536000");
        response
            .headers_mut()
            .insert(STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

/// Whether this is a refusal that [`render`] will keep.
pub(crate) fn is_kept(response: &Response) -> bool {
    let extensions = response.extensions();
    let refused = extensions.get::<Refused>();
    extensions.get::<Noted>().is_some()
        || refused.is_some_and(|Refused(refusal)| is_news(&refusal.error))
}

/// What a person can do about a refusal.
#[derive(Debug, Default)]
pub(crate) struct Advice {
    /// In place of the general advice.
    pub(crate) to_do: Option<String>,
}

/// A refusal on a page of our own: client or redirect are not known, so nothing redirects (N-AS-19).
pub(crate) fn page(error: &OAuthError, advice: &Advice, reference: Option<&Reference>) -> Response {
    let status = match error.code {
        // A browser would ask for a password at 401; the page says what is wrong.
        ErrorCode::InvalidClient => StatusCode::BAD_REQUEST,
        _ => error.status(),
    };
    let later = error
        .retry_after()
        .map(|wait| format!("Wait {}, then start connecting again.", shown::wait(wait)));
    let to_do = advice.to_do.as_deref().or(later.as_deref());
    let view = ErrorPage {
        headline: headline(error),
        expected: &error.description,
        to_do: to_do.unwrap_or_else(|| to_do::after(&Diagnosis::of(error).reason)),
        code: error.code.as_str(),
        reference: reference.map(Reference::as_str),
    };
    let page = view.page(status);
    let mut response = match error.retry_after() {
        Some(wait) => page.retry_after(wait).into_response(),
        None => page.into_response(),
    };
    tell(error, reference, &mut response);
    response
}

/// A refusal sent back to a client whose redirect URI was matched (RFC 9207: with `iss`).
pub(crate) fn redirect(
    error: &OAuthError,
    redirect: &RedirectUri,
    state: Option<&str>,
    issuer: &Issuer,
    reference: &Reference,
) -> Response {
    let description = described(error, Some(reference));
    let mut params = vec![
        ("error", error.code.as_str()),
        ("error_description", &*description),
    ];
    params.extend(state.map(|state| ("state", state)));
    if !keystile_protocol::mutation::weakened("n_as_24") {
        params.push(("iss", issuer.as_str()));
    }
    let mut response = see_other(&redirect.with_params(&params));
    tell(error, Some(reference), &mut response);
    response
}

/// 303, never 307: what was posted here is not posted there (RFC 9700 §4.12).
pub(crate) fn see_other(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => {
            let headers = [
                (LOCATION, location),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ];
            let posted_on = keystile_protocol::mutation::weakened("a_013");
            let status = if posted_on {
                StatusCode::TEMPORARY_REDIRECT
            } else {
                StatusCode::SEE_OTHER
            };
            (status, headers).into_response()
        }
        Err(error) => Refusal::from(OAuthError::internal(error)).into_response(),
    }
}

/// Whoever reads the answer can ask about it.
fn described<'a>(error: &'a OAuthError, reference: Option<&Reference>) -> Cow<'a, str> {
    match reference {
        Some(reference) => format!("{} ({reference})", error.description).into(),
        None => (&*error.description).into(),
    }
}

fn headline(error: &OAuthError) -> &'static str {
    match error.code {
        _ if error.reason() == NOT_REGISTERED => "The app's return address is not registered",
        _ if error.reason() == clients::DISABLED => "This app is kept out",
        ErrorCode::InvalidClient => "This app is not known here",
        ErrorCode::ServerError => "Something failed on this server",
        ErrorCode::TemporarilyUnavailable => "Not possible right now",
        _ => "The app's request can't be used",
    }
}

/// Neither a flood nor who waits may fill the log or crowd attempts out.
fn is_news(error: &OAuthError) -> bool {
    error.reason() != limits::TOO_MANY && !error.code.is_not_yet()
}

/// Leaves a refusal for [`render`] to say in the log and to keep.
fn tell(error: &OAuthError, reference: Option<&Reference>, response: &mut Response) {
    let Some(reference) = reference.filter(|_| is_news(error)) else {
        let reason = error.reason();
        tracing::debug!(reason, "refused: {}", error.description);
        return;
    };
    let noted = Noted::of(error, reference);
    response.extensions_mut().insert(noted);
}
