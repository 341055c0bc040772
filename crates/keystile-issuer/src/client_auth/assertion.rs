//! `private_key_jwt`: a signed assertion in place of a secret (RFC 7523 §2.2, §3).
//!
//! Whatever is wrong with an assertion, the client hears the same (CHECKLIST A-078); the reason is
//! for the log.

use std::sync::Arc;

use keystile_domain::client::Client;
use keystile_domain::decide::diagnose::{Diagnosis, assertion};
use keystile_domain::records::{AssertionUse, PreRegisteredClient};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use keystile_fetch::KeysError;
use keystile_protocol::client_id_url::ClientIdUrl;
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::jwt::KeySet;
use keystile_protocol::jwt::assertion::{AssertionExpectations, UnverifiedAssertion};
use serde_json::Value;
use url::Url;

use super::refuse;
use crate::app::App;
use crate::clients::{self, Asker, DocumentKeys};
use crate::fetched;

/// Checks the assertion of a client that an operator added, and takes its `jti`.
pub(super) async fn verify(
    app: &App,
    record: &PreRegisteredClient,
    shown: UnverifiedAssertion<'_>,
    now: Timestamp,
) -> Result<(), OAuthError> {
    let keys = match (&record.jwks, record.jwks_uri.as_deref().map(Url::parse)) {
        (Some(jwks), _) => inline(jwks)?,
        (None, Some(Ok(uri))) => {
            let keys = app.client_keys.lookup(&uri, shown.kid(), now.0).await;
            keys.map_err(|error| unavailable(&uri, error))?
        }
        (None, _) => return Err(no_keys()),
    };
    judge(app, &record.client_id, &keys, shown, now).await
}

/// The same for a client of a document that names this method.
pub(super) async fn verify_of_document(
    app: &App,
    client_id: &ClientIdUrl,
    shown: UnverifiedAssertion<'_>,
    asker: Asker,
) -> Result<(), OAuthError> {
    let document = clients::document(app, client_id, asker).await?;
    let metadata = &document.metadata;
    let offered = [TokenEndpointAuthMethod::PrivateKeyJwt];
    let names_it = metadata.choose_auth_method(&offered, TokenEndpointAuthMethod::None);
    if names_it.is_none() {
        let why = "The client's document does not name private_key_jwt.";
        return Err(refuse(why).because("client_auth_method"));
    }
    let keys = match DocumentKeys::of(client_id, metadata) {
        Some(DocumentKeys::Inline(jwks)) => inline(jwks)?,
        Some(DocumentKeys::At(uri)) => asked_for(app, &uri, &shown, asker).await?,
        None => return Err(no_keys()),
    };
    judge(app, client_id.as_str(), &keys, shown, asker.now).await
}

/// The same for a client that registered itself. Its keys are where it said then, if documents of
/// clients may be there too: what hosts are asked is one rule (CHECKLIST A-055, N-AS-13).
pub(super) async fn verify_of_registration(
    app: &App,
    client: &Client,
    shown: UnverifiedAssertion<'_>,
    asker: Asker,
) -> Result<(), OAuthError> {
    let uri = client.jwks_uri.as_deref().map(Url::parse);
    let Some(Ok(uri)) = uri else {
        return Err(no_keys());
    };
    if !app.documents.may_fetch_from(&uri) {
        let open = app.documents.is_open();
        return Err(no_good(fetched::keys_not_listed(&uri, open)));
    }
    let keys = asked_for(app, &uri, &shown, asker).await?;
    judge(app, &client.client_id, &keys, shown, asker.now).await
}

/// Keys at an address that a stranger chose; their network pays for each question.
async fn asked_for(
    app: &App,
    uri: &Url,
    shown: &UnverifiedAssertion<'_>,
    asker: Asker,
) -> Result<Arc<KeySet>, OAuthError> {
    let (keys, pay) = (&app.client_keys, || asker.pay_for_fetch(app));
    let found = keys.lookup_for(uri, shown.kid(), asker.now.0, pay).await?;
    found.map_err(|error| unavailable(uri, error))
}

fn inline(jwks: &Value) -> Result<Arc<KeySet>, OAuthError> {
    let keys = KeySet::from_jwks(jwks.to_string().as_bytes());
    keys.map(Arc::new).map_err(|error| {
        let found = format!("The client's key set is not usable: {error}.");
        no_good(Diagnosis::named("client_keys", found))
    })
}

fn unavailable(uri: &Url, error: KeysError) -> OAuthError {
    no_good(fetched::keys(uri, error))
}

fn no_keys() -> OAuthError {
    no_good(Diagnosis::named("client_keys", "The client has no keys."))
}

async fn judge(
    app: &App,
    client_id: &str,
    keys: &KeySet,
    shown: UnverifiedAssertion<'_>,
    now: Timestamp,
) -> Result<(), OAuthError> {
    let expected = expected(app, client_id, now);
    let text = shown.text();
    let verified = shown
        .verify(keys, &expected)
        .map_err(|error| no_good(assertion::rejected(error, text, &expected)))?;
    let ends = Timestamp::from_seconds(i64::try_from(verified.exp).unwrap_or(i64::MAX));
    let taken = app
        .clients
        .take_assertion(client_id, Digest::of(&verified.jti), now, ends)
        .await
        .map_err(OAuthError::internal)?;
    match taken {
        AssertionUse::First => Ok(()),
        AssertionUse::Again => Err(no_good(assertion::reused())),
        AssertionUse::TooMany => {
            let why = "This client has shown too many assertions. Use each access token until it expires.";
            Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, why)
                .because("client_assertions_full"))
        }
    }
}

/// What an assertion of this client must say.
fn expected<'a>(app: &'a App, client_id: &'a str, now: Timestamp) -> AssertionExpectations<'a> {
    AssertionExpectations {
        client_id,
        issuer: app.settings.issuer.as_str(),
        now: u64::try_from(now.seconds()).unwrap_or(u64::MAX),
    }
}

/// Takes an assertion apart. Whose it is, it says itself.
pub(super) fn read<'a>(
    app: &App,
    text: &'a str,
    now: Timestamp,
) -> Result<(String, UnverifiedAssertion<'a>), OAuthError> {
    let parsed = UnverifiedAssertion::parse(text);
    let read = parsed.and_then(|read| Ok((read.claimed_client()?.to_owned(), read)));
    read.map_err(|error| {
        let expected = expected(app, "", now);
        no_good(assertion::rejected(error, text, &expected))
    })
}

fn no_good(diagnosis: Diagnosis) -> OAuthError {
    let why = "The client's assertion is not good here: sign a new one for each request, with a registered key, by a right clock, with iss and sub the client_id, aud this server's issuer, a jti, and an exp of at most 10 minutes.";
    refuse(why).with_detail(diagnosis)
}
