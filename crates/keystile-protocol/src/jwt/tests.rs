mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::scope::ScopeHierarchy;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://auth.example";
const RESOURCE: &str = "https://auth.example/kb/mcp";

struct Bench {
    key: SigningKey,
    keys: KeySet,
}

impl Bench {
    fn new() -> Self {
        let key = SigningKey::generate_es256().unwrap();
        let jwks = serde_json::to_vec(&sign::Jwks::new(vec![key.public_jwk().clone()])).unwrap();
        Self {
            keys: KeySet::from_jwks(&jwks).unwrap(),
            key,
        }
    }

    fn header(&self) -> Value {
        json!({"typ": "at+jwt", "alg": "ES256", "kid": self.key.kid()})
    }

    /// Signs whatever it is given, in whatever spelling.
    fn signed(&self, header: &str, claims: &str) -> String {
        let signed = format!(
            "{}.{}",
            encode(header.as_bytes()),
            encode(claims.as_bytes())
        );
        format!(
            "{signed}.{}",
            encode(&self.key.sign_bytes(signed.as_bytes()).unwrap())
        )
    }

    fn token(&self, claims: &Value) -> String {
        self.signed(&self.header().to_string(), &claims.to_string())
    }

    fn verify(&self, token: &str) -> Result<VerifiedClaims, Rejected> {
        let expected = Expectations {
            issuer: ISSUER,
            resource: RESOURCE,
            now: NOW,
            skew: 0,
        };
        UnverifiedJwt::parse(token)?.verify(&self.keys, &expected)
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "p1", "aud": RESOURCE, "client_id": "c1", "scope": "kb:call",
        "iat": NOW - 1, "exp": NOW + 599, "jti": "j1", "sid": "g1",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[test]
fn a_good_token_gives_its_claims() {
    let bench = Bench::new();
    let typed: AccessTokenClaims = serde_json::from_value(claims()).unwrap();
    let verified = bench.verify(&bench.key.sign(&typed).unwrap()).unwrap();
    assert_eq!(*verified, typed);
    let hierarchy = ScopeHierarchy::flat().with("kb:call", "kb:read").unwrap();
    assert!(verified.allows("kb:call", &hierarchy) && verified.allows("kb:read", &hierarchy));
    assert!(!verified.allows("kb:write", &hierarchy));
    assert!(!verified.allows("kb:cal", &hierarchy));
    assert_eq!(bench.verify(&bench.token(&claims())).unwrap(), verified);
}

#[test]
fn a_076_critical_extensions_are_refused() {
    let bench = Bench::new();
    for (name, value) in [
        ("crit", json!(["x"])),
        ("crit", json!([])),
        ("crit", json!(["exp"])),
        ("crit", json!(null)),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
    ] {
        let mut header = bench.header();
        header[name] = value;
        assert!(
            bench
                .verify(&bench.signed(&header.to_string(), &claims().to_string()))
                .is_err(),
            "{name}"
        );
    }
}

#[test]
fn a_077_each_claim_has_one_type() {
    let bench = Bench::new();
    let text = ["iss", "sub", "aud", "client_id", "scope", "jti", "sid"];
    let time = ["iat", "exp", "nbf"];
    for name in text.into_iter().chain(time) {
        let mut wrong = vec![
            json!(null),
            json!([]),
            json!({}),
            json!(true),
            json!(1.5),
            json!([claims()[name]]),
            json!(-1),
        ];
        if time.contains(&name) {
            wrong.extend([
                json!("1800000000"),
                json!(""),
                json!(1e19),
                json!(1_800_000_000.0),
            ]);
        } else {
            wrong.push(json!(1));
        }
        for value in wrong {
            let refused = bench.verify(&bench.token(&with(name, value.clone())));
            assert!(refused.is_err(), "{name}: {value}");
        }
        let mut without = claims();
        without.as_object_mut().unwrap().remove(name);
        let required = !["scope", "nbf", "sid"].contains(&name);
        assert_eq!(
            bench.verify(&bench.token(&without)).is_err(),
            required,
            "{name} absent"
        );
    }
    let huge = claims()
        .to_string()
        .replace(&(NOW + 599).to_string(), "1e999");
    assert!(
        bench
            .verify(&bench.signed(&bench.header().to_string(), &huge))
            .is_err()
    );
}

#[test]
fn a_078_only_a_token_that_is_good_in_every_way_is_good() {
    let (bench, attacker) = (Bench::new(), Bench::new());
    for broken in 0_u8..32 {
        let is = |bit: u8| broken & 1 << bit != 0;
        let mut claims = claims();
        if is(0) {
            claims["exp"] = json!(NOW);
        }
        if is(1) {
            claims["nbf"] = json!(NOW + 1);
        }
        if is(2) {
            claims["aud"] = json!("https://auth.example/other/mcp");
        }
        if is(3) {
            claims["iss"] = json!("https://evil.example");
        }
        let signer = if is(4) { &attacker } else { &bench };
        let token = signer.signed(&bench.header().to_string(), &claims.to_string());
        let verdict = bench.verify(&token);
        assert_eq!(verdict.is_ok(), broken == 0, "{broken:05b}");
        if is(4) {
            assert_eq!(
                verdict.unwrap_err(),
                Rejected::Signature,
                "nothing else is looked at"
            );
        }
    }
}

#[test]
fn a_079_a_token_has_a_size_and_three_parts() {
    let bench = Bench::new();
    for token in [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        "a.b.c.d.e",
        &".".repeat(8000),
        &".".repeat(9000),
    ] {
        assert!(bench.verify(token).is_err());
    }
    let long = bench.token(&with("jti", json!("j".repeat(7000))));
    assert!(long.len() > MAX_TOKEN);
    assert_eq!(bench.verify(&long).unwrap_err(), Rejected::TooLong);
}

#[test]
fn a_080_a_member_stands_there_once_and_in_one_spelling() {
    let bench = Bench::new();
    let (header, body) = (bench.header().to_string(), claims().to_string());
    let add = |json: &str, member: &str| format!("{{{member},{}", &json[1..]);
    for member in [
        r#""alg":"ES256""#,
        r#""\u0061lg":"ES256""#,
        r#""Alg":"none""#,
        r#""KID":"x""#,
        r#""x":1,"x":1"#,
        "\"\u{212a}id\":\"x\"",
        r#""Crit":["x"]"#,
    ] {
        assert!(
            bench
                .verify(&bench.signed(&add(&header, member), &body))
                .is_err(),
            "{member}"
        );
    }
    for member in [
        r#""aud":"x""#,
        r#""e\u0078p":1"#,
        r#""Exp":1"#,
        r#""EXP":9999999999"#,
        r#""x":1,"\u0078":1"#,
        r#""x":{"y":1,"y":2}"#,
        "\"i\u{17f}s\":\"x\"",
        "\"\u{17f}ub\":\"x\"",
    ] {
        assert!(
            bench
                .verify(&bench.signed(&header, &add(&body, member)))
                .is_err(),
            "{member}"
        );
    }
    assert!(
        bench
            .verify(&bench.signed(&header, &add(&body, r#""x":1"#)))
            .is_ok()
    );
}

#[test]
fn a_029_a_token_opens_one_resource() {
    let bench = Bench::new();
    for aud in [
        "https://auth.example/other/mcp",
        "https://auth.example/kb/mcp/",
        "https://auth.example/kb",
        "https://auth.example",
        "HTTPS://auth.example/kb/mcp",
        "https://auth.example/kb/mcp?x",
        "",
    ] {
        assert_eq!(
            bench
                .verify(&bench.token(&with("aud", json!(aud))))
                .unwrap_err(),
            Rejected::Audience
        );
    }
    for typ in ["JWT", "id+jwt", "", "at", "dpop+jwt", "logout+jwt"] {
        let mut header = bench.header();
        header["typ"] = json!(typ);
        let token = bench.signed(&header.to_string(), &claims().to_string());
        assert!(
            bench.verify(&token).is_err(),
            "an ID token is no access token: {typ}"
        );
    }
    let mut header = bench.header();
    header["typ"] = json!("application/AT+jwt");
    assert!(
        bench
            .verify(&bench.signed(&header.to_string(), &claims().to_string()))
            .is_ok()
    );
}

#[test]
fn a_token_for_one_of_several_resources_is_found_by_one_look_at_its_signature() {
    let bench = Bench::new();
    let expecting = |resources: &[&'static str]| {
        let expect = |resource| Expectations {
            issuer: ISSUER,
            resource,
            now: NOW,
            skew: 0,
        };
        resources.iter().copied().map(expect).collect::<Vec<_>>()
    };
    let token = bench.token(&claims());
    let of = |token: &str, resources: &[&'static str]| {
        let unverified = UnverifiedJwt::parse(token).unwrap();
        unverified.verify_for_any(&bench.keys, expecting(resources).into_iter())
    };
    let other = "https://auth.example/other/mcp";
    assert_eq!(of(&token, &[other, RESOURCE]).unwrap().aud, RESOURCE);
    assert_eq!(of(&token, &[other]), None);
    assert_eq!(of(&token, &[]), None);
    let forged = bench.token(&with("sub", json!("p2")));
    let (_, signature) = token.rsplit_once('.').unwrap();
    let (signed, _) = forged.rsplit_once('.').unwrap();
    assert_eq!(of(&format!("{signed}.{signature}"), &[RESOURCE]), None);
}

#[test]
fn times_have_no_leeway_and_a_lifetime_has_an_end() {
    let bench = Bench::new();
    for (iat, exp, good) in [
        (NOW, NOW + 1, true),
        (NOW - 10, NOW, false),
        (NOW + 1, NOW + 2, false),
        (NOW, NOW, false),
        (NOW, NOW + 3600, true),
        (NOW, NOW + 3601, false),
        (NOW - 3599, NOW + 1, true),
        (NOW, 1, false),
    ] {
        let mut claims = claims();
        claims["iat"] = json!(iat);
        claims["exp"] = json!(exp);
        assert_eq!(
            bench.verify(&bench.token(&claims)).is_ok(),
            good,
            "{iat} {exp}"
        );
    }
}
