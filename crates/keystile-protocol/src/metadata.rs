//! Metadata documents: RFC 8414 (authorization server) and RFC 9728 (protected resource).

use serde::Serialize;

use crate::client_metadata::TokenEndpointAuthMethod;
use crate::issuer::Issuer;
use crate::jwt::Algorithm;
use crate::mutation::weakened;
use crate::resource::{ResourceTable, ServedResource};
use crate::scope::OFFLINE_ACCESS;
use crate::token::DEVICE_CODE_GRANT;

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
    /// RFC 8628 §4
    device_authorization_endpoint: String,
    /// RFC 9126 §5
    pushed_authorization_request_endpoint: String,
    revocation_endpoint: String,
    /// RFC 7662
    introspection_endpoint: String,
    jwks_uri: String,
    scopes_supported: Vec<String>,
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    grant_types_supported: [&'static str; 4],
    token_endpoint_auth_methods_supported: [&'static str; 4],
    token_endpoint_auth_signing_alg_values_supported: [&'static str; 3],
    revocation_endpoint_auth_methods_supported: [&'static str; 4],
    revocation_endpoint_auth_signing_alg_values_supported: [&'static str; 3],
    /// Only those that prove something.
    introspection_endpoint_auth_methods_supported: [&'static str; 3],
    introspection_endpoint_auth_signing_alg_values_supported: [&'static str; 3],
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
        let proofs = [
            TokenEndpointAuthMethod::ClientSecretBasic,
            TokenEndpointAuthMethod::ClientSecretPost,
            TokenEndpointAuthMethod::PrivateKeyJwt,
        ]
        .map(TokenEndpointAuthMethod::as_str);
        let methods = ["none", proofs[0], proofs[1], proofs[2]];
        let mut algorithms =
            [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256].map(Algorithm::as_str);
        if weakened("n_cc_02") {
            algorithms[2] = "PS256";
        }
        let all = resources.iter().flat_map(|entry| entry.scopes.iter());
        let mut scopes: Vec<String> = all.map(|named| named.scope.clone()).collect();
        scopes.push(OFFLINE_ACCESS.to_owned());
        Self {
            issuer: issuer.as_str().to_owned(),
            authorization_endpoint: issuer.at("/oauth/authorize"),
            token_endpoint: issuer.at("/oauth/token"),
            registration_endpoint: offers.registration.then(|| issuer.at("/oauth/register")),
            device_authorization_endpoint: issuer.at("/oauth/device"),
            pushed_authorization_request_endpoint: issuer.at("/oauth/par"),
            revocation_endpoint: issuer.at("/oauth/revoke"),
            introspection_endpoint: issuer.at("/oauth/introspect"),
            jwks_uri: issuer.at("/oauth/jwks"),
            scopes_supported: scopes,
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            grant_types_supported: [
                "authorization_code",
                "refresh_token",
                "client_credentials",
                DEVICE_CODE_GRANT,
            ],
            token_endpoint_auth_methods_supported: methods,
            token_endpoint_auth_signing_alg_values_supported: algorithms,
            revocation_endpoint_auth_methods_supported: methods,
            revocation_endpoint_auth_signing_alg_values_supported: algorithms,
            introspection_endpoint_auth_methods_supported: proofs,
            introspection_endpoint_auth_signing_alg_values_supported: algorithms,
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
