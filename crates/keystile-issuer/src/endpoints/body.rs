//! The bodies of the issuer's endpoints: the right content type, small, and read once.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use keystile_domain::decide::diagnose::Diagnosis;
use keystile_protocol::error::OAuthError;
use keystile_protocol::form::{Params, ParamsError};

use crate::endpoints::address::without_secrets;
use crate::refusal::Refusal;
use crate::routes::LARGEST_BODY;

/// The parameters of a form body (OAuth 2.1 §3.2.1). What stands in the query counts as not sent.
pub(crate) struct Form(pub(crate) Params);

/// The bytes of a body that says to be JSON.
pub(crate) struct Json(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let address = request.uri().clone();
        match params(request, state).await {
            Ok(params) => Ok(Self(params)),
            // Of a form that can be read, whoever authenticates its client tells it: they know whose it is.
            Err(refusal) => Err(without_secrets(&address).map_or_else(Refusal::from, |()| refusal)),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Json {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        read(request, state, "application/json").await.map(Self)
    }
}

async fn params<S: Send + Sync>(request: Request, state: &S) -> Result<Params, Refusal> {
    let body = read(request, state, FORM).await?;
    Ok(Params::parse(&body).map_err(|error| unreadable(&error))?)
}

/// A form or a query that is refused as a whole.
pub(crate) fn unreadable(error: &ParamsError) -> OAuthError {
    let ParamsError::Repeated(name) = error else {
        return OAuthError::invalid_request(format!("{error}.")).because("form_unreadable");
    };
    let why = format!("The app sent the parameter {name} more than once: each comes once.");
    let refusal = OAuthError::invalid_request(why).because("parameter_repeated");
    let told = Diagnosis::of(&refusal).filled("PARAMETER", name);
    refusal.with_detail(told)
}

async fn read<S: Send + Sync>(
    request: Request,
    state: &S,
    expected: &'static str,
) -> Result<Bytes, Refusal> {
    if !is_of_type(request.headers(), expected) {
        let refusal = OAuthError::invalid_request(format!("Content-Type must be {expected}."));
        return Err(refusal.because("content_type").into());
    }
    Bytes::from_request(request, state)
        .await
        .map_err(|error| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let why = format!("The body has over {LARGEST_BODY} bytes.");
                Refusal::from(OAuthError::invalid_request(why).because("body_too_large"))
                    .status(error.status())
            }
            status => {
                let why = OAuthError::invalid_request("The body could not be read to its end.");
                let why = why
                    .because("body_unreadable")
                    .with_detail(error.body_text());
                Refusal::from(why).status(status)
            }
        })
}

/// Whether a body says to be a form.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    is_of_type(headers, FORM)
}

/// Parameters of the media type are passed over (RFC 9110 §8.3.1). Two types are none.
fn is_of_type(headers: &HeaderMap, expected: &str) -> bool {
    let mut lines = headers.get_all(CONTENT_TYPE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return false;
    };
    let line = line.to_str().unwrap_or_default();
    let essence = line.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(expected)
}

const FORM: &str = "application/x-www-form-urlencoded";
