//! The one judgement of an authorization request, whichever way it came: with a browser, or pushed by
//! the client itself (RFC 9126 §2.1: "validate the pushed request as it would an authorization
//! request sent to the authorization endpoint").

use keystile_domain::client::Client;
use keystile_domain::decide::authorize::{authorize, carriable_state, trusted_redirect};
use keystile_domain::ids::TransactionId;
use keystile_domain::secrets::reference::Reference;
use keystile_domain::time::Timestamp;
use keystile_domain::transaction::{TooLong, Transaction};
use keystile_protocol::error::OAuthError;
use keystile_protocol::form::Params;
use keystile_protocol::mutation::weakened;
use keystile_protocol::redirect::RedirectUri;

use super::Untrusted;
use crate::app::App;
use crate::clients;

/// Why a request is refused, and who may hear it.
pub(crate) enum Refused {
    /// Its redirect is not known: nothing redirects.
    Untrusted(Untrusted),
    /// The rest is wrong; by now there is somebody to tell.
    Told {
        error: OAuthError,
        redirect: RedirectUri,
        state: Option<String>,
    },
}

impl Refused {
    /// For a client that waits for the answer itself.
    pub(crate) fn into_error(self) -> OAuthError {
        match self {
            Self::Untrusted(untrusted) => untrusted.error,
            Self::Told { error, .. } => error,
        }
    }
}

impl<E: Into<Untrusted>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Untrusted(error.into())
    }
}

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A browser brought it, whoever wrote it.
    Browser,
    /// The client sent it, and showed who it is.
    Pushed,
}

/// Client and redirect first, then everything else.
pub(crate) async fn judge(
    app: &App,
    client: &Client,
    params: &Params,
    way: Way,
    (reference, now): (&Reference, Timestamp),
) -> Result<Transaction, Refused> {
    let asked = params.one("redirect_uri");
    let redirect =
        trusted_redirect(client, asked).map_err(|error| Untrusted::redirect(error, client))?;
    clients::still_approved(app, client, &redirect).await?;
    carriable_state(params)?;
    let granted = pushed_if_it_must_be(client, way)
        .and_then(|()| authorize(params, &app.settings.resources))
        .map_err(|error| Refused::Told {
            error,
            redirect: redirect.clone(),
            state: params.one("state").map(str::to_owned),
        })?;
    Ok(Transaction {
        id: TransactionId::new(now, &*app.rng),
        reference: reference.clone(),
        client: client.snapshot(),
        redirect_uri: redirect,
        state: granted.state,
        server: granted.resource.name,
        resource: granted.resource.resource.to_string(),
        scopes: granted.scopes,
        challenge: granted.challenge,
        another_sign_in: granted.another_sign_in,
        created_at: now,
    })
}

/// A client that said so sends nobody here with a request of somebody else's making (RFC 9126 §6).
fn pushed_if_it_must_be(client: &Client, way: Way) -> Result<(), OAuthError> {
    if !client.pushes_only || way == Way::Pushed || weakened("rfc_9126d") {
        return Ok(());
    }
    let why = "This client registered require_pushed_authorization_requests: send the request to the pushed_authorization_request_endpoint first, and its request_uri here.";
    Err(OAuthError::invalid_request(why).because("push_required"))
}

/// The request does not fit into what travels with the browser.
pub(crate) fn too_long(error: &TooLong) -> OAuthError {
    OAuthError::invalid_request(format!("{error}.")).because("state_too_long")
}
