//! Clients, whichever way they came: registered by an operator, by themselves, or by a document.

use keystile_protocol::client_metadata::{
    ApplicationType, ClientMetadata, TokenEndpointAuthMethod,
};
use keystile_protocol::redirect::{RedirectKind, RedirectUri};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::records::PreRegisteredClient;

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

/// A client as one transaction sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// `client_id`, byte for byte.
    pub client_id: String,
    /// How it came.
    pub kind: ClientKind,
    /// What it calls itself. Self-asserted, unless an operator wrote it.
    pub name: Option<String>,
    /// Exact registered redirect URIs.
    pub redirect_uris: Vec<String>,
    /// Whether a loopback redirect may come with another port (RFC 8252 §7.3).
    pub any_loopback_port: bool,
    /// How it authenticates at the token endpoint.
    pub auth_method: TokenEndpointAuthMethod,
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
            name: metadata.client_name.clone(),
            redirect_uris: metadata.redirect_uris.clone(),
            any_loopback_port: may_vary_port(metadata.application_type, auth_method),
            auth_method,
        }
    }

    /// Whether every way back to it leads to this computer: anybody here can claim to be it
    /// (N-AS-12).
    #[must_use]
    pub fn is_loopback_only(&self) -> bool {
        let loopback = |text: &String| RedirectUri::parse(text).is_ok_and(|uri| uri.is_loopback());
        !self.redirect_uris.is_empty() && self.redirect_uris.iter().all(loopback)
    }

    /// The host that vouches for the client: that of its document, with a port that is not 443 since
    /// that may be somebody else's, or else that of the redirect URI (N-AS-11). `None` for a program
    /// on this computer.
    #[must_use]
    pub fn host(&self, redirect: &RedirectUri) -> Option<String> {
        if self.kind == ClientKind::Document {
            let url = Url::parse(&self.client_id).ok()?;
            let (host, port) = (url.host_str()?, url.port());
            return Some(port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")));
        }
        match redirect.kind() {
            RedirectKind::Https { host } => Some(host.clone()),
            RedirectKind::Loopback { .. } | RedirectKind::PrivateUse { .. } => None,
        }
    }
}

impl From<PreRegisteredClient> for Client {
    fn from(record: PreRegisteredClient) -> Self {
        Self {
            client_id: record.client_id,
            kind: ClientKind::PreRegistered,
            name: Some(record.name),
            redirect_uris: record.redirect_uris,
            any_loopback_port: record.native,
            auth_method: TokenEndpointAuthMethod::None,
        }
    }
}

/// Only native clients, and `none` clients that say no type: many SDKs do not send it.
#[must_use]
pub fn may_vary_port(kind: Option<ApplicationType>, method: TokenEndpointAuthMethod) -> bool {
    match kind {
        Some(ApplicationType::Native) => true,
        Some(ApplicationType::Web) => false,
        None => method == TokenEndpointAuthMethod::None,
    }
}
