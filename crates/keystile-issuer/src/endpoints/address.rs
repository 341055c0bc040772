//! What stands in the address of an endpoint that takes a form: never a secret.

use http::Uri;
use keystile_protocol::error::OAuthError;
use keystile_protocol::mutation::weakened;
use url::form_urlencoded;

/// What whoever has it could use, or part of it.
const SECRETS: [&str; 8] = [
    "client_secret",
    "client_assertion",
    "code",
    "code_verifier",
    "device_code",
    "refresh_token",
    "token",
    "password",
];

/// Refuses a request with a secret in its address, whatever else is wrong or right: it counts as not sent there, logs on
/// the way have it now, and whoever is answered otherwise never hears of it.
///
/// RFC 6749 §2.3.1: such parameters "MUST NOT be included in the request URI".
///
/// # Errors
/// `invalid_request`, with their names.
pub(crate) fn without_secrets(address: &Uri) -> Result<(), OAuthError> {
    let query = address.query().unwrap_or_default().as_bytes();
    let sent = |name: &&str| {
        form_urlencoded::parse(query).any(|(other, value)| other == **name && !value.is_empty())
    };
    let named: Vec<&str> = SECRETS.into_iter().filter(sent).collect();
    if named.is_empty() || weakened("a_090b") {
        return Ok(());
    }
    let named = named.join(" and ");
    let why = format!(
        "There is {named} in the address, where it counts as not sent and logs may keep it: send it in the body, and have a new one made."
    );
    Err(OAuthError::invalid_request(why).because("secret_in_address"))
}
