//! Initial access tokens that let nobody register (RFC 7591 §3), and what to do about each.

use keystile_protocol::error::{ErrorCode, OAuthError};

use crate::decide::diagnose::Diagnosis;
use crate::records::InitialAccessToken;
use crate::secrets::code::INITIAL_ACCESS_TOKEN;
use crate::time::Timestamp;

/// The refusal of a registration without the initial access token that it needs (RFC 6750 §3).
#[must_use]
pub fn missing() -> OAuthError {
    let why = "Clients register here with an initial access token (RFC 7591 section 3), sent as Authorization: Bearer. Whoever runs this server makes one: keystile client initial-access-token add.";
    OAuthError::new(ErrorCode::InvalidToken, why).because("initial_access_token_missing")
}

/// The refusal of an `Authorization` header that holds something else than an initial access token of ours.
#[must_use]
pub fn malformed() -> OAuthError {
    let why = format!(
        "What Authorization holds is no initial access token of this server: send Bearer and the token as it was made, which begins with {INITIAL_ACCESS_TOKEN}. Whoever runs this server makes another: keystile client initial-access-token add."
    );
    OAuthError::new(ErrorCode::InvalidToken, why).because("initial_access_token_malformed")
}

/// The refusal of a token that could not be spent; `token` is what is known of it. Whoever shows its text
/// may hear what became of it.
#[must_use]
pub fn unusable(token: Option<&InitialAccessToken>, now: Timestamp) -> OAuthError {
    let Some(token) = token else {
        return no_good(
            "initial_access_token_unknown",
            "is not known here",
            "No token of this installation has that text.".to_owned(),
        );
    };
    let (id, ago) = (token.id, |at: Timestamp| now.since(at).as_secs());
    let note = token.note.as_deref();
    let which = note.map_or_else(|| id.to_string(), |note| format!("{id} ('{note}')"));
    if let Some(at) = token.revoked_at {
        let found = format!("An operator revoked {which} {} s ago.", ago(at));
        return no_good("initial_access_token_revoked", "was revoked", found);
    }
    if token.expires_at <= now {
        let found = format!("{which} expired {} s ago.", ago(token.expires_at));
        return no_good("initial_access_token_expired", "expired", found);
    }
    let found = format!("{which} registered {} of {}.", token.used, token.uses);
    no_good("initial_access_token_used_up", "is used up", found)
}

fn no_good(reason: &'static str, what: &str, found: String) -> OAuthError {
    let why = format!(
        "The initial access token {what}. Ask whoever runs this server for another: keystile client initial-access-token add."
    );
    OAuthError::new(ErrorCode::InvalidToken, why)
        .because(reason)
        .with_detail(Diagnosis::named(reason, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_lets_nobody_in_says_what_became_of_it() {
        let now = Timestamp(100_000);
        let good = InitialAccessToken {
            id: "0198c0de-7f3a-7bcd-8e21-5a1f0c9d2b46".parse().unwrap(),
            note: Some("the wiki".to_owned()),
            created_at: Timestamp(0),
            expires_at: Timestamp(200_000),
            uses: 2,
            used: 2,
            revoked_at: None,
        };
        let old = InitialAccessToken {
            expires_at: Timestamp(40_000),
            ..good.clone()
        };
        let revoked = InitialAccessToken {
            revoked_at: Some(Timestamp(99_000)),
            ..old.clone()
        };
        for (token, reason, found) in [
            (None, "initial_access_token_unknown", "No token"),
            (
                Some(&good),
                "initial_access_token_used_up",
                "('the wiki') registered 2 of 2.",
            ),
            (
                Some(&old),
                "initial_access_token_expired",
                "expired 60 s ago.",
            ),
            (
                Some(&revoked),
                "initial_access_token_revoked",
                "('the wiki') 1 s ago.",
            ),
        ] {
            let error = unusable(token, now);
            assert_eq!((error.reason(), error.status().as_u16()), (reason, 401));
            assert!(!error.description.contains("wiki"), "{error}");
            let told = Diagnosis::of(&error);
            assert!(told.found.contains(found), "{told}");
            assert!(told.fix.contains("initial-access-token add"), "{told}");
        }
    }
}
