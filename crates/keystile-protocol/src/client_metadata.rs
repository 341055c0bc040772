//! What a client says of itself: at registration (RFC 7591 §2) and in its metadata document (OAuth
//! Client ID Metadata Document draft §4). One type, one reading.

mod document;
mod member;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use document::{DocumentError, document};
pub use member::MetadataError;

use crate::strict_json;
use crate::token::DEVICE_CODE_GRANT;
use member::Members;

/// The metadata of a client, as far as it means something here.
///
/// Members that are not listed (`contacts`, `logo_uri`, `software_*`, `policy_uri`, …) are dropped:
/// nothing here fetches or shows them. A `null` counts as absent.
///
/// Redirect URIs are kept as they came; [`redirect`](crate::redirect) holds the rules for them.
/// `Deserialize` reads back what was stored; bodies from the wire go through [`Self::registration`]
/// or [`document()`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientMetadata {
    /// At least one.
    pub redirect_uris: Vec<String>,
    /// Self-asserted; a page shows the host before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// Self-asserted and only ever shown: one that is not https is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// The method the client prefers. [`Self::choose_auth_method`] decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_method: Option<TokenEndpointAuthMethod>,
    /// All methods the client can use (OpenID Connect RP Metadata Choices §2), those that we know.
    ///
    /// ChatGPT prefers `private_key_jwt` and says here that `none` will do as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_methods_supported: Vec<TokenEndpointAuthMethod>,
    /// As sent; `["authorization_code"]` if absent. Unknown ones are for the caller to leave out.
    pub grant_types: Vec<String>,
    /// As sent; `["code"]` if absent.
    pub response_types: Vec<String>,
    /// `None` if the client did not say; OpenID Connect would then assume `web`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_type: Option<ApplicationType>,
    /// Scopes, separated by spaces, unchecked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// An https URL; it is fetched only through the one fetcher (CHECKLIST A-055).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Public keys; never together with `jwks_uri`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// The client sends no authorization request through a browser, so nobody else may in its name
    /// (RFC 9126 §6).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_pushed_authorization_requests: bool,
}

impl ClientMetadata {
    /// Reads the body of a registration request (RFC 7591 §3.1).
    ///
    /// ```
    /// use keystile_protocol::client_metadata::ClientMetadata;
    ///
    /// let body = br#"{"redirect_uris":["http://localhost:8787/callback"],"client_name":"Cursor"}"#;
    /// let client = ClientMetadata::registration(body)?;
    /// assert_eq!(client.redirect_uris, ["http://localhost:8787/callback"]);
    /// # Ok::<(), keystile_protocol::client_metadata::MetadataError>(())
    /// ```
    ///
    /// # Errors
    /// The first member that is missing, of the wrong type or unusable.
    pub fn registration(body: &[u8]) -> Result<Self, MetadataError> {
        let value = parse(body)?;
        Self::read(&Members::of(&value)?)
    }

    /// The method this client uses at the token endpoint, given those that the server offers.
    ///
    /// What the client prefers comes first, then the others it can use in its own order. A client
    /// that says nothing at all gets `default`: `client_secret_basic` for a registration (RFC 7591
    /// §2); a metadata document always says something once it has been read.
    #[must_use]
    pub fn choose_auth_method(
        &self,
        offered: &[TokenEndpointAuthMethod],
        default: TokenEndpointAuthMethod,
    ) -> Option<TokenEndpointAuthMethod> {
        let choices = &self.token_endpoint_auth_methods_supported;
        let preferred = self
            .token_endpoint_auth_method
            .or(choices.is_empty().then_some(default));
        preferred
            .into_iter()
            .chain(choices.iter().copied())
            .find(|method| offered.contains(method))
    }

    /// No browser ever comes back to it: it has no redirect and lists the grant of devices (RFC 8628).
    #[must_use]
    pub fn is_for_devices_only(&self) -> bool {
        self.redirect_uris.is_empty()
    }

    fn read(members: &Members<'_>) -> Result<Self, MetadataError> {
        let code = "authorization_code".to_owned();
        let grant_types = members
            .strings("grant_types")?
            .unwrap_or_else(|| vec![code.clone()]);
        let lists = |grant: &str| grant_types.iter().any(|listed| listed == grant);
        let has_browser = lists(&code) || !lists(DEVICE_CODE_GRANT);
        let redirect_uris = members.strings("redirect_uris")?.unwrap_or_default();
        if redirect_uris.is_empty() && has_browser {
            return Err(match lists("client_credentials") && !lists(&code) {
                true => MetadataError::ForItself,
                false => MetadataError::Missing {
                    member: "redirect_uris",
                },
            });
        }
        let jwks_uri = members.https("jwks_uri")?;
        let jwks = members.public_keys("jwks")?;
        if jwks.is_some() && jwks_uri.is_some() {
            return Err(MetadataError::TwoKeySets);
        }
        Ok(Self {
            redirect_uris,
            client_name: members.string("client_name")?,
            client_uri: members
                .string("client_uri")?
                .filter(|uri| member::is_https(uri)),
            token_endpoint_auth_method: members.word(
                "token_endpoint_auth_method",
                "none, client_secret_basic, client_secret_post or private_key_jwt",
                TokenEndpointAuthMethod::from_word,
            )?,
            token_endpoint_auth_methods_supported: members
                .strings("token_endpoint_auth_methods_supported")?
                .unwrap_or_default()
                .iter()
                .filter_map(|method| TokenEndpointAuthMethod::from_word(method))
                .collect(),
            response_types: members.strings("response_types")?.unwrap_or_else(|| {
                let code = has_browser.then(|| "code".to_owned());
                code.into_iter().collect()
            }),
            grant_types,
            application_type: members.word(
                "application_type",
                "web or native",
                ApplicationType::from_word,
            )?,
            scope: members.string("scope")?,
            jwks_uri,
            jwks,
            require_pushed_authorization_requests: members
                .flag("require_pushed_authorization_requests")?,
        })
    }
}

/// How a client proves at the token endpoint who it is (RFC 7591 §2, RFC 7523 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenEndpointAuthMethod {
    /// A public client; PKCE is what binds it.
    None,
    /// HTTP Basic with a shared secret.
    ClientSecretBasic,
    /// The shared secret in the body.
    ClientSecretPost,
    /// A signed assertion.
    PrivateKeyJwt,
}

impl TokenEndpointAuthMethod {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// Whether client and server share a secret.
    #[must_use]
    pub const fn is_shared_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }

    fn from_word(word: &str) -> Option<Self> {
        [
            Self::None,
            Self::ClientSecretBasic,
            Self::ClientSecretPost,
            Self::PrivateKeyJwt,
        ]
        .into_iter()
        .find(|method| method.as_str() == word)
    }
}

/// Where a client runs (OpenID Connect Dynamic Client Registration §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationType {
    /// On a server; its redirect URIs are https.
    Web,
    /// On the person's machine; loopback with any port (RFC 8252 §7.3).
    Native,
}

impl ApplicationType {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Native => "native",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Web, Self::Native]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

fn parse(body: &[u8]) -> Result<Value, MetadataError> {
    Ok(strict_json::from_slice(body)?)
}

#[cfg(test)]
mod tests;
