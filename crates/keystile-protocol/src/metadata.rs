//! Metadata documents: RFC 8414 (authorization server) and RFC 9728 (protected resource).

use serde::Serialize;

use crate::issuer::Issuer;
use crate::mutation::weakened;
use crate::resource::{ResourceTable, ServedResource};
use crate::scope::OFFLINE_ACCESS;

/// What the authorization server offers; says nothing that is not so.
#[derive(Debug, Clone, Copy)]
pub struct Offers {
    /// A URL as `client_id` works (client ID metadata documents).
    pub client_id_metadata_documents: bool,
    /// Clients may register themselves (RFC 7591).
    pub registration: bool,
}

/// Authorization server metadata (RFC 8414 §2), served also where OIDC discovery is looked for.
#[derive(Debug, Serialize)]
pub struct AuthorizationServerMetadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_endpoint: Option<String>,
    revocation_endpoint: String,
    jwks_uri: String,
    scopes_supported: Vec<String>,
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    grant_types_supported: [&'static str; 2],
    token_endpoint_auth_methods_supported: [&'static str; 3],
    revocation_endpoint_auth_methods_supported: [&'static str; 3],
    code_challenge_methods_supported: [&'static str; 1],
    /// RFC 9207 §3
    authorization_response_iss_parameter_supported: bool,
    client_id_metadata_document_supported: bool,
    /// RFC 9728 §4
    protected_resources: Vec<String>,
}

impl AuthorizationServerMetadata {
    /// The document of this issuer.
    #[must_use]
    pub fn new(issuer: &Issuer, resources: &ResourceTable, offers: Offers) -> Self {
        let methods = ["none", "client_secret_basic", "client_secret_post"];
        let mut scopes: Vec<String> = resources.iter().map(ServedResource::call_scope).collect();
        scopes.push(OFFLINE_ACCESS.to_owned());
        Self {
            issuer: issuer.as_str().to_owned(),
            authorization_endpoint: issuer.at("/oauth/authorize"),
            token_endpoint: issuer.at("/oauth/token"),
            registration_endpoint: offers.registration.then(|| issuer.at("/oauth/register")),
            revocation_endpoint: issuer.at("/oauth/revoke"),
            jwks_uri: issuer.at("/oauth/jwks"),
            scopes_supported: scopes,
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            grant_types_supported: ["authorization_code", "refresh_token"],
            token_endpoint_auth_methods_supported: methods,
            revocation_endpoint_auth_methods_supported: methods,
            code_challenge_methods_supported: [if weakened("n_as_04") { "plain" } else { "S256" }],
            authorization_response_iss_parameter_supported: true,
            client_id_metadata_document_supported: offers.client_id_metadata_documents,
            protected_resources: resources
                .iter()
                .map(|entry| entry.resource.to_string())
                .collect(),
        }
    }
}

/// Protected resource metadata (RFC 9728 §2).
#[derive(Debug, Serialize)]
pub struct ProtectedResourceMetadata {
    resource: String,
    authorization_servers: Vec<String>,
    scopes_supported: Vec<String>,
    bearer_methods_supported: [&'static str; 1],
    resource_name: String,
}

impl ProtectedResourceMetadata {
    /// The document of one resource. `offline_access` is never in it (N-RS-12).
    #[must_use]
    pub fn new(resource: &ServedResource, authorization_server: &str) -> Self {
        Self {
            resource: resource.resource.to_string(),
            authorization_servers: vec![authorization_server.to_owned()],
            scopes_supported: vec![resource.call_scope()],
            bearer_methods_supported: ["header"],
            resource_name: resource.name.clone(),
        }
    }
}

/// Where the document of a resource lives: path-inserted (RFC 9728 §3.1).
#[must_use]
pub fn protected_resource_path(server: &str) -> String {
    format!("/.well-known/oauth-protected-resource/{server}/mcp")
}
