//! Making the answer of the token endpoint.

use std::time::Duration;

use keystile_domain::ids::{GrantId, TokenId};
use keystile_domain::time::Timestamp;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::jwt::AccessTokenClaims;
use keystile_protocol::jwt::claims::MAX_LIFETIME;
use keystile_protocol::mutation::weakened;
use keystile_protocol::resource::ServedResource;
use keystile_protocol::scope::{OFFLINE_ACCESS, ScopeSet};
use keystile_protocol::token::TokenResponse;

use crate::app::App;

/// What a token will say; every part was decided by now.
pub(crate) struct Issue<'a> {
    pub(crate) grant: GrantId,
    /// `sub`: a person's id, or the client itself.
    pub(crate) subject: &'a str,
    pub(crate) client_id: &'a str,
    /// `aud`
    pub(crate) resource: &'a ServedResource,
    pub(crate) scopes: &'a ScopeSet,
    /// Generation of the refresh token that goes out with it, if one does.
    pub(crate) generation: Option<u32>,
}

/// The resource of a grant, which may outlive the name or the public URL that it was given under: a
/// token for what is not served opens nothing, and a client that refreshes whenever it is refused
/// would never stop.
///
/// # Errors
/// `invalid_grant`: the client has to connect again.
pub(crate) fn served<'a>(app: &'a App, resource: &str) -> Result<&'a ServedResource, OAuthError> {
    app.settings.resources.find(resource).ok_or_else(|| {
        let why = format!(
            "This connection was made for {resource}, which is not served here any more. Connect again."
        );
        OAuthError::new(ErrorCode::InvalidGrant, why).because(SERVED_NO_MORE)
    })
}

/// The reason of a grant for what is served no more.
pub(crate) const SERVED_NO_MORE: &str = "grant_resource_not_served";

/// Signs an access token and derives the refresh token beside it (DESIGN §4).
pub(crate) fn issue(
    app: &App,
    what: &Issue<'_>,
    now: Timestamp,
) -> Result<TokenResponse, OAuthError> {
    let lifetime = lifetime(app.settings.access_token_lifetime);
    let iat = u64::try_from(now.seconds()).map_err(OAuthError::internal)?;
    // `offline_access` is between client and issuer; no resource server needs it (N-RS-12).
    let callable = what.scopes.filtered(|scope| scope != OFFLINE_ACCESS);
    let claims = AccessTokenClaims {
        iss: app.settings.issuer.as_str().to_owned(),
        sub: what.subject.to_owned(),
        aud: what.resource.resource.to_string(),
        client_id: what.client_id.to_owned(),
        scope: callable.to_string(),
        iat,
        exp: iat.saturating_add(lifetime),
        nbf: None,
        jti: TokenId::new(now, &*app.rng).to_string(),
        sid: Some(what.grant.to_string()),
    };
    Ok(TokenResponse {
        access_token: app.keys.sign(&claims).map_err(OAuthError::internal)?,
        token_type: "Bearer",
        expires_in: promised(lifetime),
        refresh_token: what
            .generation
            .map(|generation| app.secrets.refresh_token(what.grant, generation)),
        scope: what.scopes.to_string(),
    })
}

/// Whole seconds; no token lives longer than verifiers allow, whatever the settings say.
fn lifetime(wanted: Duration) -> u64 {
    if weakened("n_as_25") {
        return wanted.as_secs();
    }
    wanted.as_secs().clamp(1, MAX_LIFETIME)
}

/// `expires_in`, a little less than `exp` keeps.
///
/// `exp` has whole seconds and the answer takes time to arrive. Two of six clients ask the person again when a token is
/// refused that they believe in, and refresh in silence when they know that it is over (ADR 0003).
fn promised(lifetime: u64) -> u64 {
    lifetime.saturating_sub((lifetime / 10).clamp(1, 10)).max(1)
}

#[cfg(test)]
mod tests {
    use super::promised;

    #[test]
    fn expires_in_promises_less_than_exp_keeps() {
        assert_eq!([1, 3, 60, 600, 3600].map(promised), [1, 2, 54, 590, 3590]);
    }
}
