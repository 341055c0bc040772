//! `/ks/account`: what is connected, and the ways to end it; and signing out.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::ids::GrantId;
use keystile_domain::records::{GrantFilter, GrantRecord};
use keystile_protocol::form::Params;
use keystile_protocol::scope::ScopeCatalogue;

use super::own_form::{OwnForm, read};
use super::refusal::{PageRefusal, Why, answer};
use super::session::{self, SignedIn, Visitor};
use crate::app::{App, SharedApp};
use crate::pages::account::{Account, ConnectedApp, moment};
use crate::pages::consent::Power;
use crate::pages::notice;
use crate::refusal::see_other;

/// Purposes of the synchroniser tokens of this page.
const DISCONNECT: &str = "disconnect";
const SIGN_OUT: &str = "sign out";

pub(super) async fn get(
    State(app): State<SharedApp>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let made = show(&app, &visitor, query.as_deref().unwrap_or_default()).await;
    answer(&app, made)
}

pub(super) async fn disconnect(
    State(app): State<SharedApp>,
    visitor: Visitor,
    OwnForm(form): OwnForm,
) -> Response {
    let made = end_grant(&app, &visitor, &form).await;
    answer(&app, made)
}

pub(super) async fn sign_out(
    State(app): State<SharedApp>,
    visitor: Visitor,
    OwnForm(form): OwnForm,
) -> Response {
    let made = end_session(&app, &visitor, &form).await;
    answer(&app, made)
}

pub(super) async fn signed_out(_: Visitor) -> Response {
    notice::SIGNED_OUT.page().into_response()
}

async fn show(app: &App, visitor: &Visitor, query: &str) -> Result<Response, PageRefusal> {
    let params = read(query.as_bytes())?;
    let Some(session) = &visitor.session else {
        return Ok(see_other("/ks/sign-in"));
    };
    let filter = GrantFilter {
        person: Some(session.person.id),
        now: Some(visitor.now),
        ..GrantFilter::default()
    };
    let grants = app.grants.list(filter).await?;
    let csrf_sign_out = app
        .secrets
        .synchroniser_token(&session.digest, "", SIGN_OUT);
    let view = Account {
        person: &session.person.name,
        apps: grants
            .iter()
            .map(|grant| connected(app, session, grant))
            .collect(),
        csrf_sign_out: &csrf_sign_out,
        done: match params.one("done") {
            Some("disconnected") => Some("Disconnected. Its tokens no longer work."),
            _ => None,
        },
    };
    Ok(view.page().into_response())
}

async fn end_grant(app: &App, visitor: &Visitor, params: &Params) -> Result<Response, PageRefusal> {
    let session = proven(
        app,
        visitor,
        params,
        DISCONNECT,
        params.one("grant").unwrap_or_default(),
    )?;
    let Some(session) = session else {
        return Ok(see_other("/ks/sign-in"));
    };
    let unknown = || PageRefusal::from(Why::Unreadable("there is no such connection".to_owned()));
    let id: GrantId = params
        .one("grant")
        .and_then(|text| text.parse().ok())
        .ok_or_else(unknown)?;
    let grant = app
        .grants
        .lookup(id)
        .await?
        .filter(|grant| grant.person == session.person.id);
    let grant = grant.ok_or_else(unknown)?;
    app.grants
        .revoke(id, "disconnected_by_person", visitor.now)
        .await?;
    let (person, text, peer) = (
        grant.person.to_string(),
        id.to_string(),
        visitor.peer.to_string(),
    );
    let event = Event {
        person: Some(&person),
        client: Some(&grant.client_id),
        grant: Some(&text),
        resource: Some(&grant.resource),
        method: Some("revoke"),
        reason: Some("disconnected_by_person"),
        peer: Some(&peer),
        ..Event::new(visitor.now, Action::Grant, Outcome::Allow)
    };
    app.audit.record(&event).await?;
    Ok(see_other("/ks/account?done=disconnected"))
}

async fn end_session(
    app: &App,
    visitor: &Visitor,
    params: &Params,
) -> Result<Response, PageRefusal> {
    if let Some(session) = proven(app, visitor, params, SIGN_OUT, "")? {
        app.sessions.end(session.digest).await?;
    }
    Ok(session::with_cookie(
        see_other("/ks/signed-out"),
        session::forget(app),
    ))
}

/// The live session, if the form was made for it; `None` without a session.
fn proven<'a>(
    app: &App,
    visitor: &'a Visitor,
    params: &Params,
    purpose: &str,
    about: &str,
) -> Result<Option<&'a SignedIn>, PageRefusal> {
    let Some(session) = &visitor.session else {
        return Ok(None);
    };
    if !session.made(app, params, purpose, about) {
        return Err(Why::Stale.into());
    }
    Ok(Some(session))
}

fn connected(app: &App, session: &SignedIn, grant: &GrantRecord) -> ConnectedApp {
    let id = grant.id.to_string();
    let scopes = catalogue(app, &grant.resource);
    let powers = Power::all(&grant.scopes, &scopes).into_iter();
    let powers: Vec<_> = powers.map(|power| power.words).collect();
    ConnectedApp {
        who: grant.client_name.clone(),
        resource: grant.resource.clone(),
        powers: powers.join(". "),
        since: moment(grant.created_at),
        last_used: grant.last_used_at.map(moment),
        csrf: app
            .secrets
            .synchroniser_token(&session.digest, &id, DISCONNECT),
        grant: id,
    }
}

/// The scopes of a resource, as if it were a server's name when it is served no longer.
fn catalogue(app: &App, resource: &str) -> ScopeCatalogue {
    let served = app.settings.resources.find(resource);
    served.map_or_else(
        || ScopeCatalogue::of_server(resource),
        |served| served.scopes.clone(),
    )
}
