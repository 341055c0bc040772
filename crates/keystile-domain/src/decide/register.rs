//! Dynamic client registration (RFC 7591): which clients may register themselves.

pub mod initial_access;

use std::collections::BTreeSet;

use keystile_protocol::client_metadata::{
    ApplicationType, ClientMetadata, TokenEndpointAuthMethod,
};
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::mutation::weakened;
use keystile_protocol::redirect::{RedirectKind, RedirectUri};
use keystile_protocol::resource::ResourceTable;
use keystile_protocol::scope::{OFFLINE_ACCESS, ScopeSet};

use crate::client::Trust;
use crate::decide::client_credentials::operators_only;
use crate::decide::diagnose::Diagnosis;
use crate::flow::without_query;
use crate::shown;

/// What the registration endpoint allows (DESIGN §5). Where nobody registers there is none.
#[derive(Debug, Clone)]
pub struct RegistrationPolicy {
    /// What a registration needs.
    pub mode: RegistrationMode,
    /// Private-use schemes of programs that people know.
    pub schemes: Vec<String>,
    /// https callbacks of clients that people know: exact, or, ending in `/*`, one more path segment.
    pub callbacks: Vec<String>,
}

/// What a registration needs besides being in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RegistrationMode {
    /// Nothing, if all its redirects are loopback or those of clients that people know.
    #[default]
    Default,
    /// An initial access token, always (RFC 7591 §3).
    InitialAccessToken,
    /// As [`Self::Default`]; redirects that nobody knows are remembered for the owner to approve of.
    Approval,
}

impl RegistrationPolicy {
    /// Whether a redirect is one of this computer or of clients that people know.
    #[must_use]
    pub fn knows(&self, uri: &RedirectUri) -> bool {
        match uri.kind() {
            RedirectKind::Loopback { .. } => true,
            RedirectKind::PrivateUse { scheme } => self.schemes.contains(scheme),
            RedirectKind::Https { .. } => self
                .callbacks
                .iter()
                .any(|known| is_callback(known, uri.as_str())),
        }
    }
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
            mode: RegistrationMode::default(),
            schemes: schemes.map(str::to_owned).into(),
            callbacks: callbacks.map(str::to_owned).into(),
        }
    }
}

/// A registration that is in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registrable {
    /// Only what means something here, in a stable order, so that equal clients get equal ids.
    pub metadata: ClientMetadata,
    /// How it will authenticate.
    pub auth_method: TokenEndpointAuthMethod,
    /// Redirects that the default policy does not let in: whoever runs this server has to.
    pub strange: Vec<RedirectUri>,
}

impl Registrable {
    /// The places of the redirects that need leave, each once.
    #[must_use]
    pub fn places(&self) -> BTreeSet<String> {
        self.strange.iter().map(RedirectUri::place).collect()
    }
}

/// What speaks for a registration besides itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leave {
    /// A good initial access token.
    Token,
    /// The owner approved of these places; there may be none.
    Places(BTreeSet<String>),
}

/// The methods that a client that registers itself may use; the last one with a `jwks_uri` only.
const METHODS: [TokenEndpointAuthMethod; 4] = [
    TokenEndpointAuthMethod::None,
    TokenEndpointAuthMethod::ClientSecretBasic,
    TokenEndpointAuthMethod::ClientSecretPost,
    TokenEndpointAuthMethod::PrivateKeyJwt,
];

/// Reads what a client asks for as what it would get.
///
/// # Errors
/// `invalid_redirect_uri` or `invalid_client_metadata`, with the rule and what to do.
pub fn register(
    asked: ClientMetadata,
    policy: &RegistrationPolicy,
    resources: &ResourceTable,
) -> Result<Registrable, OAuthError> {
    let auth_method = auth_method(&asked)?;
    let browser = !asked.is_for_devices_only();
    let lists = |wanted: &str| asked.grant_types.iter().any(|grant| grant == wanted);
    if browser && !lists("authorization_code") && lists("client_credentials") {
        return Err(operators_only(ErrorCode::InvalidClientMetadata));
    }
    if browser && !lists("authorization_code") {
        return Err(OAuthError::new(
            ErrorCode::InvalidClientMetadata,
            "grant_types must contain authorization_code, unless there are no redirect_uris and it contains the one of devices.",
        ));
    }
    if browser && !asked.response_types.iter().any(|kind| kind == "code") {
        return Err(OAuthError::new(
            ErrorCode::InvalidClientMetadata,
            "response_types must contain code.",
        ));
    }
    if asked.redirect_uris.len() > MOST_REDIRECTS {
        return Err(OAuthError::new(
            ErrorCode::InvalidRedirectUri,
            format!("at most {MOST_REDIRECTS} redirect_uris."),
        ));
    }
    let mut strange = Vec::new();
    for text in &asked.redirect_uris {
        let uri = redirect(text, asked.application_type)?;
        if !policy.knows(&uri) && !weakened("a_063") {
            strange.push(uri);
        }
    }
    // PAINS 2: every client may refresh, and is told so.
    let mut grant_types: Vec<String> = crate::client::grant_types(&asked)
        .iter()
        .map(|kind| kind.as_str().to_owned())
        .collect();
    let mut redirect_uris = asked.redirect_uris;
    redirect_uris.sort();
    redirect_uris.dedup();
    let mut scope = known_scopes(asked.scope.as_deref(), resources);
    if weakened("a_067") {
        grant_types = asked.grant_types;
        scope = asked.scope.unwrap_or(scope);
    }
    let signs = auth_method == TokenEndpointAuthMethod::PrivateKeyJwt;
    let metadata = ClientMetadata {
        redirect_uris,
        // What is echoed is what people will be shown (RFC 7591 §3.2.1 lets us replace it).
        client_name: asked.client_name.as_deref().and_then(shown::name),
        client_uri: None,
        token_endpoint_auth_method: Some(auth_method),
        token_endpoint_auth_methods_supported: Vec::new(),
        grant_types,
        response_types: browser.then(|| "code".to_owned()).into_iter().collect(),
        application_type: asked.application_type,
        scope: Some(scope),
        jwks_uri: asked.jwks_uri.filter(|_| signs),
        jwks: None,
        require_pushed_authorization_requests: asked.require_pushed_authorization_requests,
    };
    Ok(Registrable {
        metadata,
        auth_method,
        strange,
    })
}

/// How the client will authenticate: as it prefers, out of what it can do here.
///
/// # Errors
/// `invalid_client_metadata`: only with a key, and it does not say where that is.
pub fn auth_method(asked: &ClientMetadata) -> Result<TokenEndpointAuthMethod, OAuthError> {
    let signs = asked.jwks_uri.is_some();
    let offered = METHODS.split_last().filter(|_| !signs);
    let offered = offered.map_or(&METHODS[..], |(_, others)| others);
    let chosen = asked.choose_auth_method(offered, TokenEndpointAuthMethod::ClientSecretBasic);
    chosen.ok_or_else(|| {
        let why = "private_key_jwt needs a jwks_uri, the https address of the client's public keys: keys that are sent along (jwks) are not kept, since the client_id is the whole registration. Without such an address, ask whoever runs this server for: keystile client add --auth private_key_jwt --jwks FILE.";
        OAuthError::new(ErrorCode::InvalidClientMetadata, why).because("registration_keys_inline")
    })
}

/// Decides whether a registration that is in order is let in, and who answers for it then.
///
/// # Errors
/// `invalid_token` where an initial access token is needed; `invalid_redirect_uri` for a redirect
/// that nobody knows, with what whoever runs this server can do about it.
pub fn admit(
    asked: &Registrable,
    policy: &RegistrationPolicy,
    leave: &Leave,
) -> Result<Trust, OAuthError> {
    let Leave::Places(places) = leave else {
        return Ok(Trust::Operator);
    };
    if policy.mode == RegistrationMode::InitialAccessToken {
        return Err(initial_access::missing());
    }
    if asked.strange.is_empty() {
        return Ok(Trust::Unknown);
    }
    let approved = |uri: &&RedirectUri| places.contains(&uri.place()) || weakened("a_012");
    match asked.strange.iter().find(|uri| !approved(uri)) {
        Some(uri) => Err(strange(uri, policy)),
        None => Ok(Trust::Approved),
    }
}

fn strange(uri: &RedirectUri, policy: &RegistrationPolicy) -> OAuthError {
    let (text, place) = (without_query(uri.as_str()), shown::word(&uri.place()));
    let what = match uri.kind() {
        RedirectKind::PrivateUse { scheme } => format!(
            "{text}: the scheme {scheme} is not on this server's list ({}).",
            policy.schemes.join(", ")
        ),
        RedirectKind::Https { host } => {
            format!("{text}: {host} is not among the clients known here.")
        }
        RedirectKind::Loopback { .. } => format!("{text} is not known here."),
    };
    let refuse = |reason: &'static str, how: String| {
        let why = format!("{what} {how}");
        let told = Diagnosis::described(reason, &why).filled("PLACE", &uri.place());
        OAuthError::new(ErrorCode::InvalidRedirectUri, why)
            .because(reason)
            .with_detail(told)
    };
    match policy.mode {
        RegistrationMode::Approval => refuse(
            "redirect_not_approved_yet",
            format!(
                "Its owner has been told; register again when they have run: keystile client redirect approve {place}"
            ),
        ),
        RegistrationMode::Default | RegistrationMode::InitialAccessToken => refuse(
            "redirect_not_known",
            format!(
                "Use a loopback redirect, or ask whoever runs this server for: keystile client redirect approve {place}"
            ),
        ),
    }
}

/// The scopes that exist here out of those that the client named; the widest of them if it named
/// none.
fn known_scopes(asked: Option<&str>, resources: &ResourceTable) -> String {
    let mut all = ScopeSet::new().with(OFFLINE_ACCESS);
    for resource in resources.iter() {
        all = all.with(&resource.call_scope());
    }
    let asked = asked.and_then(|text| text.parse::<ScopeSet>().ok());
    let exists = |scope: &str| {
        scope == OFFLINE_ACCESS || resources.iter().any(|resource| resource.scopes.has(scope))
    };
    let known = asked
        .map(|asked| asked.filtered(exists))
        .filter(|known| !known.is_empty());
    known.unwrap_or(all).to_string()
}

/// A redirect of a legal form that fits to the type of the client.
fn redirect(
    text: &str,
    application_type: Option<ApplicationType>,
) -> Result<RedirectUri, OAuthError> {
    let refuse = |why: String| OAuthError::new(ErrorCode::InvalidRedirectUri, why);
    let named = without_query(text);
    let uri = RedirectUri::parse(text).map_err(|error| refuse(format!("{named}: {error}.")))?;
    let https = matches!(uri.kind(), RedirectKind::Https { .. });
    if application_type == Some(ApplicationType::Web) && !https && !weakened("n_as_15") {
        return Err(refuse(format!(
            "{named}: a client of application_type web has https redirects; register as native (OpenID Registration section 2)."
        )).because("redirect_of_native_client"));
    }
    Ok(uri)
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

/// The most redirect URIs of one registration.
const MOST_REDIRECTS: usize = 16;

#[cfg(test)]
mod tests;
