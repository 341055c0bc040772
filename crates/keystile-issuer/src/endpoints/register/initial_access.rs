//! Initial access tokens (RFC 7591 §3): a registration that the operator let in beforehand.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::decide::register::initial_access;
use keystile_domain::ids::InitialAccessTokenId;
use keystile_domain::records::Spent;
use keystile_domain::secrets::code::INITIAL_ACCESS_TOKEN;
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use keystile_protocol::error::OAuthError;

use crate::app::App;
use crate::limits::{Guess, TOO_MANY, TooMany};
use crate::pages::shown;

/// A token that was shown, and not looked at yet.
pub(super) struct InitialAccess(Digest);

/// What the `Authorization` header of a registration holds.
pub(super) enum Shown {
    /// There is none.
    Nothing,
    /// A token of another kind, or none at all. Counts as nothing where no token is needed: some clients
    /// send the same header to every endpoint.
    Other,
    /// A token.
    Token(InitialAccess),
}

impl Shown {
    /// The token; `None` where it needs none and has none.
    pub(super) fn token(self, needed: bool) -> Result<Option<InitialAccess>, OAuthError> {
        match self {
            Self::Token(token) => Ok(Some(token)),
            Self::Nothing if needed => Err(initial_access::missing()),
            Self::Other if needed => Err(initial_access::malformed()),
            Self::Nothing | Self::Other => Ok(None),
        }
    }
}

impl InitialAccess {
    /// Reads the `Authorization` header.
    pub(super) fn shown(headers: &HeaderMap) -> Result<Shown, OAuthError> {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        let (line, another) = (lines.next(), lines.next());
        if another.is_some() {
            let why = "The request has two Authorization headers: send one.";
            return Err(OAuthError::invalid_request(why).because("two_authorizations"));
        }
        let Some(line) = line else {
            return Ok(Shown::Nothing);
        };
        let text = line.to_str().unwrap_or_default();
        let token = text
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim_start());
        let ours = token.filter(|token| token.starts_with(INITIAL_ACCESS_TOKEN));
        Ok(ours.map_or(Shown::Other, |token| Shown::Token(Self(Digest::of(token)))))
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
                    record(app, client_id, Err(TOO_MANY), peer, now).await?;
                }
                let time = shown::wait(wait);
                let why = format!("Too many wrong initial access tokens. Try again in {time}.");
                return Err(OAuthError::too_many(why, wait).because(TOO_MANY));
            }
        };
        let spent = app.registrations.spend_token(self.0, now).await;
        match spent.map_err(OAuthError::internal)? {
            Spent::Now(id) => {
                record(app, client_id, Ok(id), peer, now).await?;
                attempt.settle();
                Ok(())
            }
            Spent::No(token) => {
                let refusal = initial_access::unusable(token.as_ref(), now);
                record(app, client_id, Err(refusal.reason()), peer, now).await?;
                Err(refusal)
            }
        }
    }
}

/// A registration with the token of this id, or why there is none.
async fn record(
    app: &App,
    client_id: &str,
    by: Result<InitialAccessTokenId, &'static str>,
    peer: IpAddr,
    now: Timestamp,
) -> Result<(), OAuthError> {
    let (id, peer) = (by.ok().map(|id| id.to_string()), peer.to_string());
    let outcome = match by {
        Ok(_) => Outcome::Allow,
        Err(_) => Outcome::Deny,
    };
    let event = Event {
        client: id.as_ref().map(|_| client_id),
        method: Some("initial_access_token"),
        name: id.as_deref(),
        reason: by.err(),
        peer: Some(&peer),
        ..Event::new(now, Action::Registration, outcome)
    };
    app.audit.record(&event).await.map_err(OAuthError::internal)
}
