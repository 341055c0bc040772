//! `/ks/consent`: a person decides about a client. Always a page, always a click (CHECKLIST R5).

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use futures_util::future::join;
use keystile_domain::client::ClientKind;
use keystile_domain::ids::GrantId;
use keystile_domain::records::{Approval, Approved};
use keystile_domain::secrets::code::FreshSecret;
use keystile_domain::transaction::Transaction;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::form::Params;
use keystile_protocol::mutation::weakened;

use super::decision::{
    About, Answer, Decision, as_shown, borrowed_name, catalogue, refuse_disabled,
};
use super::own_form::{OwnForm, read};
use super::refusal::{PageRefusal, Why, answer};
use super::session::{SignedIn, Visitor};
use super::transaction::{Open, requester};
use crate::app::{App, CODE_LIFETIME, SharedApp};
use crate::pages::consent::{Consent, Lasts, Power, ReturnsTo, Vouched, Warning};
use crate::pages::{notice, shown};
use crate::refusal::{redirect, see_other};
use crate::traced;

/// Purpose of the synchroniser token of this page.
const PURPOSE: &str = "consent";

pub(super) async fn get(
    State(app): State<SharedApp>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let made = show(&app, &visitor, query.as_deref().unwrap_or_default()).await;
    answer(&app, made)
}

pub(super) async fn post(
    State(app): State<SharedApp>,
    visitor: Visitor,
    OwnForm(form): OwnForm,
) -> Response {
    let made = decide(&app, &visitor, &form).await;
    answer(&app, made)
}

async fn show(app: &App, visitor: &Visitor, query: &str) -> Result<Response, PageRefusal> {
    let params = read(query.as_bytes())?;
    let open = Open::require(app, &params, visitor.now)?;
    let transaction = &open.transaction;
    refuse_disabled(app, &transaction.client, &transaction.reference).await?;
    let Some(session) = &visitor.session else {
        return Ok(open.to_sign_in());
    };
    if weakened("a_035") {
        return allow(app, visitor, session, transaction).await;
    }
    Ok(page(app, session, &open).into_response())
}

async fn decide(app: &App, visitor: &Visitor, params: &Params) -> Result<Response, PageRefusal> {
    let open = Open::require(app, params, visitor.now)?;
    let transaction = &open.transaction;
    refuse_disabled(app, &transaction.client, &transaction.reference).await?;
    let Some(session) = &visitor.session else {
        return Ok(open.to_sign_in());
    };
    let about = transaction.id.to_string();
    if !session.made(app, params, PURPOSE, &about) && !weakened("a_036") {
        return Err(PageRefusal::from(Why::Stale).in_flow(&transaction.reference));
    }
    let scopes = catalogue(app, &transaction.server);
    match Decision::read(params, &transaction.scopes, &scopes)? {
        Decision::Allow(scopes) => {
            let transaction = Transaction {
                scopes,
                ..transaction.clone()
            };
            allow(app, visitor, session, &transaction).await
        }
        Decision::Deny => deny(app, visitor, session, transaction).await,
    }
}

fn page(app: &App, session: &SignedIn, open: &Open) -> crate::pages::Page {
    let transaction = &open.transaction;
    let client = &transaction.client;
    let csrf =
        app.secrets
            .synchroniser_token(&session.digest, &transaction.id.to_string(), PURPOSE);
    let mut warnings = Vec::new();
    if client.is_loopback_only && !weakened("n_as_12") {
        warnings.push(Warning::AnyProgram);
    }
    let who = requester(transaction);
    let scopes = catalogue(app, &transaction.server);
    warnings.extend(borrowed_name(client, &who));
    let view = Consent {
        tx: &open.handle,
        csrf: &csrf,
        requester: who,
        name: client.name.as_deref().and_then(shown::name),
        name_by_operator: client.kind == ClientKind::PreRegistered,
        vouched: Vouched::of(
            client,
            &transaction.redirect_uri,
            app.settings.registration.as_ref(),
        ),
        warnings,
        server: &transaction.server,
        resource: &transaction.resource,
        powers: Power::all(&transaction.scopes, &scopes),
        less: Power::less(&transaction.scopes, &scopes),
        lasts: Lasts::of(client, &transaction.scopes, &app.settings),
        returns_to: ReturnsTo::of(&transaction.redirect_uri),
        person: &session.person.name,
        reference: transaction.reference.as_str(),
        redirect_uri: transaction.redirect_uri.as_str(),
    };
    view.page()
}

/// No: the client hears `access_denied` (RFC 6749 §4.1.2.1).
async fn deny(
    app: &App,
    visitor: &Visitor,
    session: &SignedIn,
    transaction: &Transaction,
) -> Result<Response, PageRefusal> {
    let denied =
        OAuthError::new(ErrorCode::AccessDenied, "The person said no.").because("person_said_no");
    let about = about(app, visitor, session, transaction);
    let recorded = about.record(Answer::No, &transaction.scopes).await;
    let error = recorded.map_err(OAuthError::internal).err();
    Ok(back(app, transaction, error.unwrap_or(denied)))
}

/// Yes: grant and code in one durable step, then back to the client with code, `state` and `iss`.
async fn allow(
    app: &App,
    visitor: &Visitor,
    session: &SignedIn,
    transaction: &Transaction,
) -> Result<Response, PageRefusal> {
    let about = about(app, visitor, session, transaction);
    let grant = GrantId::new(visitor.now, &*app.rng);
    let code = FreshSecret::authorization_code(grant, &*app.rng);
    let approval = approval(app, visitor, session, transaction, (grant, &code));
    // The line is written before the grant is made; then both are on their way to the disk at the same time.
    let (recorded, approved) = join(
        about.record(Answer::Yes, &transaction.scopes),
        app.grants.approve(approval),
    )
    .await;
    match approved {
        Ok(Approved::First) => {}
        Ok(Approved::AlreadyAnswered) => {
            return Ok(notice::ALREADY_ANSWERED.page().into_response());
        }
        Ok(Approved::PersonGone) => {
            return Err(PageRefusal::from(Why::Stale).in_flow(&transaction.reference));
        }
        Err(error) => return Ok(back(app, transaction, OAuthError::internal(error))),
    }
    let granted = match recorded {
        Ok(()) => {
            about
                .record(Answer::Granted(grant), &transaction.scopes)
                .await
        }
        failed => failed,
    };
    if let Err(failed) = granted {
        // Without its lines in the trail there is no grant.
        app.grants
            .revoke(grant, "audit_failed", visitor.now)
            .await?;
        return Ok(back(app, transaction, OAuthError::internal(failed)));
    }
    traced::allowed(app, &transaction.reference, code.digest, visitor.now);
    let issuer = &app.settings.issuer;
    let mut params = vec![("code", code.text.as_str())];
    params.extend(transaction.state.as_deref().map(|state| ("state", state)));
    if !weakened("n_as_24") {
        params.push(("iss", issuer.as_str()));
    }
    if weakened("n_as_31") {
        params.push(("error", "none"));
    }
    Ok(see_other(&transaction.redirect_uri.with_params(&params)))
}

fn approval(
    app: &App,
    visitor: &Visitor,
    session: &SignedIn,
    transaction: &Transaction,
    (grant, code): (GrantId, &FreshSecret),
) -> Approval {
    Approval {
        transaction: transaction.id,
        grant,
        person: session.person.id,
        client_id: transaction.client.client_id.clone(),
        client_name: as_shown(&requester(transaction), &transaction.client),
        client_proves: transaction.client.proves,
        resource: transaction.resource.clone(),
        scopes: transaction.scopes.clone(),
        code: code.digest,
        redirect_uri: transaction.redirect_uri.as_str().to_owned(),
        challenge: transaction.challenge,
        created_at: visitor.now,
        code_expires_at: visitor.now.plus(CODE_LIFETIME),
        grant_expires_at: visitor.now.plus(app.settings.grant_idle),
    }
}

/// Back to the client with an error. Its redirect URI was matched when the transaction began.
fn back(app: &App, transaction: &Transaction, error: OAuthError) -> Response {
    let state = transaction.state.as_deref();
    redirect(
        &error,
        &transaction.redirect_uri,
        state,
        &app.settings.issuer,
        &transaction.reference,
    )
}

fn about<'a>(
    app: &'a App,
    visitor: &'a Visitor,
    session: &'a SignedIn,
    transaction: &'a Transaction,
) -> About<'a> {
    About {
        app,
        visitor,
        session,
        client: &transaction.client,
        resource: &transaction.resource,
        reference: &transaction.reference,
        method: None,
    }
}
