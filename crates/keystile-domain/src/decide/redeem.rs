//! What becomes of a code that was shown at the token endpoint (OAuth 2.1 §4.1.3, RFC 8707 §2.2).

use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::mutation::weakened;

use super::diagnose::{Diagnosis, code};
use crate::ids::GrantId;
use crate::records::{CLIENT_PROOF, Mismatch, RefreshMismatch, Taken, TakenCode};

/// What the caller must now do.
#[derive(Debug)]
pub enum Redemption {
    /// Issue tokens for what was taken.
    Issue(TakenCode),
    /// The code was used before: revoke its grant, then refuse with this.
    RevokeAndRefuse(GrantId, OAuthError),
}

/// Decides an authorization code redemption. Who `proved` to be the code's own client hears of an earlier use, too; of
/// anybody else it is not known that they are.
///
/// # Errors
/// `invalid_grant` or `invalid_target`; nothing was changed.
pub fn redeem(taken: Taken, proved: bool) -> Result<Redemption, OAuthError> {
    match taken {
        Taken::First(code) => Ok(Redemption::Issue(code)),
        Taken::Again(grant) => Ok(Redemption::RevokeAndRefuse(
            grant,
            invalid_grant("The code was used before, so its connection was ended. Sign in again.")
                .because(code::REUSED),
        )),
        Taken::NoMatch(mismatch) => Err(refuse_code(mismatch)),
        Taken::AgainWrongly(mismatch, grant) => {
            let mut refusal = refuse_code(mismatch);
            let diagnosis = code::reused_wrongly(grant, Diagnosis::of(&refusal));
            if (proved || weakened("a_019b")) && mismatch != Mismatch::Client {
                let more = "The code was used before, too.";
                refusal.description = format!("{} {more}", refusal.description).into();
            }
            Err(refusal.with_detail(diagnosis))
        }
    }
}

/// The refusal of a text that can't be a code of this server.
#[must_use]
pub fn refuse_damaged(text: &str) -> OAuthError {
    code::damaged(text).explain(refuse_code(Mismatch::Unknown))
}

fn refuse_code(mismatch: Mismatch) -> OAuthError {
    let refusal = match mismatch {
        Mismatch::Unknown => {
            invalid_grant("The code is unknown here. Sign in again.").with_detail(code::unknown())
        }
        Mismatch::Expired => invalid_grant("The code is older than 60 seconds. Sign in again."),
        Mismatch::Client => invalid_grant(
            "The code was issued to another client_id: send the one that asked for it, or sign in again.",
        ),
        Mismatch::ClientProof => client_proof_missing(),
        Mismatch::RedirectUri => invalid_grant(
            "redirect_uri is not the one of the authorization request, byte for byte: send the same one twice.",
        ),
        Mismatch::Challenge => invalid_grant(
            "PKCE: the SHA-256 of code_verifier is not the code_challenge of the authorization request: keep one code_verifier for each attempt, and send its very text.",
        ),
        Mismatch::Resource => OAuthError::new(
            ErrorCode::InvalidTarget,
            "resource is not the one of the authorization request: send the same one twice.",
        ),
        Mismatch::Revoked => invalid_grant("The connection was ended meanwhile. Sign in again."),
    };
    refusal.because(mismatch.as_str())
}

/// The refusal of a refresh token; nothing was changed.
#[must_use]
pub fn refuse_refresh(mismatch: RefreshMismatch) -> OAuthError {
    let refusal = match mismatch {
        RefreshMismatch::Unknown => {
            invalid_grant("The refresh token is unknown here. Sign in again.")
        }
        RefreshMismatch::Client => invalid_grant(
            "The refresh token was issued to another client_id: send the one that got it, or sign in again.",
        ),
        RefreshMismatch::ClientProof => client_proof_missing(),
        RefreshMismatch::Resource => OAuthError::new(
            ErrorCode::InvalidTarget,
            "resource is not the one that was authorized for this refresh token: send that one, or sign in for the other.",
        ),
        RefreshMismatch::Expired => {
            invalid_grant("The connection was not used for too long and has ended. Sign in again.")
        }
        RefreshMismatch::Revoked => invalid_grant("The connection was ended. Sign in again."),
    };
    refusal.because(mismatch.as_str())
}

/// A client that proved who it is when it was let in, and now only says so; nothing was changed.
#[must_use]
pub fn client_proof_missing() -> OAuthError {
    let why = "This client's document names private_key_jwt, and it did not authenticate: send client_assertion_type and client_assertion with each request.";
    OAuthError::new(ErrorCode::InvalidClient, why).because(CLIENT_PROOF)
}

/// The refusal of a replay beyond the rule; the family is dead.
#[must_use]
pub fn refuse_reuse() -> OAuthError {
    invalid_grant(
        "This refresh token was replaced and used again, so the connection was ended. Sign in again, and keep only the newest one.",
    )
    .because("refresh_token_reused")
}

fn invalid_grant(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidGrant, description)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_proved_to_be_the_code_s_own_client_hears_of_an_earlier_use() {
        let grant = GrantId::from_bytes([9; 16]);
        let of = |taken, proved| redeem(taken, proved).expect_err("it is refused");
        for mismatch in [
            Mismatch::Client,
            Mismatch::ClientProof,
            Mismatch::RedirectUri,
            Mismatch::Challenge,
            Mismatch::Resource,
        ] {
            let fresh = of(Taken::NoMatch(mismatch), false);
            let spent = of(Taken::AgainWrongly(mismatch, grant), false);
            assert_eq!(spent.description, fresh.description);
            assert_eq!((spent.code, spent.reason()), (fresh.code, fresh.reason()));
            assert_eq!(Diagnosis::of(&spent).reason, code::REUSED_WRONGLY);
            let proved = of(Taken::AgainWrongly(mismatch, grant), true);
            let hears = proved.description.contains("used before");
            assert_eq!(hears, mismatch != Mismatch::Client, "{proved}");
        }
    }
}
