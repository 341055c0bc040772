//! Client authentication at the token and revocation endpoints (RFC 6749 §2.3, OAuth 2.1 §2.4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use keystile_domain::client::Client;
use keystile_domain::secrets::client_id::PREFIX;
use keystile_domain::time::Timestamp;
use keystile_protocol::client_id_url::ClientIdUrl;
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::form::Params;
use keystile_protocol::mutation::weakened;

use crate::app::App;
use crate::clients;

/// A client that proved, in the way it registered, to be the one it names.
#[derive(Debug)]
pub(crate) struct AuthenticatedClient {
    client_id: String,
}

impl AuthenticatedClient {
    /// `client_id`, byte for byte.
    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }
}

/// What a request shows.
struct Shown {
    client_id: String,
    secret: Option<String>,
    method: TokenEndpointAuthMethod,
}

/// Authenticates the client of a form request.
///
/// # Errors
/// `invalid_client`, or `invalid_request` for two methods at once (N-AS-32).
pub(crate) async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    params: &Params,
    now: Timestamp,
) -> Result<AuthenticatedClient, OAuthError> {
    let shown = shown(headers, params)?;
    if ClientIdUrl::is_meant_by(&shown.client_id) {
        verify_of_document(app, &shown, now).await?;
    } else {
        let client = clients::resolve(app, &shown.client_id, now).await?;
        verify(app, &client, &shown)?;
    }
    Ok(AuthenticatedClient {
        client_id: shown.client_id,
    })
}

/// A client of a document is public: what it redeems is bound to its id, and was judged by the
/// snapshot of its transaction. So nothing is ever fetched here; where documents are not
/// fetched at all, only the pinned clients are known (N-AS-05).
async fn verify_of_document(app: &App, shown: &Shown, now: Timestamp) -> Result<(), OAuthError> {
    if shown.method != TokenEndpointAuthMethod::None {
        return Err(refuse(format!(
            "A client whose client_id is a URL authenticates with none, and used {}.",
            shown.method.as_str()
        ))
        .because("client_auth_method"));
    }
    if !app.documents.is_open() || weakened("a_059") {
        clients::resolve(app, &shown.client_id, now).await?;
    }
    Ok(())
}

fn verify(app: &App, client: &Client, shown: &Shown) -> Result<(), OAuthError> {
    if shown.method != client.auth_method && !weakened("n_as_32") {
        return Err(refuse(format!(
            "The client registered token_endpoint_auth_method {}, and used {}.",
            client.auth_method.as_str(),
            shown.method.as_str()
        ))
        .because("client_auth_method"));
    }
    match (&shown.secret, client.auth_method) {
        (None, TokenEndpointAuthMethod::None) => Ok(()),
        (Some(secret), method)
            if method.is_shared_secret()
                && client.client_id.starts_with(PREFIX)
                && app.secrets.is_client_secret(secret, &client.client_id) =>
        {
            Ok(())
        }
        _ => Err(refuse("The client's secret is wrong.").because("client_secret_wrong")),
    }
}

fn shown(headers: &HeaderMap, params: &Params) -> Result<Shown, OAuthError> {
    let body_id = params.one("client_id");
    let body_secret = params.one("client_secret");
    let mut basics = headers.get_all(AUTHORIZATION).iter();
    let (basic, another) = (basics.next(), basics.next());
    if another.is_some() || (basic.is_some() && body_secret.is_some()) {
        return Err(OAuthError::invalid_request(
            "The client authenticates in one way only.",
        ));
    }
    if let Some(header) = basic {
        let (id, secret) = header.to_str().ok().and_then(basic_pair).ok_or_else(|| {
            refuse("Authorization is not HTTP Basic of form-encoded client_id and secret (RFC 6749 section 2.3.1).")
        })?;
        if body_id.is_some_and(|other| other != id) {
            return Err(OAuthError::invalid_request(
                "client_id differs between header and body.",
            ));
        }
        let method = TokenEndpointAuthMethod::ClientSecretBasic;
        return Ok(Shown {
            client_id: id,
            secret: Some(secret),
            method,
        });
    }
    let id = body_id.ok_or_else(|| refuse("client_id is missing."))?;
    let method = match body_secret {
        Some(_) => TokenEndpointAuthMethod::ClientSecretPost,
        None => TokenEndpointAuthMethod::None,
    };
    Ok(Shown {
        client_id: id.to_owned(),
        secret: body_secret.map(str::to_owned),
        method,
    })
}

/// RFC 6749 §2.3.1: both parts are form-encoded before Base64.
fn basic_pair(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim_start()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let pair = Params::parse(format!("id={id}&secret={secret}").as_bytes()).ok()?;
    Some((pair.one("id")?.to_owned(), pair.one("secret")?.to_owned()))
}

fn refuse(description: impl Into<std::borrow::Cow<'static, str>>) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClient, description)
}
