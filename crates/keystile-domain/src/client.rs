//! Clients, whichever way they came: registered by an operator, by themselves, or by a document.

use keystile_protocol::client_metadata::{
    ApplicationType, ClientMetadata, TokenEndpointAuthMethod,
};
use keystile_protocol::mutation::weakened;
use keystile_protocol::redirect::{RedirectKind, RedirectUri};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::records::{GrantType, GrantTypes, PreRegisteredClient};
use crate::shown;

/// How a client came to be known; people see it on the consent page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// An operator added it.
    PreRegistered,
    /// Its `client_id` is the URL of its metadata document.
    Document,
    /// It registered itself (RFC 7591).
    Registered,
}

/// Who answers for a client's identity; people read it on the consent page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Nobody but the client itself.
    #[default]
    Unknown,
    /// It is one of the well-known clients that this program ships with.
    Shipped,
    /// Whoever runs this server: by adding it, by a listed host, by an initial access token.
    Operator,
    /// The owner, by approving of the place of its redirect, for as long as that stands.
    Approved,
}

impl Trust {
    /// Whether nobody answers for the client.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }
}

/// A client as it is known now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// `client_id`, byte for byte.
    pub client_id: String,
    /// How it came.
    pub kind: ClientKind,
    /// What it calls itself, fit to be shown ([`shown::name`]). Self-asserted, unless an operator
    /// wrote it.
    pub name: Option<String>,
    /// Exact registered redirect URIs.
    pub redirect_uris: Vec<String>,
    /// Whether a loopback redirect may come with another port (RFC 8252 §7.3).
    pub any_loopback_port: bool,
    /// How it authenticates at the token endpoint.
    pub auth_method: TokenEndpointAuthMethod,
    /// Where its public keys are, if it said so: an https URL.
    pub jwks_uri: Option<String>,
    /// What it may ask for.
    pub grant_types: GrantTypes,
    /// Who answers for its identity.
    pub trust: Trust,
    /// It pushes every authorization request (RFC 9126 §6).
    pub pushes_only: bool,
}

impl Client {
    /// A client from metadata, with the method that was settled.
    #[must_use]
    pub fn from_metadata(
        client_id: String,
        kind: ClientKind,
        metadata: &ClientMetadata,
        auth_method: TokenEndpointAuthMethod,
    ) -> Self {
        Self {
            client_id,
            kind,
            name: metadata.client_name.as_deref().and_then(shown::name),
            redirect_uris: metadata.redirect_uris.clone(),
            any_loopback_port: may_vary_port(metadata.application_type, auth_method),
            auth_method,
            jwks_uri: metadata.jwks_uri.clone(),
            grant_types: grant_types(metadata),
            trust: Trust::Unknown,
            pushes_only: metadata.require_pushed_authorization_requests,
        }
    }

    /// The same client, for whose identity somebody answers.
    #[must_use]
    pub fn with_trust(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    /// Whether every way back to it leads to this computer: anybody here can claim to be it
    /// (N-AS-12).
    #[must_use]
    pub fn is_loopback_only(&self) -> bool {
        let loopback = |text: &String| RedirectUri::parse(text).is_ok_and(|uri| uri.is_loopback());
        !self.redirect_uris.is_empty() && self.redirect_uris.iter().all(loopback)
    }

    /// Whether its grants have to remember that it proves who it is. A document can change between
    /// two requests, and must not turn a client with a key into one that anybody can claim to be. How
    /// other clients authenticate is sealed in their id, or it is the operator's to change.
    #[must_use]
    pub fn proves(&self) -> bool {
        self.kind == ClientKind::Document && self.auth_method != TokenEndpointAuthMethod::None
    }

    /// What one transaction has to remember of it.
    #[must_use]
    pub fn snapshot(&self) -> ClientSnapshot {
        ClientSnapshot {
            client_id: self.client_id.clone(),
            kind: self.kind,
            name: self.name.clone(),
            is_loopback_only: self.is_loopback_only(),
            trust: self.trust,
            proves: self.proves(),
            once: !self.grant_types.contains(GrantType::RefreshToken),
        }
    }
}

/// A client as one transaction sees it: what the pages show and a grant names. It travels in the
/// address, so its registered redirect URIs stay behind; the matched one stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSnapshot {
    /// `client_id`, byte for byte.
    #[serde(rename = "i")]
    pub client_id: String,
    /// How it came.
    #[serde(rename = "k")]
    pub kind: ClientKind,
    /// What it calls itself.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// [`Client::is_loopback_only`]
    #[serde(rename = "l")]
    pub is_loopback_only: bool,
    /// Who answers for its identity.
    #[serde(rename = "v", default, skip_serializing_if = "Trust::is_unknown")]
    pub trust: Trust,
    /// [`Client::proves`]
    #[serde(rename = "p", default, skip_serializing_if = "std::ops::Not::not")]
    pub proves: bool,
    /// It gets no refresh token: what it is given ends with its access token.
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
}

impl ClientSnapshot {
    /// The host that vouches for the client: that of its document, with a port that is not 443 since
    /// that may be somebody else's, or else that of the redirect URI (N-AS-11). `None` for a program
    /// on this computer.
    #[must_use]
    pub fn host(&self, redirect: &RedirectUri) -> Option<String> {
        if self.kind == ClientKind::Document {
            return self.document_host();
        }
        match redirect.kind() {
            RedirectKind::Https { host } => Some(host.clone()),
            RedirectKind::Loopback { .. } | RedirectKind::PrivateUse { .. } => None,
        }
    }
}

impl ClientSnapshot {
    /// The host of its document, if it has one: all that can be checked of a client that redirects
    /// nowhere.
    #[must_use]
    pub fn document_host(&self) -> Option<String> {
        if self.kind != ClientKind::Document {
            return None;
        }
        let url = Url::parse(&self.client_id).ok()?;
        let (host, port) = (url.host_str()?, url.port());
        Some(port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    }
}

impl From<PreRegisteredClient> for Client {
    fn from(record: PreRegisteredClient) -> Self {
        Self {
            client_id: record.client_id,
            kind: ClientKind::PreRegistered,
            name: shown::name(&record.name),
            redirect_uris: record.redirect_uris,
            any_loopback_port: record.native,
            auth_method: record.auth_method,
            jwks_uri: record.jwks_uri,
            grant_types: record.grant_types,
            trust: Trust::Operator,
            pushes_only: record.pushes_only,
        }
    }
}

/// What a client that describes itself may ask for.
#[must_use]
pub fn grant_types(metadata: &ClientMetadata) -> GrantTypes {
    let device = GrantType::DeviceCode.as_str();
    let listed = metadata.grant_types.iter().any(|it| it == device);
    self_described(&metadata.redirect_uris, listed)
}

/// With a redirect: what every client that people sign in to may, and a device's code if it lists that.
/// Without one: a device's code.
#[must_use]
pub(crate) fn self_described(redirect_uris: &[String], device: bool) -> GrantTypes {
    let browser = (!redirect_uris.is_empty()).then_some(GrantType::AuthorizationCode);
    let device = device.then_some(GrantType::DeviceCode);
    let kinds = browser.into_iter().chain([GrantType::RefreshToken]);
    kinds.chain(device).collect()
}

/// Only native clients, and `none` clients that say no type: many SDKs do not send it.
#[must_use]
pub fn may_vary_port(kind: Option<ApplicationType>, method: TokenEndpointAuthMethod) -> bool {
    match kind {
        _ if weakened("a_070") => true,
        Some(ApplicationType::Native) => true,
        Some(ApplicationType::Web) => false,
        None => method == TokenEndpointAuthMethod::None,
    }
}

#[cfg(test)]
mod tests {
    use keystile_protocol::client_id_url::ClientIdUrl;
    use keystile_protocol::client_metadata::document;

    use super::*;

    #[test]
    fn a_068_a_document_names_its_client_without_disguise() {
        let id = "https://client.example/c.json";
        let url = ClientIdUrl::parse(id).unwrap();
        let named = |name: &str| {
            let body = serde_json::json!({
                "client_id": id,
                "client_name": name,
                "redirect_uris": ["https://client.example/cb"],
            });
            let metadata = document(&url, body.to_string().as_bytes()).unwrap();
            let method = TokenEndpointAuthMethod::None;
            Client::from_metadata(id.to_owned(), ClientKind::Document, &metadata, method).name
        };
        assert_eq!(
            named("Cla\u{202e}ude\r\n\u{1b}[2J \u{2713}").as_deref(),
            Some("Claude [2J")
        );
        assert_eq!(named("\u{202e}\u{200b}"), None);
    }
}
