//! What a client may ask for itself (OAuth 2.1 §4.2).

use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::mutation::weakened;
use keystile_protocol::resource::ServedResource;
use keystile_protocol::scope::{OFFLINE_ACCESS, ScopeSet};

use crate::decide::diagnose::Diagnosis;
use crate::shown::word;

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
        return Err(match allowed.is_empty() {
            true => nothing_at(resource, own),
            false => refuse(format!("This client may ask for: {allowed}.")),
        });
    }
    Ok(given)
}

/// The refusal of a client that registered itself, or is a document, and wants to act for itself: only an
/// operator lets one in without a person.
#[must_use]
pub fn operators_only(code: ErrorCode) -> OAuthError {
    let why = "Only a client that the operator added acts for itself (client_credentials): ask whoever runs this server for one, and use its client_id and secret.";
    OAuthError::new(code, why).because("client_not_added_by_operator")
}

/// Doctor has the whole command: it sets all that the client may ask for.
fn nothing_at(resource: &ServedResource, own: &ScopeSet) -> OAuthError {
    let refusal = refuse(format!(
        "This client may not ask for anything at {}: ask whoever runs this server, and name the reference.",
        resource.resource
    ));
    let scopes = own.clone().with(&resource.call_scope());
    let flags: Vec<String> = scopes
        .iter()
        .map(|scope| format!("--scope {}", word(scope)))
        .collect();
    let mut diagnosis = Diagnosis::of(&refusal);
    diagnosis.fix = format!(
        "If it may: keystile client update CLIENT_ID {}",
        flags.join(" ")
    );
    refusal.with_detail(diagnosis)
}

fn refuse(why: String) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidScope, why).because("client_scope")
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
