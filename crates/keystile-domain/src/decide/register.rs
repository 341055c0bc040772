//! Dynamic client registration (RFC 7591): which clients may register themselves.

use keystile_protocol::client_metadata::{
    ApplicationType, ClientMetadata, TokenEndpointAuthMethod,
};
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::mutation::weakened;
use keystile_protocol::redirect::{RedirectKind, RedirectUri};
use keystile_protocol::resource::ResourceTable;
use keystile_protocol::scope::{OFFLINE_ACCESS, ScopeSet};

use crate::shown;

/// What the registration endpoint allows (DESIGN §5).
#[derive(Debug, Clone)]
pub struct RegistrationPolicy {
    /// Private-use schemes of programs that people know.
    pub schemes: Vec<String>,
    /// https callbacks of clients that people know: exact, or, ending in `/*`, one more path segment.
    pub callbacks: Vec<String>,
}

impl Default for RegistrationPolicy {
    /// The clients of DESIGN §11.
    fn default() -> Self {
        let schemes = ["cursor", "vscode", "vscode-insiders", "windsurf", "claude"];
        let callbacks = [
            "https://claude.ai/api/mcp/auth_callback",
            "https://claude.com/api/mcp/auth_callback",
            "https://chatgpt.com/connector/oauth/*",
            "https://chatgpt.com/connector_platform_oauth_redirect",
            "https://vscode.dev/redirect",
            "https://insiders.vscode.dev/redirect",
            "https://www.cursor.com/agents/mcp/oauth/callback",
        ];
        Self {
            schemes: schemes.map(str::to_owned).into(),
            callbacks: callbacks.map(str::to_owned).into(),
        }
    }
}

/// A registration that may be sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registrable {
    /// Only what means something here, in a stable order, so that equal clients get equal ids.
    pub metadata: ClientMetadata,
    /// How it will authenticate.
    pub auth_method: TokenEndpointAuthMethod,
}

/// The methods that a client that registers itself may use.
const METHODS: [TokenEndpointAuthMethod; 3] = [
    TokenEndpointAuthMethod::None,
    TokenEndpointAuthMethod::ClientSecretBasic,
    TokenEndpointAuthMethod::ClientSecretPost,
];

/// Decides a registration.
///
/// # Errors
/// `invalid_redirect_uri` or `invalid_client_metadata`, with the rule and what to do.
pub fn register(
    asked: ClientMetadata,
    policy: &RegistrationPolicy,
    resources: &ResourceTable,
) -> Result<Registrable, OAuthError> {
    let auth_method = asked
        .choose_auth_method(&METHODS, TokenEndpointAuthMethod::ClientSecretBasic)
        .ok_or_else(|| {
            OAuthError::new(
                ErrorCode::InvalidClientMetadata,
                "token_endpoint_auth_method must be none, client_secret_basic or client_secret_post.",
            )
        })?;
    if !asked
        .grant_types
        .iter()
        .any(|grant| grant == "authorization_code")
    {
        return Err(OAuthError::new(
            ErrorCode::InvalidClientMetadata,
            "grant_types must contain authorization_code.",
        ));
    }
    if !asked.response_types.iter().any(|kind| kind == "code") {
        return Err(OAuthError::new(
            ErrorCode::InvalidClientMetadata,
            "response_types must contain code.",
        ));
    }
    if asked.redirect_uris.len() > 16 {
        return Err(OAuthError::new(
            ErrorCode::InvalidRedirectUri,
            "at most 16 redirect_uris.",
        ));
    }
    for text in &asked.redirect_uris {
        redirect(text, asked.application_type, policy)?;
    }
    let mut redirect_uris = asked.redirect_uris;
    redirect_uris.sort();
    redirect_uris.dedup();
    let metadata = ClientMetadata {
        redirect_uris,
        // What is echoed is what people will be shown (RFC 7591 §3.2.1 lets us replace it).
        client_name: asked.client_name.as_deref().and_then(shown::name),
        client_uri: None,
        token_endpoint_auth_method: Some(auth_method),
        token_endpoint_auth_methods_supported: Vec::new(),
        // PAINS 2: every client may refresh, and is told so.
        grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
        response_types: vec!["code".to_owned()],
        application_type: asked.application_type,
        scope: Some(known_scopes(asked.scope.as_deref(), resources)),
        jwks_uri: None,
        jwks: None,
    };
    Ok(Registrable {
        metadata,
        auth_method,
    })
}

/// The scopes that exist here out of those that the client named; all of them if it named none.
fn known_scopes(asked: Option<&str>, resources: &ResourceTable) -> String {
    let mut all = ScopeSet::new().with(OFFLINE_ACCESS);
    for resource in resources.iter() {
        all = all.with(&resource.call_scope());
    }
    let asked = asked.and_then(|text| text.parse::<ScopeSet>().ok());
    let known = asked
        .map(|asked| asked.intersection(&all))
        .filter(|known| !known.is_empty());
    known.unwrap_or(all).to_string()
}

fn redirect(
    text: &str,
    application_type: Option<ApplicationType>,
    policy: &RegistrationPolicy,
) -> Result<(), OAuthError> {
    let refuse = |why: String| OAuthError::new(ErrorCode::InvalidRedirectUri, why);
    let uri = RedirectUri::parse(text).map_err(|error| refuse(format!("{text}: {error}.")))?;
    let web = application_type == Some(ApplicationType::Web);
    match uri.kind() {
        RedirectKind::Loopback { .. } if web && !weakened("n_as_15") => Err(refuse(format!(
            "{text}: a client of application_type web has https redirects; register as native (OpenID Registration section 2)."
        ))),
        RedirectKind::Loopback { .. } => Ok(()),
        RedirectKind::PrivateUse { scheme }
            if policy.schemes.iter().any(|known| known == scheme) =>
        {
            if web {
                return Err(refuse(format!(
                    "{text}: a web client has https redirects; register as native."
                )));
            }
            Ok(())
        }
        RedirectKind::PrivateUse { scheme } => Err(refuse(format!(
            "{text}: the scheme {scheme} is not on this server's list ({}). Use a loopback redirect, or ask the operator for: keystile client add.",
            policy.schemes.join(", ")
        ))),
        RedirectKind::Https { .. }
            if policy
                .callbacks
                .iter()
                .any(|known| is_callback(known, text)) =>
        {
            Ok(())
        }
        RedirectKind::Https { host } => Err(refuse(format!(
            "{text}: {host} is not among the clients known here. Use a loopback redirect, or ask the operator for: keystile client add."
        ))),
    }
}

fn is_callback(known: &str, text: &str) -> bool {
    match known.strip_suffix('*') {
        None => known == text,
        Some(prefix) => text.strip_prefix(prefix).is_some_and(|last| {
            !last.is_empty()
                && last
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        }),
    }
}

#[cfg(test)]
mod tests {
    use keystile_protocol::issuer::Issuer;

    use super::*;

    fn judge(body: &str) -> Result<Registrable, ErrorCode> {
        let table = ResourceTable::new(
            &Issuer::parse("http://localhost:7717").unwrap(),
            &["kb".to_owned()],
        );
        let metadata = ClientMetadata::registration(body.as_bytes()).unwrap();
        register(metadata, &RegistrationPolicy::default(), &table).map_err(|error| error.code)
    }

    #[test]
    fn what_cursor_sends_in_one_registration_is_accepted() {
        let cursor = r#"{"client_name":"Cursor","token_endpoint_auth_method":"none","redirect_uris":["cursor://anysphere.cursor-mcp/oauth/callback","https://www.cursor.com/agents/mcp/oauth/callback","http://localhost:8787/callback"]}"#;
        let fine = judge(cursor).unwrap();
        assert_eq!(fine.auth_method, TokenEndpointAuthMethod::None);
        assert_eq!(
            fine.metadata.scope.as_deref(),
            Some("kb:call offline_access")
        );
        assert!(
            fine.metadata
                .grant_types
                .contains(&"refresh_token".to_owned())
        );
    }

    #[test]
    fn an_unknown_https_redirect_or_scheme_needs_the_operator() {
        for uri in [
            "https://evil.example/cb",
            "evil://cb",
            "https://chatgpt.com/connector/oauth/a/b",
            "https://chatgpt.com/connector/oauth/",
            "https://claude.ai.evil.example/api/mcp/auth_callback",
        ] {
            let body =
                format!(r#"{{"token_endpoint_auth_method":"none","redirect_uris":["{uri}"]}}"#);
            assert_eq!(
                judge(&body).unwrap_err(),
                ErrorCode::InvalidRedirectUri,
                "{uri}"
            );
        }
        let chatgpt = r#"{"token_endpoint_auth_method":"none","redirect_uris":["https://chatgpt.com/connector/oauth/Ab_1-2"]}"#;
        assert!(judge(chatgpt).is_ok());
    }

    #[test]
    fn a_web_client_has_no_loopback_redirect() {
        let with = |kind: &str| {
            judge(&format!(
                r#"{{"application_type":"{kind}","token_endpoint_auth_method":"none","redirect_uris":["http://127.0.0.1:1/cb"]}}"#
            ))
        };
        assert_eq!(with("web").unwrap_err(), ErrorCode::InvalidRedirectUri);
        assert!(with("native").is_ok());
    }

    #[test]
    fn the_same_client_in_another_order_is_the_same() {
        let a = judge(
            r#"{"token_endpoint_auth_method":"none","redirect_uris":["http://127.0.0.1:1/cb","http://localhost:1/cb"]}"#,
        );
        let b = judge(
            r#"{"redirect_uris":["http://localhost:1/cb","http://127.0.0.1:1/cb","http://localhost:1/cb"],"token_endpoint_auth_method":"none"}"#,
        );
        assert_eq!(a.unwrap(), b.unwrap());
    }
}
