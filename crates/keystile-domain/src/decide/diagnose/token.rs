//! Access tokens that a resource refuses. The client hears one sentence for all of them (CHECKLIST
//! A-078); this is for log and doctor.

use keystile_protocol::jwt::{ClaimedOfRefused, Rejected};

use super::client::known;
use super::{Diagnosis, difference, short};
use crate::flow::without_query;
use crate::ids::GrantId;

/// What is wrong with a token. `claimed` is what it says of itself; it is believed only for what was
/// found wrong behind a good signature.
#[must_use]
pub fn rejected(
    why: Rejected,
    claimed: Option<&ClaimedOfRefused>,
    issuer: &str,
    resource: &str,
    now: u64,
) -> Diagnosis {
    match (why, claimed) {
        (Rejected::Time, Some(claimed)) => times(claimed, now),
        (Rejected::Issuer, Some(claimed)) => {
            let known = std::iter::once(issuer);
            difference::diagnose("token_issuer", "wrong_issuer", &claimed.iss, known)
        }
        (Rejected::Audience, Some(claimed)) => {
            let known = std::iter::once(resource);
            difference::diagnose("token_audience", "wrong_audience", &claimed.aud, known)
        }
        (Rejected::UnknownKey, Some(claimed)) => unknown_key(claimed, issuer),
        (why, _) => Diagnosis::named(reason(why), format!("{}.", capital(&why.to_string()))),
    }
}

/// Whose it says to be: another installation's, or one of an earlier key of ours.
fn unknown_key(claimed: &ClaimedOfRefused, issuer: &str) -> Diagnosis {
    let kid = claimed.kid.as_deref().map_or_else(
        || "names no key".to_owned(),
        |kid| format!("names the key '{}'", short(kid)),
    );
    let whose = match claimed.iss.as_str() {
        "" => "nobody as its issuer".to_owned(),
        iss if iss == issuer => "this issuer".to_owned(),
        iss => format!("the issuer '{}'", short(&without_query(iss))),
    };
    let found = format!("It {kid}, which is none of ours, and {whose}.");
    let mut diagnosis = Diagnosis::named(reason(Rejected::UnknownKey), found);
    diagnosis.expected = format!("{} The issuer is '{issuer}'.", diagnosis.expected);
    diagnosis
}

/// A token whose connection, person or client was ended. `client_id` is one that is known here.
#[must_use]
pub fn revoked(grant: GrantId, person: &str, client_id: &str) -> Diagnosis {
    let client = known(client_id);
    let found =
        format!("The token is of the connection {grant} of the person {person} with {client}.");
    Diagnosis::named("revoked", found)
}

/// The stable word for the audit trail.
#[must_use]
pub const fn reason(rejected: Rejected) -> &'static str {
    match rejected {
        Rejected::Malformed => "malformed_token",
        Rejected::TooLong => "too_long_token",
        Rejected::Header => "not_an_access_token",
        Rejected::UnknownKey => "unknown_key",
        Rejected::Signature => "bad_signature",
        Rejected::Claims => "bad_claims",
        Rejected::Issuer => "wrong_issuer",
        Rejected::Audience => "wrong_audience",
        Rejected::Time => "expired",
    }
}

/// Which clock is wrong, and by how much.
fn times(claimed: &ClaimedOfRefused, now: u64) -> Diagnosis {
    let begins = claimed.iat.max(claimed.nbf.unwrap_or(0));
    if begins > now {
        let early = begins - now;
        return Diagnosis::named(
            "token_from_the_future",
            format!("It is good only {early} s from now, by this server's clock."),
        );
    }
    let lifetime = claimed.exp.saturating_sub(claimed.iat);
    if claimed.exp <= now {
        let late = now - claimed.exp;
        return Diagnosis::named(
            "token_expired",
            format!("It expired {late} s ago; its lifetime was {lifetime} s."),
        );
    }
    Diagnosis::named(
        "token_lives_too_long",
        format!("Its lifetime is {lifetime} s."),
    )
}

pub(super) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}
