//! What a client may ask for itself (OAuth 2.1 §4.2).

use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::mutation::weakened;
use keystile_protocol::resource::ServedResource;
use keystile_protocol::scope::{OFFLINE_ACCESS, ScopeSet};

/// Decides the scopes of a client's own token: those of the operator's choice that exist for this
/// resource, and what they have in common with those that the client named, if it named any. Never
/// what only a person gives.
///
/// # Errors
/// `invalid_scope`, with what the client may ask for.
pub fn client_credentials(
    asked: Option<&ScopeSet>,
    own: &ScopeSet,
    resource: &ServedResource,
) -> Result<ScopeSet, OAuthError> {
    let hierarchy = resource.scopes.hierarchy();
    let allowed = own.filtered(|scope| resource.scopes.has(scope) && scope != OFFLINE_ACCESS);
    let given = match asked {
        Some(asked) if weakened("n_cc_04b") => asked.clone(),
        Some(asked) => hierarchy.common(&allowed, asked),
        None => hierarchy.normalised(&allowed),
    };
    if given.is_empty() {
        let why = if allowed.is_empty() {
            format!(
                "This client may not ask for anything at {}; the operator allows it with: keystile client update CLIENT_ID --scope {}.",
                resource.resource,
                resource.call_scope()
            )
        } else {
            format!("This client may ask for: {allowed}.")
        };
        return Err(OAuthError::new(ErrorCode::InvalidScope, why).because("client_scope"));
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use keystile_protocol::issuer::Issuer;
    use keystile_protocol::resource::ResourceTable;

    use super::*;

    #[test]
    fn n_cc_04_a_client_gets_no_more_than_the_operator_chose() {
        let issuer = Issuer::parse("http://localhost:7717").unwrap();
        let table = ResourceTable::new(&issuer, &["kb".to_owned(), "git".to_owned()]);
        let kb = table.by_name("kb").unwrap();
        let judge = |asked: &str, own: &str| {
            let asked: ScopeSet = asked.parse().unwrap();
            let asked = (!asked.is_empty()).then_some(asked);
            client_credentials(asked.as_ref(), &own.parse().unwrap(), kb)
                .map(|scopes| scopes.to_string())
                .map_err(|error| error.code)
        };
        assert_eq!(judge("", "kb:call git:call"), Ok("kb:call".to_owned()));
        assert_eq!(judge("kb:call", "kb:call"), Ok("kb:call".to_owned()));
        // Less than the operator chose is given, and of more what the operator chose.
        assert_eq!(judge("kb:read", "kb:call"), Ok("kb:read".to_owned()));
        assert_eq!(judge("kb:call", "kb:read"), Ok("kb:read".to_owned()));
        assert_eq!(judge("", "kb:read kb:call"), Ok("kb:call".to_owned()));
        let more = "kb:call offline_access git:call admin";
        assert_eq!(
            judge(more, "kb:call offline_access"),
            Ok("kb:call".to_owned())
        );
        for (asked, own) in [
            ("", ""),
            ("kb:call", ""),
            ("kb:call", "git:call"),
            ("git:call", "kb:call git:call"),
            ("offline_access", "kb:call offline_access"),
        ] {
            assert_eq!(judge(asked, own), Err(ErrorCode::InvalidScope), "{asked}");
        }
    }
}
