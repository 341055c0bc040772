//! Browser sessions: an opaque cookie, its digest in the store.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::header::{COOKIE, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use keystile_domain::ids::PersonId;
use keystile_domain::ports::StoreError;
use keystile_domain::records::{PersonRecord, SessionRecord};
use keystile_domain::secrets::code::FreshSecret;
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use keystile_protocol::form::Params;
use keystile_protocol::mutation::weakened;

use super::own_form::is_of_our_origin;
use super::refusal::{PageRefusal, Why};
use crate::app::{App, SharedApp};
use crate::peer;

/// How long a person stays signed in.
const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// Who is in front of the browser, and was not sent by a page of another origin.
pub(super) struct Visitor {
    /// The live session, if there is one.
    pub(super) session: Option<SignedIn>,
    /// Digest of the cookie that came, alive or not.
    pub(super) cookie: Option<Digest>,
    /// Where the request comes from.
    pub(super) peer: IpAddr,
    /// This moment.
    pub(super) now: Timestamp,
}

/// A live session and its person.
pub(super) struct SignedIn {
    /// Who.
    pub(super) person: PersonRecord,
    /// What synchroniser tokens are bound to.
    pub(super) digest: Digest,
}

impl SignedIn {
    /// Whether a page of this session made the form, for this purpose and about this.
    pub(super) fn made(&self, app: &App, form: &Params, purpose: &str, about: &str) -> bool {
        let shown = form.one("csrf").unwrap_or_default();
        let secrets = &app.secrets;
        secrets.is_synchroniser_token(shown, &self.digest, about, purpose)
    }
}

impl FromRequestParts<SharedApp> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Response> {
        if !is_of_our_origin(app, &parts.headers) {
            return Err(PageRefusal::from(Why::OtherSite).render(app));
        }
        let now = app.clock.now();
        let cookie = presented(app, &parts.headers);
        let session = match cookie {
            None => None,
            Some(digest) => {
                let found = app.sessions.find(digest, now).await;
                let found = found.map_err(|error| PageRefusal::from(error).render(app))?;
                found.map(|(_, person)| SignedIn { person, digest })
            }
        };
        Ok(Self {
            session,
            cookie,
            peer: peer::of(&parts.extensions),
            now,
        })
    }
}

/// Ends the session that came and begins another: an id from before the sign-in is worth nothing
/// after it (CHECKLIST A-039). Gives the cookie to set.
pub(super) async fn begin(
    app: &App,
    visitor: &Visitor,
    person: PersonId,
) -> Result<HeaderValue, StoreError> {
    if let Some(old) = visitor.cookie.filter(|_| !weakened("a_039")) {
        app.sessions.end(old).await?;
    }
    let fresh = FreshSecret::session(&*app.rng);
    let session = SessionRecord {
        digest: fresh.digest,
        person,
        created_at: visitor.now,
        expires_at: visitor.now.plus(LIFETIME),
    };
    app.sessions.begin(session).await?;
    Ok(cookie(app, &fresh.text, LIFETIME))
}

/// The cookie that takes the browser's cookie away.
pub(super) fn forget(app: &App) -> HeaderValue {
    cookie(app, "", Duration::ZERO)
}

/// Adds a cookie to a response.
pub(super) fn with_cookie(mut response: Response, cookie: HeaderValue) -> Response {
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

/// Cookies ignore ports, and every local client listens on `localhost:PORT/callback`: on loopback
/// the cookie stays under `/ks`. On https `__Host-` keeps other names of the domain out (RFC 6265bis
/// §4.1.3.2), which needs `Path=/` (DESIGN §2).
fn cookie(app: &App, value: &str, lifetime: Duration) -> HeaderValue {
    let (name, seconds) = (cookie_name(app), lifetime.as_secs());
    let place = if app.settings.issuer.is_https() {
        "Path=/; Secure"
    } else {
        "Path=/ks"
    };
    let reach = if weakened("n_as_37") {
        ""
    } else {
        "; HttpOnly; SameSite=Lax"
    };
    HeaderValue::try_from(format!("{name}={value}; {place}{reach}; Max-Age={seconds}"))
        .expect("the value is base64url")
}

/// Two Keystiles on one host differ in the port only, which a browser does not look at: with it in the
/// name, signing in at one is no end of the other's session (and its cookie no second one, which
/// would be none).
fn cookie_name(app: &App) -> String {
    let issuer = &app.settings.issuer;
    let prefix = if issuer.is_https() { "__Host-" } else { "" };
    let port = issuer.authority().rsplit_once(':');
    match port.filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit())) {
        Some((_, port)) => format!("{prefix}ks_session_{port}"),
        None => format!("{prefix}ks_session"),
    }
}

/// The digest of the session cookie. Two of them are none: one was set by somebody else.
fn presented(app: &App, headers: &HeaderMap) -> Option<Digest> {
    let name = cookie_name(app);
    let lines = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    let pairs = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs
        .filter(|(other, _)| *other == name)
        .map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => Some(Digest::of(value)),
        _ => None,
    }
}
