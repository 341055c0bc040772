//! A form that one of our own pages sent.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::response::Response;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, ORIGIN};
use keystile_protocol::form::Params;
use keystile_protocol::issuer::Issuer;
use keystile_protocol::mutation::weakened;

use super::refusal::{PageRefusal, Why};
use crate::app::SharedApp;

/// The fields of a form that came from a page of this origin.
///
/// It keeps other sites from signing a person in as somebody else (login CSRF), where there is no
/// session yet that a token could be bound to.
pub(super) struct OwnForm(pub(super) Params);

impl FromRequest<SharedApp> for OwnForm {
    type Rejection = Response;

    async fn from_request(request: Request, app: &SharedApp) -> Result<Self, Response> {
        let refuse = |why: Why| PageRefusal::from(why).render(app);
        if !is_ours(request.headers(), &app.settings.issuer) && !weakened("n_as_36") {
            return Err(refuse(Why::OtherSite));
        }
        if !is_form(request.headers()) {
            let why = "expected a form (application/x-www-form-urlencoded)";
            return Err(refuse(Why::Unreadable(why.to_owned())));
        }
        let body = Bytes::from_request(request, &()).await;
        let body = body.map_err(|error| refuse(Why::Unreadable(error.body_text())))?;
        read(&body).map(Self).map_err(|refusal| refusal.render(app))
    }
}

/// The parameters of a query or a form.
pub(super) fn read(text: &[u8]) -> Result<Params, PageRefusal> {
    Params::parse(text).map_err(|error| Why::Unreadable(error.to_string()).into())
}

/// `Origin` (RFC 6454) and `Sec-Fetch-Site` (Fetch Metadata), each when there is one: programs that
/// drive a sign-in without a browser send neither, and carry nobody's cookies.
fn is_ours(headers: &HeaderMap, issuer: &Issuer) -> bool {
    let same = |name: &str, wanted: &[&str]| {
        headers
            .get_all(name)
            .iter()
            .all(|value| wanted.iter().any(|wanted| value == wanted))
    };
    same(ORIGIN.as_str(), &[issuer.as_str()]) && same("sec-fetch-site", &["same-origin", "none"])
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
