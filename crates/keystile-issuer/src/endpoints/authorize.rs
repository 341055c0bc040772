//! `GET /oauth/authorize`: no session and no side effect; it seals the request and sends the browser
//! on to the pages (DESIGN §2).

use axum::extract::{RawQuery, State};
use axum::response::Response;
use keystile_domain::decide::authorize::{authorize, carriable_state, trusted_redirect};
use keystile_domain::ids::TransactionId;
use keystile_domain::secrets::reference::Reference;
use keystile_domain::transaction::Transaction;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::form::Params;
use keystile_protocol::mutation::weakened;
use keystile_protocol::redirect::RedirectUri;

use crate::app::{App, SharedApp};
use crate::clients;
use crate::refusal::{self, see_other};

/// Client and redirect first, on a page of our own if they fail; the rest goes back to the client.
pub(crate) async fn get(State(app): State<SharedApp>, RawQuery(query): RawQuery) -> Response {
    let reference = Reference::new(&*app.rng);
    let query = query.unwrap_or_default();
    match begin(&app, &query, &reference).await {
        Ok(response) => response,
        Err(error) => untrusted(&app, &query, &error, &reference),
    }
}

/// Client or redirect are not known, so nothing redirects, whatever the error is (N-AS-19).
fn untrusted(app: &App, query: &str, error: &OAuthError, reference: &Reference) -> Response {
    if weakened("n_as_19") {
        let params = Params::parse(query.as_bytes()).unwrap_or_default();
        if let Some(Ok(uri)) = params.one("redirect_uri").map(RedirectUri::parse) {
            return refusal::redirect(error, &uri, None, &app.settings.issuer, reference);
        }
    }
    refusal::page(error, reference)
}

async fn begin(app: &App, query: &str, reference: &Reference) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    let params = Params::parse(query.as_bytes())
        .map_err(|error| OAuthError::invalid_request(format!("{error}.")))?;
    let client_id = params.one("client_id").ok_or_else(|| {
        OAuthError::new(
            ErrorCode::InvalidRequest,
            "client_id is missing. This address is for apps: connect from the app.",
        )
    })?;
    let client = clients::resolve(app, client_id, now).await?;
    let redirect = trusted_redirect(&client, params.one("redirect_uri"))?;
    carriable_state(&params)?;
    let request = match authorize(&params, &app.settings.resources) {
        Ok(request) => request,
        Err(error) => {
            let issuer = &app.settings.issuer;
            return Ok(refusal::redirect(
                &error,
                &redirect,
                params.one("state"),
                issuer,
                reference,
            ));
        }
    };
    let transaction = Transaction {
        id: TransactionId::new(now, &*app.rng),
        reference: reference.clone(),
        client,
        redirect_uri: redirect.as_str().to_owned(),
        state: request.state,
        server: request.resource.name,
        resource: request.resource.resource.to_string(),
        scopes: request.scopes,
        challenge: request.challenge,
        created_at: now,
    };
    tracing::info!(
        flow.reference = reference.as_str(),
        oauth.client_name = transaction.client.name,
        "a sign-in begins"
    );
    let handle = app.secrets.seal_transaction(&transaction, &*app.rng);
    Ok(see_other(&format!("/ks/consent?tx={handle}")))
}
