//! What a client and a person's browser do until there are tokens, and after.

use anyhow::{Context as _, Result, ensure};
use keystile_testkit::issuer::{CHALLENGE, VERIFIER};
use serde_json::{Value, json};

use crate::connection::Connection;
use crate::lane::{Tokens, encoded, tokens};

const CALLBACK: &str = "http://127.0.0.1/callback";

/// A public client, as the program knows it.
pub struct Client {
    id: String,
    /// Of the authorization request, without state.
    authorize: String,
}

impl Client {
    /// Registers it for the server at this URL.
    ///
    /// # Errors
    /// The program does not register it.
    pub async fn register(connection: &mut Connection, name: &str, mcp_url: &str) -> Result<Self> {
        let client = json!({
            "client_name": name, "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
        });
        let (path, client) = ("/oauth/register", client.to_string());
        let answer = connection.post(path, "", "application/json", &client);
        let answer: Value = serde_json::from_str(&answer.await?.body)?;
        let id = encoded(answer["client_id"].as_str().context("a client_id")?);
        let authorize = format!(
            "/oauth/authorize?response_type=code&client_id={id}&redirect_uri={}&code_challenge={CHALLENGE}&code_challenge_method=S256&resource={}&state=",
            encoded(CALLBACK),
            encoded(mcp_url)
        );
        Ok(Self { id, authorize })
    }

    /// Authorization request, consent page, yes, token: four requests, because consent always takes a click.
    ///
    /// # Errors
    /// The program does not do its part.
    pub async fn approved(
        &self,
        connection: &mut Connection,
        session: &str,
        state: u64,
    ) -> Result<Tokens> {
        let begun = connection
            .get(&format!("{}{state}", self.authorize), "")
            .await?;
        let page = begun.header("location").context("a sign-in begins")?;
        let tx = begun.location_param("tx").context("a transaction")?;
        let consent = connection.get(page, session).await?;
        ensure!(consent.status == 200, "no consent page: {}", consent.status);
        let csrf = consent
            .body
            .split_once(r#"name="csrf" value=""#)
            .and_then(|(_, rest)| rest.split_once('"'))
            .context("a consent page has a form")?;
        let form = format!("tx={tx}&csrf={}&decision=allow", encoded(csrf.0));
        let answer = connection.form("/ks/consent", session, &form).await?;
        let code = answer.code(state)?;
        let form = format!(
            "grant_type=authorization_code&client_id={}&redirect_uri={}&code={code}&code_verifier={VERIFIER}",
            self.id,
            encoded(CALLBACK)
        );
        tokens(&connection.form("/oauth/token", "", &form).await?)
    }

    /// The tokens after those.
    ///
    /// # Errors
    /// The program refuses the refresh token.
    pub async fn refreshed(&self, connection: &mut Connection, token: &str) -> Result<Tokens> {
        let client = &self.id;
        let form = format!("grant_type=refresh_token&client_id={client}&refresh_token={token}");
        tokens(&connection.form("/oauth/token", "", &form).await?)
    }

    /// Gives a token back (RFC 7009), and with a refresh token the grant.
    ///
    /// # Errors
    /// The program does not take it.
    pub async fn revoke(&self, connection: &mut Connection, token: &str) -> Result<()> {
        let form = format!("client_id={}&token={token}", self.id);
        let answer = connection.form("/oauth/revoke", "", &form).await?;
        ensure!(answer.status == 200, "not revoked: {}", answer.body);
        Ok(())
    }
}

/// The cookies of a person's session.
///
/// # Errors
/// The program does not let them in.
pub async fn sign_in(
    connection: &mut Connection,
    (name, password): (&str, &str),
) -> Result<String> {
    let (name, password) = (encoded(name), encoded(password));
    let form = format!("tx=&username={name}&password={password}");
    let answer = connection.form("/ks/sign-in", "", &form).await?;
    ensure!(answer.status == 303, "no sign-in: {}", answer.body);
    Ok(answer.cookies())
}
