//! `grant_type=refresh_token` (OAuth 2.1 §4.3; the rule of rotation is DESIGN §4's).

use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::decide::redeem::{refuse_refresh, refuse_reuse};
use keystile_domain::ids::GrantId;
use keystile_domain::records::{GrantRecord, Presented, RefreshMismatch, Rotated};
use keystile_domain::time::Timestamp;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::scope::{ScopeHierarchy, ScopeSet};
use keystile_protocol::token::{RefreshRequest, TokenResponse};

use crate::app::App;
use crate::client_auth::AuthenticatedClient;
use crate::endpoints::token::named_resource;
use crate::tokens::{Issue, issue};

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
        resource,
        expires_at: now.plus(app.settings.grant_idle),
    };
    match app
        .grants
        .rotate(presented, now)
        .await
        .map_err(OAuthError::internal)?
    {
        Rotated::Successor(record) => {
            successor(
                app,
                &record,
                narrowed.as_ref(),
                generation.saturating_add(1),
                now,
            )
            .await
        }
        Rotated::Refused(mismatch) => {
            let id = grant.to_string();
            let event = Event {
                client: Some(client.client_id()),
                grant: Some(&id),
                method: Some("refresh_token"),
                reason: Some(mismatch.as_str()),
                ..Event::new(now, Action::Token, Outcome::Deny)
            };
            // Once a minute: an app that keeps trying a dead token would fill the disk.
            if app.limits.is_news_of(&(grant, mismatch.as_str()), now) {
                app.audit
                    .record(&event)
                    .await
                    .map_err(OAuthError::internal)?;
            }
            Err(refuse_refresh(mismatch))
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
            Err(refuse_reuse())
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

async fn successor(
    app: &App,
    record: &GrantRecord,
    narrowed: Option<&ScopeSet>,
    generation: u32,
    now: Timestamp,
) -> Result<TokenResponse, OAuthError> {
    let (grant, person) = (record.id.to_string(), record.person.to_string());
    let less = narrowed.map(ToString::to_string);
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
        resource: &record.resource,
        scopes: narrowed.unwrap_or(&record.scopes),
        generation: Some(generation),
    };
    issue(app, &what, now)
}
