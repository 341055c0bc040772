//! The application's part of a sign-in: the scripted person answers the authorize URL.

use anyhow::{Context, Result, bail};
use rmcp::transport::auth::{AuthorizationManager, AuthorizationRequest, OAuthState};
use serde_json::json;

use crate::report::{Store, say};

/// Only IPv6 loopback is used by none of the other drivers.
const REDIRECT_URI: &str = "http://[::1]:18768/callback";

/// Signs in as the challenge demands and gives the manager that holds the new tokens.
pub(crate) async fn sign_in(
    url: &str,
    challenge: &str,
    store: Store,
) -> Result<AuthorizationManager> {
    let mut request = AuthorizationRequest::new(REDIRECT_URI)
        .with_client_name("rmcp client")
        .with_initial_scope_selection()
        .with_challenge(challenge);
    if let Ok(metadata_url) = std::env::var("CLIENT_METADATA_URL") {
        request = request.with_client_metadata_url(metadata_url);
    }
    let mut manager = AuthorizationManager::new(url).await?;
    manager.set_credential_store(store);
    let mut state = OAuthState::Unauthorized(manager);
    state.start_authorization(request).await?;
    let authorize_url = state.get_authorization_url().await?;
    say("authorize_url", json!({ "url": authorize_url }));
    let callback = visit(&authorize_url).await?;
    say("callback", json!({ "url": without_code(&callback)? }));
    state.handle_callback_url(&callback).await?;
    state
        .into_authorization_manager()
        .context("the callback authorized nothing")
}

async fn visit(authorize_url: &str) -> Result<String> {
    let node = std::env::var("KEYSTILE_NODE").unwrap_or_else(|_| "node".into());
    let person =
        std::env::var("KEYSTILE_PERSON").context("KEYSTILE_PERSON names browser/person.mjs")?;
    let output = tokio::process::Command::new(node)
        .args([&person, authorize_url])
        .output()
        .await?;
    if !output.status.success() {
        bail!(
            "the person gave up: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn without_code(callback: &str) -> Result<String> {
    let mut url = url::Url::parse(callback)?;
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let shown = |(name, value): (String, String)| {
        if name == "code" {
            (name, "<code>".into())
        } else {
            (name, value)
        }
    };
    url.query_pairs_mut()
        .clear()
        .extend_pairs(pairs.into_iter().map(shown));
    Ok(url.into())
}
