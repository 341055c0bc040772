//! `grant_type=authorization_code` (OAuth 2.1 §4.1.3).

use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::decide::diagnose::code::{REUSED, REUSED_WRONGLY};
use keystile_domain::decide::redeem::{Redemption, redeem, refuse_damaged};
use keystile_domain::records::{CodeProof, GrantType, Mismatch, Taken, TakenCode};
use keystile_domain::secrets::code::AuthorizationCode;
use keystile_domain::time::Timestamp;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::mutation::weakened;
use keystile_protocol::token::{CodeRequest, TokenResponse};

use crate::app::App;
use crate::client_auth::AuthenticatedClient;
use crate::endpoints::token::named_resource;
use crate::tokens::{Issue, issue, served};

/// Redeems a code.
pub(crate) async fn exchange(
    app: &App,
    client: &AuthenticatedClient,
    request: &CodeRequest,
    now: Timestamp,
) -> Result<TokenResponse, OAuthError> {
    let named = named_resource(app, &request.resource)?;
    let code = AuthorizationCode::read(&request.code);
    let code = code.ok_or_else(|| refuse_damaged(&request.code))?;
    let taken = take(app, client, request, (code, named.as_deref()), now).await?;
    refused(app, client, &taken, now).await?;
    match redeem(taken, client.is_confidential())? {
        Redemption::Issue(mut code) => {
            if let Some(named) = named.filter(|_| weakened("a_027")) {
                code.resource = named;
            }
            first_tokens(app, client, &code, (GrantType::AuthorizationCode, now)).await
        }
        Redemption::RevokeAndRefuse(_, refusal) if weakened("n_as_21") => Err(refusal),
        Redemption::RevokeAndRefuse(grant, refusal) => {
            app.grants
                .revoke(grant, REUSED, now)
                .await
                .map_err(OAuthError::internal)?;
            let id = grant.to_string();
            let event = Event {
                client: Some(client.client_id()),
                grant: Some(&id),
                reason: Some(REUSED),
                ..Event::new(now, Action::Grant, Outcome::Deny)
            };
            app.audit
                .record(&event)
                .await
                .map_err(OAuthError::internal)?;
            Err(refusal)
        }
    }
}

/// Matches the code with what the request says, and spends it.
async fn take(
    app: &App,
    client: &AuthenticatedClient,
    request: &CodeRequest,
    (code, named): (AuthorizationCode, Option<&str>),
    now: Timestamp,
) -> Result<Taken, OAuthError> {
    let proof = CodeProof {
        code,
        client_id: client.client_id().to_owned(),
        client_proved: client.is_confidential(),
        redirect_uri: request.redirect_uri.clone(),
        challenge: request.challenge,
        resource: named.map(str::to_owned).filter(|_| !weakened("a_027")),
    };
    let taken = app.grants.take(proof, now).await;
    taken.map_err(OAuthError::internal)
}

/// Stands in the trail before the answer, unless nobody made the code: a stranger who sends noise
/// must not fill the disk.
async fn refused(
    app: &App,
    client: &AuthenticatedClient,
    taken: &Taken,
    now: Timestamp,
) -> Result<(), OAuthError> {
    let (reason, grant) = match taken {
        Taken::First(_) | Taken::Again(_) | Taken::NoMatch(Mismatch::Unknown) => return Ok(()),
        Taken::NoMatch(mismatch) => (mismatch.as_str(), None),
        Taken::AgainWrongly(_, grant) => (REUSED_WRONGLY, Some(grant.to_string())),
    };
    let event = Event {
        client: Some(client.client_id()),
        grant: grant.as_deref(),
        method: Some("authorization_code"),
        reason: Some(reason),
        ..Event::new(now, Action::Token, Outcome::Deny)
    };
    app.audit.record(&event).await.map_err(OAuthError::internal)
}

/// The first tokens of a grant, for a code of whichever kind that was spent just now.
pub(super) async fn first_tokens(
    app: &App,
    client: &AuthenticatedClient,
    code: &TakenCode,
    (kind, now): (GrantType, Timestamp),
) -> Result<TokenResponse, OAuthError> {
    let resource = served(app, &code.resource)?;
    let (grant, person) = (code.grant.to_string(), code.person.to_string());
    let event = Event {
        person: Some(&person),
        client: Some(client.client_id()),
        grant: Some(&grant),
        resource: Some(&code.resource),
        method: Some(kind.as_str()),
        ..Event::new(now, Action::Token, Outcome::Allow)
    };
    // The grant itself was on disk before its code went out.
    app.audit.append(&event).map_err(|error| {
        // Without its line in the trail there is no token, and by now the code is spent.
        let why = "The audit trail can't be written, so there is no token. Sign in again later.";
        OAuthError::new(ErrorCode::ServerError, why).with_detail(error)
    })?;
    let what = Issue {
        grant: code.grant,
        subject: &person,
        client_id: client.client_id(),
        resource,
        scopes: &code.scopes,
        generation: client.may(GrantType::RefreshToken).then_some(1),
    };
    issue(app, &what, now)
}
