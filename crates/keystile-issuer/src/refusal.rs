//! The one renderer of refusals: JSON for programs (RFC 6749 §5.2), a page for people, or a
//! redirect back to a client that is known by then (RFC 6749 §4.1.2.1).

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use keystile_domain::secrets::reference::Reference;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::issuer::Issuer;
use keystile_protocol::redirect::RedirectUri;
use serde::Serialize;

use crate::pages::error::ErrorPage;

/// Read by the log layer; never sent.
#[derive(Debug, Clone)]
pub struct Detail(pub String);

/// An OAuth error as the JSON body of a token, registration or revocation endpoint.
#[derive(Debug)]
pub struct Refusal {
    error: OAuthError,
    status: StatusCode,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'static str,
    error_description: &'a str,
}

impl From<OAuthError> for Refusal {
    fn from(error: OAuthError) -> Self {
        Self {
            status: error.code.status(),
            error,
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
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { error, status } = self;
        let body = Body {
            error: error.code.as_str(),
            error_description: &error.description,
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if error.code == ErrorCode::InvalidClient {
            // RFC 6749 §5.2: required when the client used HTTP authentication, harmless otherwise.
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"keystile\""),
            );
        }
        log(&error, None);
        if let Some(detail) = error.detail {
            response.extensions_mut().insert(Detail(detail.to_string()));
        }
        response
    }
}

/// A refusal on a page of our own: client or redirect are not known, so nothing redirects (N-AS-19).
pub(crate) fn page(error: &OAuthError, reference: &Reference) -> Response {
    log(error, Some(reference));
    let status = match error.code {
        // A browser would ask for a password at 401; the page says what is wrong.
        ErrorCode::InvalidClient => StatusCode::BAD_REQUEST,
        code => code.status(),
    };
    let view = ErrorPage {
        headline: headline(error.code),
        expected: &error.description,
        to_do: "Go back to the app and start connecting again. If it happens again, give the \
                reference below to whoever runs this server.",
        code: error.code.as_str(),
        reference: Some(reference.as_str()),
    };
    view.page(status).into_response()
}

/// A refusal sent back to a client whose redirect URI was matched (RFC 9207: with `iss`).
pub(crate) fn redirect(
    error: &OAuthError,
    redirect: &RedirectUri,
    state: Option<&str>,
    issuer: &Issuer,
    reference: &Reference,
) -> Response {
    log(error, Some(reference));
    let description = format!("{} ({reference})", error.description);
    let mut params = vec![
        ("error", error.code.as_str()),
        ("error_description", description.as_str()),
    ];
    params.extend(state.map(|state| ("state", state)));
    if !keystile_protocol::mutation::weakened("n_as_24") {
        params.push(("iss", issuer.as_str()));
    }
    see_other(&redirect.with_params(&params))
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

fn headline(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidClient => "This app is not known here",
        ErrorCode::ServerError => "Something failed on this server",
        ErrorCode::TemporarilyUnavailable => "Not possible right now",
        _ => "The app's request can't be used",
    }
}

/// A refusal is logged once, here.
fn log(error: &OAuthError, reference: Option<&Reference>) {
    let code = error.code.as_str();
    let reference = reference.map_or("", Reference::as_str);
    let detail = error
        .detail
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    if error.code == ErrorCode::ServerError {
        tracing::error!(
            oauth.error = code,
            flow.reference = reference,
            detail,
            "refused: {}",
            error.description
        );
    } else {
        tracing::info!(
            oauth.error = code,
            flow.reference = reference,
            detail,
            "refused: {}",
            error.description
        );
    }
}
