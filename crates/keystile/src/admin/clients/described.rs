//! What the operator says of a client, and whether it can be so.

use keystile_domain::records::{GrantType, GrantTypes, PreRegisteredClient};
use keystile_domain::secrets::client_id::PREFIX;
use keystile_domain::time::Timestamp;
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_protocol::jwt::KeySet;
use keystile_protocol::redirect::{RedirectError, RedirectKind, RedirectUri};
use keystile_protocol::scope::ScopeSet;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::admin::{LEGAL_NAME, is_legal_name};
use crate::failure::Failure;

/// A client as the operator describes it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewClient {
    pub(crate) name: String,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) exact_port: bool,
    pub(crate) auth: TokenEndpointAuthMethod,
    pub(crate) jwks: Option<Value>,
    pub(crate) jwks_uri: Option<String>,
    pub(crate) grants: Vec<GrantType>,
    pub(crate) scopes: Vec<String>,
    pub(crate) introspects: Option<String>,
    #[serde(default)]
    pub(crate) pushes_only: bool,
}

impl NewClient {
    /// The client that is described, if there can be such a one.
    pub(super) fn record(
        self,
        client_id: String,
        created_at: Timestamp,
    ) -> Result<PreRegisteredClient, Failure> {
        let grant_types = self.grant_types()?;
        Ok(PreRegisteredClient {
            native: self.native()?,
            scopes: self.scopes()?,
            introspects: self.introspected()?,
            pushes_only: self.pushes_only(&grant_types)?,
            jwks: self.keys()?,
            client_id,
            created_at,
            grant_types,
            auth_method: self.auth,
            jwks_uri: self.jwks_uri,
            name: self.name,
            redirect_uris: self.redirect_uris,
        })
    }

    fn pushes_only(&self, kinds: &GrantTypes) -> Result<bool, Failure> {
        if self.pushes_only && !kinds.contains(GrantType::AuthorizationCode) {
            return Err(Failure::usage(
                "require_pushed_requests",
                "only a client that people sign in to in a browser pushes its requests",
                "leave --require-pushed-requests out, or say --require-pushed-requests=false",
            ));
        }
        Ok(self.pushes_only)
    }

    /// Whether a loopback redirect may come with another port; checks name and redirects.
    fn native(&self) -> Result<bool, Failure> {
        if !is_legal_name(&self.name) {
            return Err(Failure::usage(
                "client_name",
                LEGAL_NAME,
                "choose another --name",
            ));
        }
        let mut native = false;
        for text in &self.redirect_uris {
            let uri = RedirectUri::parse(text).map_err(|error| {
                Failure::usage(
                    "redirect_uri",
                    format!("{text}: {error}"),
                    help_with(&error),
                )
            })?;
            native |= !self.exact_port && !matches!(uri.kind(), RedirectKind::Https { .. });
        }
        Ok(native)
    }

    fn grant_types(&self) -> Result<GrantTypes, Failure> {
        let only_asks = self.introspects.is_some() && self.redirect_uris.is_empty();
        let kinds: GrantTypes = match self.grants.as_slice() {
            [] if only_asks => GrantTypes::from_iter([]),
            [] => GrantTypes::default(),
            named => named.iter().copied().collect(),
        };
        let redirects = kinds.contains(GrantType::AuthorizationCode);
        if redirects == self.redirect_uris.is_empty() {
            let (why, help) = if redirects {
                (
                    "a client that people sign in to needs a redirect URI",
                    "name it with --redirect-uri, or with --add-redirect-uri in client update; or, for a client that acts for itself, say --grant client_credentials",
                )
            } else {
                (
                    "redirect URIs are for --grant authorization_code",
                    "leave them out, or add that grant",
                )
            };
            return Err(Failure::usage("redirect_uri", why, help));
        }
        let signs_in = redirects || kinds.contains(GrantType::DeviceCode);
        if kinds.contains(GrantType::RefreshToken) && !signs_in {
            return Err(Failure::usage(
                "client_grant",
                "a refresh token only comes with a person's sign-in",
                "add --grant authorization_code or --grant device_code, or leave --grant refresh_token out",
            ));
        }
        let proves = self.auth != TokenEndpointAuthMethod::None;
        if !proves && (kinds.contains(GrantType::ClientCredentials) || self.introspects.is_some()) {
            return Err(Failure::usage(
                "client_auth",
                "a client that acts for itself must prove who it is",
                "say --auth private_key_jwt with --jwks or --jwks-uri (best), or --auth client_secret_basic",
            ));
        }
        Ok(kinds)
    }

    fn scopes(&self) -> Result<ScopeSet, Failure> {
        let text = self.scopes.join(" ");
        let scopes: ScopeSet = text
            .parse()
            .map_err(|error| Failure::usage("scope", error, "write it as in NAME:call"))?;
        let acts = self.grants.contains(&GrantType::ClientCredentials);
        if acts == scopes.is_empty() {
            let (why, help) = if acts {
                (
                    "a client that acts for itself needs a scope, which says what it may call",
                    "say --scope NAME:call, where NAME is that of the server",
                )
            } else {
                (
                    "scopes are for --grant client_credentials; others get what people allow",
                    "leave --scope out, or add that grant",
                )
            };
            return Err(Failure::usage("scope", why, help));
        }
        Ok(scopes)
    }

    fn introspected(&self) -> Result<Option<String>, Failure> {
        let Some(text) = &self.introspects else {
            return Ok(None);
        };
        let usable = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !usable {
            return Err(Failure::usage(
                "introspects",
                format!("{text} is no URL of an MCP endpoint"),
                "write it as mcp_url, which is printed on start",
            ));
        }
        Ok(Some(text.clone()))
    }

    /// Checks the keys of `private_key_jwt` and gives those that were sent along.
    fn keys(&self) -> Result<Option<Value>, Failure> {
        let wanted = self.auth == TokenEndpointAuthMethod::PrivateKeyJwt;
        let named = usize::from(self.jwks.is_some()) + usize::from(self.jwks_uri.is_some());
        if named != usize::from(wanted) {
            let (why, help) = if wanted {
                (
                    "private_key_jwt needs the client's public keys, from one place",
                    "say either --jwks FILE or --jwks-uri URL",
                )
            } else {
                (
                    "public keys are for --auth private_key_jwt",
                    "leave --jwks and --jwks-uri out, or say --auth private_key_jwt",
                )
            };
            return Err(Failure::usage("client_keys", why, help));
        }
        if let Some(uri) = &self.jwks_uri {
            let usable = Url::parse(uri).is_ok_and(|url| {
                url.scheme() == "https" && url.username().is_empty() && url.fragment().is_none()
            });
            if !usable || uri.len() > 2048 {
                return Err(Failure::usage(
                    "jwks_uri",
                    "the keys must stand at an https URL without user name and fragment",
                    "name another --jwks-uri, or send the keys along with --jwks FILE",
                ));
            }
        }
        let Some(jwks) = &self.jwks else {
            return Ok(None);
        };
        KeySet::from_jwks(jwks.to_string().as_bytes()).map_err(|error| {
            Failure::usage(
                "jwks",
                format!("the key set can't be used: {error}"),
                "a JWK set of public keys: P-256 (ES256), Ed25519 (EdDSA) or RSA of at least 2048 bits (RS256), each with a kid",
            )
        })?;
        Ok(Some(jwks.clone()))
    }
}

/// What to write instead of a redirect URI that is none.
fn help_with(error: &RedirectError) -> &'static str {
    match error {
        RedirectError::Fragment => "leave out the # and what follows it",
        RedirectError::Userinfo => "leave out the user name and its @",
        RedirectError::AnswerParameter => "leave that parameter out of its query",
        RedirectError::Characters => {
            "write other characters percent-encoded, and put it in quotes for the shell"
        }
        RedirectError::Length
        | RedirectError::DotSegments
        | RedirectError::Malformed
        | RedirectError::Scheme
        | RedirectError::PlainHttp => "use https, http on loopback, or the app's own scheme",
    }
}

/// A `client_id` of the operator's choice must not look like a sealed one or a document's URL.
pub(super) fn legal_client_id(id: &str) -> Result<String, Failure> {
    let legal = (1..=128).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        && !id.starts_with(PREFIX);
    if !legal {
        return Err(Failure::usage(
            "client_id",
            "a client id has 1 to 128 letters, digits or -._~, and does not begin with ksd_",
            "choose another --client-id, or leave it out",
        ));
    }
    Ok(id.to_owned())
}
