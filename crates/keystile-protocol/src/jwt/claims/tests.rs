use serde_json::{Value, json};

use super::super::compact::read_strictly;
use super::*;

const NOW: u64 = 1_800_000_000;

/// Whether a token with these times, whose signature is good, is good. No claim: `None`.
fn good(iat: Option<&str>, exp: Option<&str>) -> bool {
    let mut text = r#"{"iss":"i","sub":"p","aud":"r","client_id":"c","jti":"j""#.to_owned();
    for (name, value) in [("iat", iat), ("exp", exp)] {
        if let Some(value) = value {
            text.push_str(&format!(r#","{name}":{value}"#));
        }
    }
    text.push('}');
    let expected = Expectations {
        issuer: "i",
        resource: "r",
        now: NOW,
        skew: 0,
    };
    let claims = read_strictly::<AccessTokenClaims>(text.as_bytes());
    claims.is_some_and(|claims| claims.verify(&expected).is_ok())
}

#[test]
fn a_030_a_token_without_a_sane_beginning_and_end_is_refused() {
    let (iat, exp) = (NOW.to_string(), (NOW + 600).to_string());
    let (iat, exp) = (Some(iat.as_str()), Some(exp.as_str()));
    assert!(good(iat, exp));
    let quoted = json!((NOW + 600).to_string()).to_string();
    let broken = [
        None,
        Some("null"),
        Some(quoted.as_str()),
        Some("\"\""),
        Some("1800000000.5"),
        Some("1.8e9"),
        Some("-1"),
        Some("-0"),
        Some("0"),
        Some("1e999"),
        Some("99999999999999999999999999"),
        Some("18446744073709551615"),
        Some("true"),
        Some("[1800000000]"),
        Some("{}"),
    ];
    for value in broken {
        assert!(!good(iat, value), "exp {value:?}");
        assert!(!good(value, exp), "iat {value:?}");
        assert!(!good(value, value), "both {value:?}");
    }
    let at = |moment: u64| Value::from(moment).to_string();
    for (iat, exp) in [
        (NOW, NOW + MAX_LIFETIME + 1),
        (NOW - 2 * MAX_LIFETIME, NOW + 1),
        (NOW + 1, NOW + 2),
        (NOW - 1, NOW),
        (NOW, NOW),
        (NOW, NOW - 1),
    ] {
        assert!(!good(Some(&at(iat)), Some(&at(exp))), "{iat} {exp}");
    }
}
