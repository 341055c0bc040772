//! `POST /oauth/introspect` (RFC 7662): what a token is, said to those whom it concerns.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::request::Parts;
use keystile_domain::decide::refresh::{Judgement, judge};
use keystile_domain::ids::GrantId;
use keystile_domain::ports::{Standing, TokenFacts};
use keystile_domain::time::Timestamp;
use keystile_protocol::error::OAuthError;
use keystile_protocol::form::Params;
use keystile_protocol::mutation::weakened;
use keystile_protocol::scope::ScopeSet;
use serde::Serialize;

use crate::app::{App, SharedApp};
use crate::client_auth::{self, AuthenticatedClient, authenticate};
use crate::clients;
use crate::endpoints::body::Form;
use crate::endpoints::own_tokens::access_claims;
use crate::refusal::Refusal;
use crate::traced;

/// RFC 7662 §2.2. Of a token that is dead, foreign, unknown or none of the asker's business nothing is
/// said but that (CHECKLIST A-024).
#[derive(Default, Serialize)]
struct Answer {
    active: bool,
    #[serde(flatten)]
    said: Option<Said>,
}

#[derive(Serialize)]
struct Said {
    scope: String,
    client_id: String,
    token_type: &'static str,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    sub: String,
    aud: String,
    iss: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
}

/// No cache keeps what is true only now.
pub(crate) async fn post(
    State(app): State<SharedApp>,
    request: Parts,
    Form(params): Form,
) -> Response {
    let now = app.clock.now();
    let answered = answer(&app, &request, &params, now).await;
    let answered = answered.map(|answer| ([(CACHE_CONTROL, "no-store")], Json(answer)));
    let mut response = answered.map_err(Refusal::from).into_response();
    let id = || client_auth::claimed(&app, &request, &params, now);
    traced::tell_whose(&app, id, &params, &mut response).await;
    response
}

/// Answers clients that proved who they are: the one that the token was made for, and the resource
/// server that it is for.
async fn answer(
    app: &App,
    request: &Parts,
    params: &Params,
    now: Timestamp,
) -> Result<Answer, OAuthError> {
    let client = authenticate(app, request, params, now).await?;
    if !client.is_confidential() {
        return Err(clients::not_proven());
    }
    let token = params.one("token").ok_or_else(|| {
        OAuthError::invalid_request("token is missing: send the token to ask about.")
    })?;
    let said = match app.secrets.open_refresh_token(token) {
        Some((grant, generation)) => refresh_token(app, grant, generation, now).await?,
        None => access_token(app, token, now)?,
    };
    let said = said.filter(|said| concerns(app, &client, said));
    Ok(Answer {
        active: said.is_some(),
        said,
    })
}

/// The client that holds the token, or the one that serves the resource that an access token is for.
fn concerns(app: &App, client: &AuthenticatedClient, said: &Said) -> bool {
    let owns = said.client_id == client.client_id();
    let serves = said.token_type == BEARER
        && client.introspects().is_some_and(|named| {
            let served = app.settings.resources.resolve(std::iter::once(named));
            served.is_ok_and(|served| served.resource.to_string() == said.aud)
        });
    owns || serves || weakened("a_024b")
}

fn access_token(app: &App, token: &str, now: Timestamp) -> Result<Option<Said>, OAuthError> {
    let Some(claims) = access_claims(app, token, now) else {
        return Ok(None);
    };
    let Some(grant) = claims.sid.as_deref().and_then(|sid| sid.parse().ok()) else {
        return Ok(None);
    };
    let facts = TokenFacts {
        grant,
        person: &claims.sub,
        client: &claims.client_id,
        issued_at: Timestamp::from_seconds(seconds(claims.iat)),
    };
    match app.revocations.standing(&facts) {
        Standing::Good => {}
        Standing::Revoked => return Ok(None),
        Standing::Unknown => {
            let why = "it is not known what was revoked";
            return Err(OAuthError::internal(why).because("revocations_unknown"));
        }
    }
    Ok(Some(Said {
        scope: spelled_out(app, &claims.aud, &claims.scope),
        client_id: claims.client_id.clone(),
        token_type: BEARER,
        exp: seconds(claims.exp),
        iat: Some(seconds(claims.iat)),
        sub: claims.sub.clone(),
        aud: claims.aud.clone(),
        iss: claims.iss.clone(),
        jti: Some(claims.jti.clone()),
    }))
}

/// Whoever asks does not know which scope contains which, so each is named (N-RS-07).
fn spelled_out(app: &App, resource: &str, scopes: &str) -> String {
    let served = app.settings.resources.find(resource);
    match (served, scopes.parse::<ScopeSet>()) {
        (Some(served), Ok(scopes)) => served.scopes.hierarchy().spelled_out(&scopes).to_string(),
        _ => scopes.to_owned(),
    }
}

/// What its client could still use: the rule is that of rotation.
async fn refresh_token(
    app: &App,
    grant: GrantId,
    generation: u32,
    now: Timestamp,
) -> Result<Option<Said>, OAuthError> {
    let found = app.grants.family(grant).await;
    let Some((record, facts)) = found.map_err(OAuthError::internal)? else {
        return Ok(None);
    };
    match judge(&facts, generation, now) {
        Judgement::First | Judgement::Again => {}
        Judgement::Reused | Judgement::Refused(_) => return Ok(None),
    }
    Ok(Some(Said {
        scope: record.scopes.to_string(),
        client_id: record.client_id,
        token_type: "refresh_token",
        exp: record.expires_at.seconds(),
        iat: None,
        sub: record.person.to_string(),
        aud: record.resource,
        iss: app.settings.issuer.as_str().to_owned(),
        jti: None,
    }))
}

fn seconds(claim: u64) -> i64 {
    i64::try_from(claim).unwrap_or(i64::MAX)
}

/// The type of an access token.
const BEARER: &str = "Bearer";
