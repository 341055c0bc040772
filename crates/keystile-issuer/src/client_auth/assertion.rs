//! `private_key_jwt`: a signed assertion in place of a secret (RFC 7523 §2.2, §3).
//!
//! Whatever is wrong with an assertion, the client hears the same (CHECKLIST A-078); the reason is
//! for the log.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use keystile_domain::records::{AssertionUse, PreRegisteredClient};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use keystile_protocol::client_id_url::ClientIdUrl;
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::jwt::KeySet;
use keystile_protocol::jwt::assertion::{AssertionExpectations, UnverifiedAssertion};
use serde_json::Value;
use url::Url;

use super::refuse;
use super::shown::Shown;
use crate::app::App;
use crate::clients;

/// Checks the assertion of a client that an operator added, and takes its `jti`.
pub(super) async fn verify(
    app: &App,
    record: &PreRegisteredClient,
    text: &str,
    now: Timestamp,
) -> Result<(), OAuthError> {
    let source = Source {
        jwks: record.jwks.as_ref(),
        jwks_uri: record.jwks_uri.as_deref(),
    };
    judge(app, &record.client_id, &source, text, now).await
}

/// The same for a client of a document that names this method. Its keys are in the document or on
/// the document's own host: one client can't have another host asked (CHECKLIST A-055).
pub(super) async fn verify_of_document(
    app: &App,
    shown: &Shown,
    text: &str,
    now: Timestamp,
) -> Result<(), OAuthError> {
    let client_id = &shown.client_id;
    // Who asks is not proven, and where from is not known here: they share one allowance.
    let anybody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    clients::pay_for_fetch(app, client_id, anybody, now).map_err(|_| {
        let why = "The client's document has to be fetched, and too many were. Try again later.";
        OAuthError::new(ErrorCode::TemporarilyUnavailable, why).because("document_fetch_limit")
    })?;
    let document = clients::document(app, client_id, now).await?;
    let metadata = &document.metadata;
    let offered = [TokenEndpointAuthMethod::PrivateKeyJwt];
    let names_it = metadata.choose_auth_method(&offered, TokenEndpointAuthMethod::None);
    if names_it.is_none() {
        let why = "The client's document does not name private_key_jwt.";
        return Err(refuse(why).because("client_auth_method"));
    }
    let host = ClientIdUrl::parse(client_id).ok();
    let host = host.as_ref().map(ClientIdUrl::host);
    let own = |uri: &str| {
        let named = Url::parse(uri).ok();
        named.as_ref().and_then(Url::host_str) == host
    };
    let source = Source {
        jwks: metadata.jwks.as_ref(),
        jwks_uri: metadata.jwks_uri.as_deref().filter(|uri| own(uri)),
    };
    judge(app, client_id, &source, text, now).await
}

/// Where the client's keys are.
struct Source<'a> {
    jwks: Option<&'a Value>,
    jwks_uri: Option<&'a str>,
}

impl Source<'_> {
    async fn keys(
        &self,
        app: &App,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<KeySet>, OAuthError> {
        if let Some(jwks) = self.jwks {
            let keys = KeySet::from_jwks(jwks.to_string().as_bytes());
            return keys
                .map(Arc::new)
                .map_err(|error| no_good("client_keys", error));
        }
        let url = self.jwks_uri.and_then(|uri| Url::parse(uri).ok());
        let url = url.ok_or_else(|| no_good("client_keys", "the client has no keys"))?;
        let keys = app.client_keys.lookup(&url, kid, now.0).await;
        keys.map_err(|error| no_good("client_keys_unavailable", error))
    }
}

async fn judge(
    app: &App,
    client_id: &str,
    source: &Source<'_>,
    text: &str,
    now: Timestamp,
) -> Result<(), OAuthError> {
    let unverified =
        UnverifiedAssertion::parse(text).map_err(|error| no_good("client_assertion", error))?;
    let keys = source.keys(app, unverified.kid(), now).await?;
    let expected = AssertionExpectations {
        client_id,
        issuer: app.settings.issuer.as_str(),
        now: u64::try_from(now.seconds()).unwrap_or(u64::MAX),
    };
    let verified = unverified
        .verify(&keys, &expected)
        .map_err(|error| no_good("client_assertion", error))?;
    let ends = Timestamp::from_seconds(i64::try_from(verified.exp).unwrap_or(i64::MAX));
    let taken = app
        .clients
        .take_assertion(client_id, Digest::of(&verified.jti), now, ends)
        .await
        .map_err(OAuthError::internal)?;
    match taken {
        AssertionUse::First => Ok(()),
        AssertionUse::Again => Err(no_good(
            "client_assertion_replayed",
            "its jti was shown before",
        )),
        AssertionUse::TooMany => {
            let why = "This client has shown too many assertions. Use each access token until it expires.";
            Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, why)
                .because("client_assertions_full"))
        }
    }
}

pub(super) fn no_good(
    reason: &'static str,
    detail: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> OAuthError {
    let why = "The client's assertion is not good here: expected a new one, signed with a registered key, with iss and sub the client_id, aud this server's issuer, a jti, and an exp of at most 10 minutes.";
    refuse(why).because(reason).with_detail(detail)
}
