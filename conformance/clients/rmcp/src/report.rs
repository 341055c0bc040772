//! Events on standard output, and a credential store that reports what it is given without the secrets.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rmcp::transport::auth::{AuthError, CredentialStore, StoredCredentials};
use serde_json::{Value, json};

/// Prints one event.
pub(crate) fn say(event: &str, mut detail: Value) {
    detail["event"] = event.into();
    println!("{detail}");
}

/// The client's tokens in memory.
#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Mutex<Option<StoredCredentials>>>);

impl Store {
    pub(crate) fn access_token(&self) -> Option<String> {
        let stored = serde_json::to_value(&*self.0.lock().expect("no panic while held")).ok()?;
        stored["token_response"]["access_token"]
            .as_str()
            .map(str::to_owned)
    }
}

#[async_trait::async_trait]
impl CredentialStore for Store {
    async fn load(&self) -> Result<Option<StoredCredentials>, AuthError> {
        Ok(self.0.lock().expect("no panic while held").clone())
    }

    async fn save(&self, credentials: StoredCredentials) -> Result<(), AuthError> {
        let mut tokens = serde_json::to_value(&credentials.token_response).unwrap_or_default();
        if let Some(tokens) = tokens.as_object_mut() {
            let claims = tokens
                .remove("access_token")
                .and_then(|t| claims(t.as_str()?).ok())
                .unwrap_or_default();
            let refresh_token = tokens.remove("refresh_token").is_some();
            tokens.insert("refresh_token".into(), refresh_token.into());
            let shown =
                json!({ "exp": claims["exp"], "aud": claims["aud"], "scope": claims["scope"] });
            tokens.insert("claims".into(), shown);
            say(
                "registered",
                json!({ "client_id": credentials.client_id, "issuer": credentials.issuer }),
            );
            say("tokens", Value::Object(tokens.clone()));
        }
        *self.0.lock().expect("no panic while held") = Some(credentials);
        Ok(())
    }

    async fn clear(&self) -> Result<(), AuthError> {
        *self.0.lock().expect("no panic while held") = None;
        Ok(())
    }
}

/// Waits for the moment the token itself names.
pub(crate) async fn until_expired(token: &str) -> Result<()> {
    let exp = claims(token)?["exp"]
        .as_u64()
        .context("the access token has no exp to wait for")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    tokio::time::sleep(Duration::from_secs(exp).saturating_sub(now) + Duration::from_millis(50))
        .await;
    Ok(())
}

fn claims(token: &str) -> Result<Value> {
    let payload = token.split('.').nth(1).context("not a JWT")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
}
