//! The documents of well-known clients, as their hosts published them in autumn 2026.
//!
//! They serve where nothing may be fetched, and when a host fails or turns servers away: some stand
//! behind a challenge that only browsers pass. A host that answers is always believed over them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use keystile_protocol::client_id_url::ClientIdUrl;
use keystile_protocol::client_metadata;
use sha2::{Digest, Sha256};

use super::{Document, Source};

/// The shipped document of this client.
pub(super) fn document(id: &ClientIdUrl) -> Option<Arc<Document>> {
    PINNED.get(id.as_str()).cloned()
}

static PINNED: LazyLock<HashMap<&str, Arc<Document>>> = LazyLock::new(|| {
    let entry = |(id, body): &(&'static str, &'static str)| {
        let url = ClientIdUrl::parse(id).expect("shipped ids are good");
        let metadata = client_metadata::document(&url, body.as_bytes());
        let metadata = metadata.expect("shipped documents are good");
        let digest = Sha256::digest(body.as_bytes()).into();
        (
            *id,
            Arc::new(Document {
                metadata,
                digest,
                source: Source::Pinned,
            }),
        )
    };
    DOCUMENTS.iter().map(entry).collect()
});

const DOCUMENTS: [(&str, &str); 5] = [
    (
        // claude.ai, Claude Desktop and Claude on phones. `claude.com` is its callback's next home.
        "https://claude.ai/oauth/mcp-oauth-client-metadata",
        r#"{
            "client_id": "https://claude.ai/oauth/mcp-oauth-client-metadata",
            "client_name": "Claude",
            "client_uri": "https://claude.ai",
            "redirect_uris": [
                "https://claude.ai/api/mcp/auth_callback",
                "https://claude.com/api/mcp/auth_callback"
            ],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none"
        }"#,
    ),
    (
        // It says no application_type; any loopback port is meant.
        "https://claude.ai/oauth/claude-code-client-metadata",
        r#"{
            "client_id": "https://claude.ai/oauth/claude-code-client-metadata",
            "client_name": "Claude Code",
            "client_uri": "https://claude.ai",
            "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none"
        }"#,
    ),
    (
        "https://vscode.dev/oauth/client-metadata.json",
        r#"{
            "client_id": "https://vscode.dev/oauth/client-metadata.json",
            "client_name": "Visual Studio Code",
            "client_uri": "https://vscode.dev/product",
            "redirect_uris": ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"],
            "grant_types": [
                "authorization_code",
                "refresh_token",
                "urn:ietf:params:oauth:grant-type:device_code"
            ],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "native"
        }"#,
    ),
    (
        // Used while the server sends `iss`; otherwise ChatGPT has one document per connector.
        "https://chatgpt.com/oauth/client.json",
        r#"{
            "client_id": "https://chatgpt.com/oauth/client.json",
            "client_name": "ChatGPT",
            "client_uri": "https://chatgpt.com/",
            "redirect_uris": ["https://chatgpt.com/connector_platform_oauth_redirect"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
            "jwks_uri": "https://chatgpt.com/oauth/jwks.json"
        }"#,
    ),
    (
        "https://chatgpt.com/oauth/codex/client.json",
        r#"{
            "client_id": "https://chatgpt.com/oauth/codex/client.json",
            "client_name": "Codex",
            "redirect_uris": ["http://127.0.0.1/callback", "http://localhost/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "native"
        }"#,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_document_is_a_valid_document_of_its_url() {
        assert_eq!(PINNED.len(), DOCUMENTS.len());
        for (id, _) in DOCUMENTS {
            let id = ClientIdUrl::parse(id).expect(id);
            let document = document(&id).expect("a pinned document");
            assert_eq!(document.source, Source::Pinned);
            assert!(!document.metadata.redirect_uris.is_empty());
        }
    }
}
