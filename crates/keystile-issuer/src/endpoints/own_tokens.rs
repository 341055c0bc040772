//! Tokens that come back to the endpoints that made them: for revocation and introspection.

use keystile_domain::ids::GrantId;
use keystile_domain::records::service_subject;
use keystile_domain::time::Timestamp;
use keystile_protocol::error::OAuthError;
use keystile_protocol::jwt::{Expectations, UnverifiedJwt, VerifiedClaims};

use crate::app::App;

/// The claims of an access token that this issuer made and that is not over.
pub(crate) fn access_claims(app: &App, token: &str, now: Timestamp) -> Option<VerifiedClaims> {
    let keys = app.keys.verification_keys();
    let now = u64::try_from(now.seconds()).ok()?;
    let resources = app.settings.resources.iter();
    let expected = resources.map(|entry| Expectations {
        issuer: app.settings.issuer.as_str(),
        resource: entry.resource.as_str(),
        now,
        skew: 0,
    });
    UnverifiedJwt::parse(token)
        .ok()?
        .verify_for_any(&keys, expected)
}

/// Whose grant it is.
pub(crate) struct Held {
    /// The client that holds it.
    pub(crate) client_id: String,
    /// The `sub` of its tokens.
    pub(crate) subject: String,
    /// Whether the client holds it for itself.
    pub(crate) is_service: bool,
    /// Whether it has to prove who it is.
    pub(crate) client_proves: bool,
}

/// Whoever holds this grant, dead or alive.
pub(crate) async fn held(app: &App, grant: GrantId) -> Result<Option<Held>, OAuthError> {
    let given = app.grants.lookup(grant).await;
    if let Some(record) = given.map_err(OAuthError::internal)? {
        return Ok(Some(Held {
            client_id: record.client_id,
            subject: record.person.to_string(),
            is_service: false,
            client_proves: record.client_proves,
        }));
    }
    let own = app.service_grants.lookup(grant).await;
    Ok(own.map_err(OAuthError::internal)?.map(|own| Held {
        subject: service_subject(&own.client_id),
        client_id: own.client_id,
        is_service: true,
        client_proves: false,
    }))
}

/// The grant that a token of any kind belongs to.
pub(crate) fn grant_of(app: &App, token: &str, now: Timestamp) -> Option<GrantId> {
    if let Some((grant, _)) = app.secrets.open_refresh_token(token) {
        return Some(grant);
    }
    let claims = access_claims(app, token, now)?;
    claims.sid.as_deref()?.parse().ok()
}
