//! Initial access tokens (RFC 7591 §3): a registration that the operator let in beforehand.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::ids::InitialAccessTokenId;
use keystile_domain::records::Spent;
use keystile_domain::secrets::code::INITIAL_ACCESS_TOKEN;
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use keystile_protocol::error::{ErrorCode, OAuthError};

use crate::app::App;
use crate::limits::{Guess, TOO_MANY, TooMany};
use crate::pages::shown;

/// A token that was shown, and not looked at yet.
pub(super) struct InitialAccess(Digest);

impl InitialAccess {
    /// The token of the `Authorization` header. Bearer tokens of other kinds count as none: some
    /// clients send the same header to every endpoint.
    pub(super) fn shown(headers: &HeaderMap) -> Result<Option<Self>, OAuthError> {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        let (line, another) = (lines.next(), lines.next());
        if another.is_some() {
            let why = "The request has two Authorization headers: send one.";
            return Err(OAuthError::invalid_request(why).because("two_authorizations"));
        }
        let text = line.and_then(|line| line.to_str().ok()).unwrap_or_default();
        let token = text
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim_start());
        let ours = token.filter(|token| token.starts_with(INITIAL_ACCESS_TOKEN));
        Ok(ours.map(|token| Self(Digest::of(token))))
    }

    /// Spends one use of the token; what came of it is on record before anybody is answered.
    pub(super) async fn spend(
        self,
        app: &App,
        client_id: &str,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<(), OAuthError> {
        let guess = Guess::InitialAccessToken;
        let attempt = match app.limits.attempt(guess, peer, now) {
            Ok(attempt) => attempt,
            Err(TooMany { wait, first }) => {
                if first {
                    record(app, client_id, None, TOO_MANY, peer, now).await?;
                }
                let time = shown::wait(wait);
                let why = format!("Too many wrong initial access tokens. Try again in {time}.");
                return Err(OAuthError::too_many(why, wait).because(TOO_MANY));
            }
        };
        let spent = app.registrations.spend_token(self.0, now).await;
        let id = match spent.map_err(OAuthError::internal)? {
            Spent::Now(id) => Some(id),
            Spent::No => None,
        };
        record(app, client_id, id, UNUSABLE, peer, now).await?;
        if id.is_none() {
            let why = "The initial access token is not known, expired, revoked or used up. Ask whoever runs this server for another: keystile client initial-access-token add.";
            return Err(OAuthError::new(ErrorCode::InvalidToken, why).because(UNUSABLE));
        }
        attempt.settle();
        Ok(())
    }
}

/// A registration with the token of this id, or why there is none.
async fn record(
    app: &App,
    client_id: &str,
    id: Option<InitialAccessTokenId>,
    otherwise: &str,
    peer: IpAddr,
    now: Timestamp,
) -> Result<(), OAuthError> {
    let (id, peer) = (id.map(|id| id.to_string()), peer.to_string());
    let outcome = match id {
        Some(_) => Outcome::Allow,
        None => Outcome::Deny,
    };
    let event = Event {
        client: id.as_ref().map(|_| client_id),
        method: Some("initial_access_token"),
        name: id.as_deref(),
        reason: id.is_none().then_some(otherwise),
        peer: Some(&peer),
        ..Event::new(now, Action::Registration, outcome)
    };
    app.audit.record(&event).await.map_err(OAuthError::internal)
}

const UNUSABLE: &str = "initial_access_token_unusable";
