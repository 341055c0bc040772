//! What lets clients register themselves: initial access tokens, and redirects that the owner
//! approved of.

use std::time::Duration;

use keystile_domain::ids::InitialAccessTokenId;
use keystile_domain::records::{
    MOST_INITIAL_ACCESS_TOKENS, MOST_REDIRECT_PLACES, NewInitialAccessToken,
};
use keystile_domain::secrets::code::FreshSecret;
use keystile_protocol::mutation::weakened;
use keystile_protocol::redirect::{RedirectKind, RedirectUri};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Admin, is_legal_name, store};
use crate::failure::Failure;

/// The most clients that one token registers.
pub(crate) const MOST_USES: u32 = 10_000;
/// The longest that a token works.
pub(crate) const LONGEST_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);

/// What an administrator can ask for about registrations.
#[derive(Serialize, Deserialize)]
#[serde(
    tag = "about_registration",
    rename_all = "snake_case",
    deny_unknown_fields
)]
pub(crate) enum RegistrationRequest {
    TokenAdd {
        uses: u32,
        lifetime: Duration,
        note: Option<String>,
    },
    TokenList,
    TokenRevoke {
        id: String,
    },
    RedirectApprove {
        place: String,
    },
    RedirectList {
        asked: bool,
    },
    RedirectRemove {
        place: String,
    },
}

impl RegistrationRequest {
    pub(super) const fn makes_an_installation(&self) -> bool {
        matches!(self, Self::TokenAdd { .. } | Self::RedirectApprove { .. })
    }
}

impl Admin {
    pub(super) async fn registration(&self, asked: RegistrationRequest) -> Result<Value, Failure> {
        match asked {
            RegistrationRequest::TokenAdd {
                uses,
                lifetime,
                note,
            } => self.token_add(uses, lifetime, note).await,
            RegistrationRequest::TokenList => self.token_list().await,
            RegistrationRequest::TokenRevoke { id } => self.token_revoke(&id).await,
            RegistrationRequest::RedirectApprove { place } => self.redirect_approve(&place).await,
            RegistrationRequest::RedirectList { asked } => self.redirect_list(asked).await,
            RegistrationRequest::RedirectRemove { place } => self.redirect_remove(&place).await,
        }
    }

    async fn token_add(
        &self,
        uses: u32,
        lifetime: Duration,
        note: Option<String>,
    ) -> Result<Value, Failure> {
        if !(1..=MOST_USES).contains(&uses) {
            return Err(Failure::usage(
                "initial_access_token_uses",
                format!("an initial access token registers 1 to {MOST_USES} clients"),
                "choose another --uses",
            ));
        }
        if lifetime < Duration::from_secs(1) || lifetime > LONGEST_LIFETIME {
            return Err(Failure::usage(
                "initial_access_token_lifetime",
                "an initial access token lives 1 second to 90 days",
                "choose another --lifetime",
            ));
        }
        if note.as_deref().is_some_and(|note| !is_legal_name(note)) {
            return Err(Failure::usage(
                "initial_access_token_note",
                "a note has 1 to 64 characters, without control characters",
                "choose another --note",
            ));
        }
        let now = self.clock.now();
        let secret = FreshSecret::initial_access_token(&*self.rng);
        let token = NewInitialAccessToken {
            id: InitialAccessTokenId::new(now, &*self.rng),
            digest: secret.digest,
            note,
            created_at: now,
            expires_at: now.plus(lifetime),
            uses,
        };
        let (id, expires_at) = (token.id, token.expires_at);
        let made = async {
            match self.registrations.add_token(token).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(too_many_tokens()),
                Err(error) => Err(store(&error)),
            }
        };
        let verb = "initial_access_token_add";
        self.recorded(verb, &id.to_string(), made).await?;
        Ok(json!({
            "id": id,
            "initial_access_token": secret.text,
            "uses": uses,
            "expires_at": expires_at,
        }))
    }

    async fn token_list(&self) -> Result<Value, Failure> {
        let tokens = self.registrations.tokens().await;
        Ok(json!(tokens.map_err(|error| store(&error))?))
    }

    async fn token_revoke(&self, id: &str) -> Result<Value, Failure> {
        let token: InitialAccessTokenId = id.parse().map_err(|error| {
            Failure::usage(
                "initial_access_token_id",
                format!("{error}"),
                "see keystile client initial-access-token list; the token itself is not its id",
            )
        })?;
        let now = self.clock.now();
        let made = async {
            let revoked = self.registrations.revoke_token(token, now).await;
            revoked.map_err(|error| store(&error))?.ok_or_else(|| {
                Failure::failed(
                    "initial_access_token_unknown",
                    format!("there is no initial access token {token}"),
                    "see keystile client initial-access-token list",
                )
            })
        };
        let object = token.to_string();
        let was_good = self
            .recorded("initial_access_token_revoke", &object, made)
            .await?;
        Ok(json!({ "id": token, "was_good": was_good }))
    }

    async fn redirect_approve(&self, text: &str) -> Result<Value, Failure> {
        let place = place(text)?;
        let now = self.clock.now();
        let made = async {
            match self.registrations.approve_place(&place, now).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(too_many_places()),
                Err(error) => Err(store(&error)),
            }
        };
        self.recorded("redirect_approve", &place, made).await?;
        self.asked_redirects.forget(&place);
        Ok(json!({ "place": place }))
    }

    async fn redirect_remove(&self, text: &str) -> Result<Value, Failure> {
        let place = place(text)?;
        let made = async {
            let removed = self.registrations.remove_place(&place).await;
            removed.map_err(|error| store(&error))
        };
        let was_approved = self.recorded("redirect_remove", &place, made).await?;
        self.asked_redirects.forget(&place);
        Ok(json!({ "place": place, "was_approved": was_approved }))
    }

    async fn redirect_list(&self, asked: bool) -> Result<Value, Failure> {
        if asked {
            return Ok(json!(self.asked_redirects.list()));
        }
        let places = self.registrations.places().await;
        Ok(json!(places.map_err(|error| store(&error))?))
    }
}

/// An https origin or a private-use scheme, as a redirect URI of it would have it: another spelling
/// would never match (CHECKLIST A-012).
fn place(text: &str) -> Result<String, Failure> {
    let uri = match text.strip_suffix(':') {
        Some(scheme) if !scheme.contains(':') => format!("{text}/"),
        _ => text.to_owned(),
    };
    let parsed = RedirectUri::parse(&uri);
    let place = parsed.as_ref().map(RedirectUri::place);
    let own = match parsed.as_ref().map(RedirectUri::kind) {
        Ok(RedirectKind::Https { .. } | RedirectKind::PrivateUse { .. }) => {
            place.as_deref() == Ok(text)
        }
        Ok(RedirectKind::Loopback { .. }) | Err(_) => false,
    };
    if own || weakened("a_012") {
        return Ok(text.to_owned());
    }
    let to_do = match place {
        Ok(place) if text != place && place.starts_with("https://") => format!("write {place}"),
        _ => "write scheme and host, for example https://app.example.com, or a scheme with its colon, for example notes:".to_owned(),
    };
    Err(Failure::usage(
        "redirect_place",
        format!("{text} is not the origin of an https redirect, nor the scheme of an app"),
        to_do,
    ))
}

fn too_many_tokens() -> Failure {
    Failure::failed(
        "initial_access_token_limit",
        format!("there are {MOST_INITIAL_ACCESS_TOKENS} initial access tokens already"),
        "give one token more --uses; dead ones are forgotten 90 days after they expired",
    )
}

fn too_many_places() -> Failure {
    Failure::failed(
        "redirect_limit",
        format!("there are {MOST_REDIRECT_PLACES} approved redirects already"),
        "remove one first: keystile client redirect remove",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_012_an_approval_is_of_one_origin_as_browsers_write_it() {
        for fine in [
            "https://app.example.com",
            "https://app.example.com:8443",
            "notes:",
        ] {
            assert_eq!(place(fine).ok().as_deref(), Some(fine));
        }
        for bad in [
            "app.example.com",
            "https://app.example.com/",
            "https://app.example.com/cb",
            "https://App.example.com",
            "https://app.example.com.",
            "https://app.example.com:443",
            "https://*.example.com",
            "https://u@app.example.com",
            "http://app.example.com",
            "http://localhost:3000",
            "javascript:",
            "https:",
            "notes:/cb",
            "",
        ] {
            let failure = place(bad).expect_err(bad);
            assert_eq!(
                (failure.code.as_str(), failure.exit),
                ("redirect_place", 2),
                "{bad}"
            );
        }
    }
}
