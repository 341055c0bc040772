//! A form that one of our own pages sent.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::response::Response;
use http::HeaderMap;
use http::header::ORIGIN;
use keystile_protocol::form::Params;
use keystile_protocol::mutation::weakened;

use super::refusal::{PageRefusal, Why};
use crate::app::{App, SharedApp};
use crate::endpoints::body;

/// The fields of a form that came from a page of this origin.
///
/// It keeps other sites from signing a person in as somebody else (login CSRF), where there is no
/// session yet that a token could be bound to.
pub(super) struct OwnForm(pub(super) Params);

impl FromRequest<SharedApp> for OwnForm {
    type Rejection = Response;

    async fn from_request(request: Request, app: &SharedApp) -> Result<Self, Response> {
        let refuse = |why: Why| PageRefusal::from(why).render(app);
        if !is_same_site(request.headers()) && !weakened("n_as_36") {
            return Err(refuse(Why::OtherSite));
        }
        if !body::is_form(request.headers()) {
            let why = "expected a form (application/x-www-form-urlencoded)";
            return Err(refuse(Why::Unreadable(why.to_owned())));
        }
        let body = Bytes::from_request(request, &()).await;
        let body = body.map_err(|error| refuse(Why::Unreadable(error.body_text())))?;
        read(&body).map(Self).map_err(|refusal| refusal.render(app))
    }
}

/// Whether no page of another origin sent it. This is the check of `Origin` on these paths (CHECKLIST N-TR-01), which
/// [`super::session::Visitor`] makes: whoever reads the answer is a person.
pub(super) fn is_of_our_origin(app: &App, headers: &HeaderMap) -> bool {
    let ours = app.settings.issuer.as_str();
    is_all(headers, ORIGIN.as_str(), &[ours]) || weakened("n_as_36")
}

/// The parameters of a query or a form.
pub(super) fn read(text: &[u8]) -> Result<Params, PageRefusal> {
    Params::parse(text).map_err(|error| Why::Unreadable(error.to_string()).into())
}

/// `Sec-Fetch-Site` (Fetch Metadata), as `Origin`, which [`is_of_our_origin`] looks at, when there is one:
/// programs that drive a sign-in without a browser send neither, and carry nobody's cookies.
fn is_same_site(headers: &HeaderMap) -> bool {
    is_all(headers, "sec-fetch-site", &["same-origin", "none"])
}

/// Whether each value of a header is one of these; there may be none.
fn is_all(headers: &HeaderMap, name: &str, wanted: &[&str]) -> bool {
    let mut values = headers.get_all(name).iter();
    values.all(|value| wanted.iter().any(|wanted| value == wanted))
}
