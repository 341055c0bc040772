//! `grant_type=refresh_token` (OAuth 2.1 §4.3; the rule of rotation is DESIGN §4's).

use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::decide::redeem::{refuse_refresh, refuse_reuse};
use keystile_domain::ids::GrantId;
use keystile_domain::records::{GrantRecord, Presented, RefreshMismatch, Rotated};
use keystile_domain::time::Timestamp;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::resource::ServedResource;
use keystile_protocol::scope::{ScopeHierarchy, ScopeSet};
use keystile_protocol::token::{RefreshRequest, TokenResponse};

use crate::app::App;
use crate::client_auth::AuthenticatedClient;
use crate::endpoints::token::named_resource;
use crate::tokens::{Issue, SERVED_NO_MORE, issue, served};

/// Presents a refresh token and answers with its successor.
pub(crate) async fn exchange(
    app: &App,
    client: &AuthenticatedClient,
    request: &RefreshRequest,
    now: Timestamp,
) -> Result<TokenResponse, OAuthError> {
    let resource = named_resource(app, &request.resource)?;
    let (grant, generation) = app
        .secrets
        .open_refresh_token(&request.refresh_token)
        .ok_or_else(|| refuse_refresh(RefreshMismatch::Unknown))?;
    let narrowed = match &request.scope {
        // Before anything changes: a refused request must not spend the token (RFC 6749 §6).
        Some(asked) => Some(not_wider(app, client, grant, asked).await?),
        None => None,
    };
    let presented = Presented {
        grant,
        generation,
        client_id: client.client_id().to_owned(),
        client_proved: client.is_confidential(),
        resource,
        expires_at: now.plus(app.settings.grant_idle),
    };
    match app
        .grants
        .rotate(presented, now)
        .await
        .map_err(OAuthError::internal)?
    {
        // The token that was shown keeps its one successor, so it is as good as before when the
        // server is back.
        Rotated::Successor(record) => match served(app, &record.resource) {
            Ok(resource) => {
                let given = Given {
                    resource,
                    scopes: narrowed.as_ref().unwrap_or(&record.scopes),
                    narrowed: narrowed.is_some(),
                    generation: generation.saturating_add(1),
                };
                successor(app, &record, &given, now)
            }
            Err(refusal) => {
                record_refusal(app, client, (grant, SERVED_NO_MORE), now).await?;
                Err(told_of(app, (grant, generation), refusal).await)
            }
        },
        Rotated::Refused(mismatch) => {
            record_refusal(app, client, (grant, mismatch.as_str()), now).await?;
            Err(told_of(app, (grant, generation), refuse_refresh(mismatch)).await)
        }
        Rotated::Reused => {
            let id = grant.to_string();
            let event = Event {
                client: Some(client.client_id()),
                grant: Some(&id),
                reason: Some("refresh_token_reused"),
                ..Event::new(now, Action::Grant, Outcome::Deny)
            };
            app.audit
                .record(&event)
                .await
                .map_err(OAuthError::internal)?;
            Err(told_of(app, (grant, generation), refuse_reuse()).await)
        }
    }
}

/// RFC 6749 §6: "MUST NOT include any scope not originally granted". The scopes of a grant never
/// change, so this look at them cannot be overtaken. Gives what was asked, each power said once: the
/// narrower scope may be asked for where the wider one was granted.
async fn not_wider(
    app: &App,
    client: &AuthenticatedClient,
    grant: GrantId,
    asked: &ScopeSet,
) -> Result<ScopeSet, OAuthError> {
    let record = app
        .grants
        .lookup(grant)
        .await
        .map_err(OAuthError::internal)?;
    let Some(record) = record.filter(|record| record.client_id == client.client_id()) else {
        // Who shows it is judged with the token itself, and put on record.
        return Ok(asked.clone());
    };
    // Of a resource that is served no longer nothing is known.
    let unknown = ScopeHierarchy::flat();
    let served = app.settings.resources.find(&record.resource);
    let hierarchy = served.map_or(&unknown, |served| served.scopes.hierarchy());
    if !hierarchy.covers(&record.scopes, asked) {
        return Err(OAuthError::new(
            ErrorCode::InvalidScope,
            format!(
                "A refresh can't widen the scope; granted: {}.",
                record.scopes
            ),
        ));
    }
    Ok(hierarchy.normalised(asked))
}

/// Whose connection it is that a refused token belongs to: for log and doctor. Who shows the token may
/// be anybody.
async fn told_of(
    app: &App,
    (grant, generation): (GrantId, u32),
    refusal: OAuthError,
) -> OAuthError {
    let Ok(family) = app.grants.family(grant).await else {
        return refusal;
    };
    let found = match family {
        None => format!("The connection {grant} is not there any more."),
        Some((record, facts)) => {
            let (client, person) = (&record.client_name, &record.person_name);
            let newest = facts.presented.max(generation);
            let why = record.revoked_why.as_deref();
            let ended = why.map_or_else(String::new, |why| format!(" It was ended: {why}."));
            format!(
                "Refresh token {generation} of the connection {grant} of {person} with {client} came; the newest that came is {newest}.{ended}"
            )
        }
    };
    let diagnosis = Diagnosis::named(refusal.reason(), found);
    refusal.with_detail(diagnosis)
}

/// Once a minute for each grant and reason: an app that keeps trying would fill the disk.
async fn record_refusal(
    app: &App,
    client: &AuthenticatedClient,
    (grant, reason): (GrantId, &'static str),
    now: Timestamp,
) -> Result<(), OAuthError> {
    if !app.limits.is_news_of(&(grant, reason), now) {
        return Ok(());
    }
    let id = grant.to_string();
    let event = Event {
        client: Some(client.client_id()),
        grant: Some(&id),
        method: Some("refresh_token"),
        reason: Some(reason),
        ..Event::new(now, Action::Token, Outcome::Deny)
    };
    app.audit.record(&event).await.map_err(OAuthError::internal)
}

/// What the successor stands for.
struct Given<'a> {
    resource: &'a ServedResource,
    scopes: &'a ScopeSet,
    /// Less than was granted.
    narrowed: bool,
    generation: u32,
}

fn successor(
    app: &App,
    record: &GrantRecord,
    given: &Given<'_>,
    now: Timestamp,
) -> Result<TokenResponse, OAuthError> {
    let (grant, person) = (record.id.to_string(), record.person.to_string());
    let less = given.narrowed.then(|| given.scopes.to_string());
    let event = Event {
        person: Some(&person),
        client: Some(&record.client_id),
        grant: Some(&grant),
        resource: Some(&record.resource),
        method: Some("refresh_token"),
        name: less.as_deref(),
        ..Event::new(now, Action::Token, Outcome::Allow)
    };
    app.audit.append(&event).map_err(OAuthError::internal)?;
    let what = Issue {
        grant: record.id,
        subject: &person,
        client_id: &record.client_id,
        resource: given.resource,
        scopes: given.scopes,
        generation: Some(given.generation),
    };
    issue(app, &what, now)
}
