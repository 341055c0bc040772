//! Client assertions that are refused. The client hears one sentence for all of them (CHECKLIST A-078);
//! this is for log and doctor.

use keystile_protocol::jwt::assertion::AssertionExpectations;
use keystile_protocol::jwt::{Rejected, WholeOfRefused};
use serde_json::Value;

use super::client::quoted;
use super::token::capital;
use super::{Diagnosis, short};

/// What is wrong with an assertion, by what it says of itself. `expected` without a `client_id` for
/// one of which nobody could read whose it is.
#[must_use]
pub fn rejected(why: Rejected, text: &str, expected: &AssertionExpectations<'_>) -> Diagnosis {
    let Some(whole) = WholeOfRefused::read(text) else {
        return unreadable(why);
    };
    match why {
        Rejected::Malformed | Rejected::TooLong => unreadable(why),
        Rejected::Header => Diagnosis::named(
            "client_assertion_header",
            format!(
                "Its header has alg {}, typ {} and kid {}.",
                shown(whole.header("alg")),
                shown(whole.header("typ")),
                shown(whole.header("kid"))
            ),
        ),
        Rejected::UnknownKey => Diagnosis::named(
            "client_assertion_unknown_key",
            format!(
                "It names kid {} and alg {}: the client has no such key.",
                shown(whole.header("kid")),
                shown(whole.header("alg"))
            ),
        ),
        Rejected::Signature => Diagnosis::named(
            "client_assertion_signature",
            format!(
                "The client's key {} did not make its signature.",
                shown(whole.header("kid"))
            ),
        ),
        Rejected::Claims if !matches!(whole.claim("aud"), Some(Value::String(_))) => {
            audience(&whole, expected)
        }
        Rejected::Claims => claims(&whole),
        Rejected::Issuer => subject(&whole, expected),
        Rejected::Audience => audience(&whole, expected),
        Rejected::Time => times(&whole, expected.now),
    }
}

/// Who an assertion says to be from, by claim, each id once: nothing of it is believed, and the operator is told who to ask.
#[must_use]
pub fn claimed(text: &str) -> Vec<(&'static str, String)> {
    let Some(whole) = WholeOfRefused::read(text) else {
        return Vec::new();
    };
    let mut ids: Vec<(&str, String)> = Vec::new();
    for claim in ["sub", "iss"] {
        let id = whole
            .claim(claim)
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !id.is_empty() && ids.iter().all(|(_, known)| known != id) {
            ids.push((claim, id.to_owned()));
        }
    }
    ids
}

/// An assertion whose `jti` was shown before.
#[must_use]
pub fn reused() -> Diagnosis {
    Diagnosis::named("client_assertion_reused", "Its jti was shown before.")
}

fn unreadable(why: Rejected) -> Diagnosis {
    let found = format!("{}.", capital(&why.to_string()));
    Diagnosis::named("client_assertion_unreadable", found)
}

fn claims(whole: &WholeOfRefused) -> Diagnosis {
    let text = |name| matches!(whole.claim(name), Some(Value::String(text)) if !text.is_empty());
    let seconds = |name| whole.claim(name).is_some_and(Value::is_u64);
    let mut wrong: Vec<&str> = ["iss", "sub"].into_iter().filter(|it| !text(it)).collect();
    let times = [("exp", true), ("iat", false), ("nbf", false)];
    let bad = |(name, needed): &(&'static str, bool)| {
        !seconds(name) && (*needed || whole.claim(name).is_some())
    };
    wrong.extend(times.iter().filter(|it| bad(it)).map(|(name, _)| *name));
    let jti = whole.claim("jti").and_then(Value::as_str);
    if jti.is_none_or(|jti| jti.is_empty() || jti.len() > 256) {
        wrong.push("jti");
    }
    let found = match wrong.as_slice() {
        [] => "A claim stands twice in it, or in another case.".to_owned(),
        wrong => format!("Missing or of another type: {}.", wrong.join(", ")),
    };
    Diagnosis::named("client_assertion_claims", found)
}

fn subject(whole: &WholeOfRefused, expected: &AssertionExpectations<'_>) -> Diagnosis {
    let found = format!(
        "iss is {} and sub is {}.",
        id(whole.claim("iss")),
        id(whole.claim("sub"))
    );
    let mut diagnosis = Diagnosis::named("client_assertion_subject", found);
    if !expected.client_id.is_empty() {
        let client = short(expected.client_id);
        diagnosis.expected = format!("{} Expected '{client}'.", diagnosis.expected);
    }
    diagnosis
}

fn audience(whole: &WholeOfRefused, expected: &AssertionExpectations<'_>) -> Diagnosis {
    let aud = whole.claim("aud");
    let hint = match aud {
        Some(Value::Array(_)) => " A list came.",
        Some(Value::String(aud)) if aud.trim_end_matches('/') == expected.issuer => {
            " Only the slash at the end differs."
        }
        Some(Value::String(aud)) if aud.starts_with(expected.issuer) => {
            " An endpoint came in place of the issuer."
        }
        _ => "",
    };
    let found = format!("aud is {}.{hint}", shown(aud));
    let mut diagnosis = Diagnosis::named("client_assertion_audience", found);
    diagnosis.expected = format!("{} Expected '{}'.", diagnosis.expected, expected.issuer);
    diagnosis
}

/// Which clock is wrong, and by how much.
fn times(whole: &WholeOfRefused, now: u64) -> Diagnosis {
    let claim = |name| whole.claim(name).and_then(Value::as_u64);
    let exp = claim("exp").unwrap_or(0);
    let begins = claim("iat").max(claim("nbf")).unwrap_or(0);
    if begins > now {
        let early = begins - now;
        let found = format!("Its iat or nbf is {early} s from now, by this server's clock.");
        return Diagnosis::named("client_assertion_from_the_future", found);
    }
    if exp <= now {
        let late = now - exp;
        let found = format!("It expired {late} s ago, by this server's clock.");
        return Diagnosis::named("client_assertion_expired", found);
    }
    let found = match claim("iat") {
        Some(iat) => format!("Its lifetime is {} s.", exp.saturating_sub(iat)),
        None => format!(
            "Its exp is {} s from now, by this server's clock, and it has no iat: it lives too long, or the client's clock is ahead.",
            exp - now
        ),
    };
    Diagnosis::named("client_assertion_lives_too_long", found)
}

/// Where a `client_id` should stand.
fn id(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => quoted(text),
        other => shown(other),
    }
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "missing".to_owned(),
        Some(Value::String(text)) => format!("'{}'", short(text)),
        Some(other) => short(&other.to_string()),
    }
}
