//! Tokens that come back to the endpoints that made them: for revocation and introspection.

use keystile_domain::time::Timestamp;
use keystile_protocol::jwt::{Expectations, UnverifiedJwt, VerifiedClaims};

use crate::app::App;

/// The claims of an access token that this issuer made and that is not over.
pub(crate) fn access_claims(app: &App, token: &str, now: Timestamp) -> Option<VerifiedClaims> {
    let keys = app.keys.verification_keys();
    let now = u64::try_from(now.seconds()).ok()?;
    let unverified = UnverifiedJwt::parse(token).ok()?;
    app.settings.resources.iter().find_map(|entry| {
        let expected = Expectations {
            issuer: app.settings.issuer.as_str(),
            resource: entry.resource.as_str(),
            now,
            skew: 0,
        };
        unverified.verify(&keys, &expected).ok()
    })
}
