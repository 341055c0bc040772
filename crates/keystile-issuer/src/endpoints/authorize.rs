//! `GET /oauth/authorize`: no session and no side effect; it seals the request and sends the browser
//! on to the pages (DESIGN §2).

pub(crate) mod request;

use axum::extract::State;
use axum::response::Response;
use http::request::Parts;
use keystile_domain::client::{Client, ClientKind};
use keystile_domain::decide::authorize::NOT_REGISTERED;
use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::flow::{Stage, Step};
use keystile_domain::secrets::reference::Reference;
use keystile_domain::time::Timestamp;
use keystile_domain::transaction::Transaction;
use keystile_domain::transaction::pushed::PushedError;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::form::Params;
use keystile_protocol::mutation::weakened;
use keystile_protocol::redirect::RedirectUri;

use crate::app::{App, SharedApp};
use crate::clients;
use crate::endpoints::body::unreadable;
use crate::refusal::{self, Advice, see_other};
use crate::traced;
use request::{Refused, Way};

/// Client and redirect first, on a page of our own if they fail; the rest goes back to the client.
pub(crate) async fn get(State(app): State<SharedApp>, request: Parts) -> Response {
    let reference = Reference::new(&*app.rng);
    let mut response = match begin(&app, &request, &reference).await {
        Ok(response) => response,
        Err(untrusted) => untrusted.render(&app, &request, &reference),
    };
    if refusal::is_kept(&response)
        && let Ok(params) = Params::parse(query(&request))
    {
        let id = || params.one("client_id").map(str::to_owned);
        traced::tell_whose(&app, id, &params, &mut response).await;
    }
    response
}

/// Client or redirect are not known, so nothing redirects, whatever the error is (N-AS-19).
pub(crate) struct Untrusted {
    error: OAuthError,
    advice: Advice,
}

impl From<OAuthError> for Untrusted {
    fn from(error: OAuthError) -> Self {
        let to_do = (error.reason() == clients::UNKNOWN).then(|| {
            "Remove the connection in the app and add it again, so that the app registers anew. If \
             its client_id was typed in, whoever runs this server finds the right one with: \
             keystile client list"
                .to_owned()
        });
        let advice = Advice { to_do };
        Self { error, advice }
    }
}

impl Untrusted {
    fn render(&self, app: &App, request: &Parts, reference: &Reference) -> Response {
        if weakened("n_as_19") || weakened("a_008") {
            let params = Params::parse(query(request)).unwrap_or_default();
            if let Some(Ok(uri)) = params.one("redirect_uri").map(RedirectUri::parse) {
                return refusal::redirect(&self.error, &uri, None, &app.settings.issuer, reference);
            }
        }
        refusal::page(&self.error, &self.advice, Some(reference))
    }

    /// A redirect that was refused: who can mend it depends on who registered it.
    fn redirect(error: OAuthError, client: &Client) -> Self {
        let to_do = (error.reason() == NOT_REGISTERED).then(|| match client.kind {
            ClientKind::Registered | ClientKind::Document => Diagnosis::of(&error).fix,
            // The command has a stranger's address in it: doctor shows it to whoever knows better.
            ClientKind::PreRegistered => {
                "Set the app to an address that is registered for it. To register this one, give \
                 the reference below to whoever runs this server."
                    .to_owned()
            }
        });
        let advice = Advice { to_do };
        Self { error, advice }
    }

    /// A `request_uri` that leads to nothing. Whatever else the request says was not judged.
    fn request_uri(error: PushedError) -> Self {
        let why = format!("{error}: push the request again, and send its new request_uri at once.");
        let to_do = match error {
            PushedError::Expired => {
                "Go back to the app and start connecting again: the address that it opens is good for 90 seconds."
            }
            PushedError::NotOurs | PushedError::Damaged | PushedError::OtherClient => {
                "Go back to the app and start connecting again. If it happens again, the fault is the app's: tell its maker."
            }
        };
        let advice = Advice {
            to_do: Some(to_do.to_owned()),
        };
        Self {
            error: OAuthError::new(ErrorCode::InvalidRequestUri, why).because(error.reason()),
            advice,
        }
    }
}

fn query(request: &Parts) -> &[u8] {
    request.uri.query().unwrap_or_default().as_bytes()
}

async fn begin(app: &App, request: &Parts, reference: &Reference) -> Result<Response, Untrusted> {
    let now = app.clock.now();
    let params = Params::parse(query(request)).map_err(|error| unreadable(&error))?;
    let client = client(app, request, &params, now).await?;
    let transaction = match params.one("request_uri") {
        Some(request_uri) => pushed(app, &client, request_uri, now).await?,
        None => match request::judge(app, &client, &params, Way::Browser, (reference, now)).await {
            Ok(transaction) => {
                app.flows.begin(&transaction, now);
                transaction
            }
            Err(Refused::Untrusted(untrusted)) => return Err(untrusted),
            Err(Refused::Told {
                error,
                redirect,
                state,
            }) => {
                let (state, issuer) = (state.as_deref(), &app.settings.issuer);
                return Ok(refusal::redirect(
                    &error, &redirect, state, issuer, reference,
                ));
            }
        },
    };
    let handle = app
        .secrets
        .seal_transaction(&transaction, &*app.rng)
        .map_err(|error| request::too_long(&error))?;
    tracing::info!(
        reference = transaction.reference.as_str(),
        oauth.client_name = transaction.client.name,
        "a sign-in begins"
    );
    if transaction.another_sign_in {
        return Ok(see_other(&format!("/ks/sign-in?tx={handle}&again=1")));
    }
    Ok(see_other(&format!("/ks/consent?tx={handle}")))
}

/// The request that this client pushed (RFC 9126 §4). It was judged then, and only what was pushed
/// counts: other parameters, which clients may send along for servers that don't know better (RFC
/// 9101 §5), are not looked at.
///
/// Opening it spends nothing: see [`keystile_domain::transaction::pushed`].
async fn pushed(
    app: &App,
    client: &Client,
    request_uri: &str,
    now: Timestamp,
) -> Result<Transaction, Untrusted> {
    let opened = app
        .secrets
        .open_pushed(request_uri, &client.client_id, now)
        .map_err(Untrusted::request_uri)?;
    clients::still_approved(app, client, &opened.redirect_uri).await?;
    let came = "the browser came with what the client pushed";
    let step = Step::passed(now, Stage::Authorize, came);
    app.flows.add(&opened.reference, step);
    Ok(opened)
}

async fn client(
    app: &App,
    request: &Parts,
    params: &Params,
    now: Timestamp,
) -> Result<Client, Untrusted> {
    let client_id = params.one("client_id").ok_or_else(|| {
        OAuthError::invalid_request(
            "client_id is missing. This address is for apps: connect from the app.",
        )
        .because("client_id_missing")
    })?;
    let asker = clients::Asker::of(request, now);
    Ok(clients::for_sign_in(app, client_id, asker).await?)
}
