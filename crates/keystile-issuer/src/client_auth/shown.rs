//! What a request shows of its client: an id and one proof (RFC 6749 §2.3.1, RFC 7521 §4.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use keystile_domain::decide::diagnose::client::differs;
use keystile_domain::time::Timestamp;
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_protocol::error::OAuthError;
use keystile_protocol::form::{Params, decode_part};
use keystile_protocol::jwt::assertion::UnverifiedAssertion;
use keystile_protocol::mutation::weakened;

use super::{assertion, refuse};
use crate::app::App;

/// RFC 7523 §2.2
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a request shows.
pub(super) struct Shown<'a> {
    pub(super) client_id: String,
    pub(super) proof: Proof<'a>,
}

/// How it wants to prove the id. No secret of it is ever printed.
pub(super) enum Proof<'a> {
    None,
    Basic(String),
    Post(String),
    Assertion(Box<UnverifiedAssertion<'a>>),
}

impl Proof<'_> {
    pub(super) const fn method(&self) -> TokenEndpointAuthMethod {
        match self {
            Self::None => TokenEndpointAuthMethod::None,
            Self::Basic(_) => TokenEndpointAuthMethod::ClientSecretBasic,
            Self::Post(_) => TokenEndpointAuthMethod::ClientSecretPost,
            Self::Assertion(_) => TokenEndpointAuthMethod::PrivateKeyJwt,
        }
    }
}

impl<'a> Shown<'a> {
    /// Reads header and body.
    ///
    /// # Errors
    /// `invalid_request` for two ways at once, `invalid_client` for none that can be read.
    pub(super) fn of(
        app: &App,
        headers: &HeaderMap,
        params: &'a Params,
        now: Timestamp,
    ) -> Result<Self, OAuthError> {
        let body_id = params.one("client_id");
        let body_secret = params.one("client_secret");
        let signed = params.one("client_assertion");
        let mut basics = headers.get_all(AUTHORIZATION).iter();
        let (basic, another) = (basics.next(), basics.next());
        let ways = [
            ("an Authorization header", basic.is_some()),
            ("another", another.is_some()),
            ("client_secret", body_secret.is_some()),
            ("client_assertion", signed.is_some()),
        ];
        let ways = ways.iter().filter(|(_, shown)| *shown);
        let ways: Vec<&str> = ways.map(|(way, _)| *way).collect();
        if ways.len() > 1 && !weakened("n_cc_01") {
            let ways = ways.join(" and ");
            let why = format!("The request has {ways}: send only what the client registered.");
            return Err(OAuthError::invalid_request(why).because("client_auth_twice"));
        }
        let (id, proof) = if let Some(header) = basic {
            let (id, secret) = header.to_str().ok().and_then(basic_pair).ok_or_else(|| {
                refuse("Authorization is not HTTP Basic of form-encoded client_id and secret (RFC 6749 section 2.3.1).")
            })?;
            (Some(id), Proof::Basic(secret))
        } else if let Some(text) = signed {
            jwt_bearer(params)?;
            let (subject, read) = assertion::read(app, text, now)?;
            (Some(subject), Proof::Assertion(Box::new(read)))
        } else if let Some(secret) = body_secret {
            (None, Proof::Post(secret.to_owned()))
        } else {
            (None, Proof::None)
        };
        let client_id = match (body_id, id) {
            (Some(asked), Some(shown)) if asked != shown => {
                let why = "client_id differs between what authenticates the client and the body: send the same one.";
                return Err(OAuthError::invalid_request(why)
                    .because("client_id_differs")
                    .with_detail(differs(asked, &shown)));
            }
            (_, Some(id)) => id,
            (Some(id), None) => id.to_owned(),
            (None, None) => {
                let why = "client_id is missing: send it in the form, or with what authenticates the client.";
                return Err(refuse(why).because("client_id_missing"));
            }
        };
        Ok(Self { client_id, proof })
    }
}

fn jwt_bearer(params: &Params) -> Result<(), OAuthError> {
    match params.one("client_assertion_type") {
        Some(JWT_BEARER) => Ok(()),
        _ => Err(OAuthError::invalid_request(format!(
            "client_assertion_type must be {JWT_BEARER}."
        ))
        .because("client_assertion_type")),
    }
}

/// RFC 6749 §2.3.1: both parts are form-encoded before Base64 (CHECKLIST A-090: read strictly).
fn basic_pair(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim_start()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((decode_part(id)?, decode_part(secret)?))
}
