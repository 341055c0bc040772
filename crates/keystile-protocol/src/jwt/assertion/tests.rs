use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::{SigningKey, sign};
use super::*;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://auth.example";

fn judge(header: &Value, claims: &Value) -> Result<String, Rejected> {
    let key = SigningKey::generate_es256().unwrap();
    let jwks = serde_json::to_vec(&sign::Jwks::new(vec![key.public_jwk().clone()])).unwrap();
    let keys = KeySet::from_jwks(&jwks).unwrap();
    let text = |value: &Value| {
        use base64::Engine as _;
        URL_SAFE_NO_PAD.encode(value.to_string())
    };
    let mut header = header.clone();
    header["kid"] = key.kid().into();
    let signed = format!("{}.{}", text(&header), text(claims));
    let signature = key.sign_bytes(signed.as_bytes()).unwrap();
    let signature = {
        use base64::Engine as _;
        URL_SAFE_NO_PAD.encode(signature)
    };
    let assertion = format!("{signed}.{signature}");
    let expected = AssertionExpectations {
        client_id: "job",
        issuer: ISSUER,
        now: NOW,
    };
    let verified = UnverifiedAssertion::parse(&assertion)?.verify(&keys, &expected)?;
    Ok(verified.jti.clone())
}

fn claims() -> Value {
    json!({"iss": "job", "sub": "job", "aud": ISSUER, "exp": NOW + 60, "jti": "1"})
}

#[test]
fn what_a_client_signed_for_us_is_believed() {
    for header in [
        json!({"alg": "ES256"}),
        json!({"alg": "ES256", "typ": "JWT"}),
        json!({"alg": "ES256", "typ": "client-authentication+jwt"}),
    ] {
        assert_eq!(judge(&header, &claims()), Ok("1".to_owned()), "{header}");
    }
}

#[test]
fn no_other_kind_of_jwt_is_an_assertion() {
    for header in [
        json!({"alg": "ES256", "typ": "at+jwt"}),
        json!({"alg": "ES256", "typ": "dpop+jwt"}),
        json!({"alg": "ES256", "typ": null}),
        json!({"alg": "none"}),
        json!({"alg": "HS256"}),
        json!({"alg": "ES256", "crit": ["exp"]}),
        json!({"alg": "ES256", "b64": false}),
    ] {
        assert_eq!(judge(&header, &claims()), Err(Rejected::Header), "{header}");
    }
}

#[test]
fn its_life_is_ten_minutes_at_most() {
    let with = |more: Value| {
        let mut claims = claims();
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        judge(&json!({"alg": "ES256"}), &claims).map(drop)
    };
    assert_eq!(with(json!({"exp": NOW + 600})), Ok(()));
    assert_eq!(with(json!({"exp": NOW + 1, "iat": NOW - 599})), Ok(()));
    assert_eq!(with(json!({"iat": NOW + 60, "exp": NOW + 660})), Ok(()));
    for late in [
        json!({"exp": NOW}),
        json!({"exp": NOW + 661}),
        json!({"exp": NOW + 1, "iat": NOW - 600}),
        json!({"iat": NOW + 61, "exp": NOW + 120}),
        json!({"nbf": NOW + 61}),
        json!({"exp": NOW + 10, "iat": NOW + 20}),
    ] {
        assert_eq!(with(late.clone()), Err(Rejected::Time), "{late}");
    }
}
