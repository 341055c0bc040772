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
fn a_key_survives_its_pkcs8_form() {
    let key = SigningKey::generate_es256().unwrap();
    let again = SigningKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
    assert_eq!(again.public_jwk(), key.public_jwk());
    assert_eq!(key.kid().len(), 43);
    assert!(SigningKey::from_pkcs8(b"nonsense").is_err());
}

#[test]
fn a_071_unsigned_tokens_are_refused() {
    let bench = Bench::new();
    let good = bench.token(&claims());
    let (_, rest) = good.split_once('.').unwrap();
    let (body, signature) = rest.rsplit_once('.').unwrap();
    for alg in [
        "none", "NONE", "nOnE", "None", "", "ES256K", "es256", "HS256", "ES384", "PS256", "RS256",
    ] {
        let mut header = bench.header();
        header["alg"] = json!(alg);
        let header = encode(header.to_string().as_bytes());
        for signature in [signature, "", "AA"] {
            assert!(
                bench
                    .verify(&format!("{header}.{body}.{signature}"))
                    .is_err(),
                "{alg}"
            );
        }
    }
    let header = encode(bench.header().to_string().as_bytes());
    for signature in [
        String::new(),
        "AA".into(),
        encode(&[0; 64]),
        encode(&[0xff; 64]),
    ] {
        assert!(
            bench
                .verify(&format!("{header}.{body}.{signature}"))
                .is_err()
        );
    }
    assert!(bench.verify(&format!("{header}.{body}")).is_err());
}

#[test]
fn a_072_a_public_key_is_no_shared_secret() {
    let bench = Bench::new();
    let signed = format!(
        "{}.{}",
        encode(br#"{"typ":"at+jwt","alg":"HS256"}"#),
        encode(claims().to_string().as_bytes())
    );
    let jwk = serde_json::to_vec(bench.key.public_jwk()).unwrap();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &jwk);
    let tag = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
    assert!(
        bench
            .verify(&format!("{signed}.{}", encode(tag.as_ref())))
            .is_err()
    );
    // A key of another family under the wanted kid is not used either.
    let ed = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
    let public = aws_lc_rs::signature::KeyPair::public_key(&ed);
    let mut keys = KeySet::new();
    keys.insert(
        bench.key.kid(),
        VerificationKey::ed25519(public.as_ref()).unwrap(),
    )
    .unwrap();
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": bench.key.kid()}).to_string();
    let signed = format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(claims().to_string().as_bytes())
    );
    let token = format!("{signed}.{}", encode(ed.sign(signed.as_bytes()).as_ref()));
    let expected = Expectations {
        issuer: ISSUER,
        resource: RESOURCE,
        now: NOW,
        skew: 0,
    };
    assert!(
        UnverifiedJwt::parse(&token)
            .unwrap()
            .verify(&keys, &expected)
            .is_err()
    );
}

#[test]
fn a_073_a_key_in_the_header_is_not_believed() {
    let (bench, attacker) = (Bench::new(), Bench::new());
    let jwk = serde_json::to_value(attacker.key.public_jwk()).unwrap();
    for (name, value) in [
        ("jwk", jwk),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("x")),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/x")),
    ] {
        let mut header = bench.header();
        header[name] = value;
        assert!(
            bench
                .verify(&attacker.signed(&header.to_string(), &claims().to_string()))
                .is_err(),
            "{name}"
        );
    }
}

#[test]
fn a_075_a_kid_is_only_a_name() {
    let bench = Bench::new();
    for kid in [
        json!("../../dev/null"),
        json!("' OR 1=1"),
        json!("k".repeat(129)),
        json!("\0"),
        json!("\u{202e}"),
        json!(1),
        json!(["a"]),
        json!(null),
        json!({}),
        json!(""),
    ] {
        let mut header = bench.header();
        header["kid"] = kid.clone();
        assert!(
            bench
                .verify(&bench.signed(&header.to_string(), &claims().to_string()))
                .is_err(),
            "{kid}"
        );
    }
    let mut keys = KeySet::new();
    let long = "k".repeat(129);
    keys.insert(&long, bench.key.verification_key()).unwrap();
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": long}).to_string();
    assert!(
        UnverifiedJwt::parse(&bench.signed(&header, "{}")).is_err(),
        "even if such a key existed"
    );
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
fn a_081_edge_signatures_and_weak_keys_are_refused() {
    let bench = Bench::new();
    let good = bench.token(&claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let with_r = |r: [u8; 32]| [&r[..], &signature[32..]].concat();
    let with_s = |s: [u8; 32]| [&signature[..32], &s[..]].concat();
    for bad in [
        with_r([0; 32]),
        with_s([0; 32]),
        with_r(order),
        with_s(order),
        signature[..63].to_vec(),
        [&signature[..], &[0]].concat(),
        vec![0; 64],
    ] {
        assert!(bench.verify(&format!("{signed}.{}", encode(&bad))).is_err());
    }
    // The last character of 64 bytes in base64url has unused bits: only one spelling is taken.
    assert!(bench.verify(&format!("{good}=")).is_err());
    let modulus = |bytes: usize| vec![0xff; bytes];
    for (n, e) in [
        (modulus(255), vec![1, 0, 1]),
        (modulus(128), vec![1, 0, 1]),
        (modulus(256), vec![1]),
        (modulus(256), vec![2]),
        (modulus(256), vec![]),
        (modulus(1025), vec![1, 0, 1]),
    ] {
        assert_eq!(
            VerificationKey::rs256(&n, &e).unwrap_err(),
            KeySetError::Unusable
        );
    }
    assert!(
        VerificationKey::es256(&[4; 65]).is_err(),
        "no point of the curve"
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

#[test]
fn a_key_set_with_private_or_doubled_keys_is_refused() {
    let jwk = serde_json::to_value(Bench::new().key.public_jwk()).unwrap();
    let set = |keys: Vec<Value>| KeySet::from_jwks(json!({"keys": keys}).to_string().as_bytes());
    let mut private = jwk.clone();
    private["d"] = json!("AA");
    assert_eq!(set(vec![private]).unwrap_err(), KeySetError::Private);
    assert_eq!(
        set(vec![jwk.clone(), jwk.clone()]).unwrap_err(),
        KeySetError::DuplicateKid
    );
    assert_eq!(set(vec![]).unwrap_err(), KeySetError::Count);
    let mut other = jwk.clone();
    other["use"] = json!("enc");
    assert_eq!(set(vec![other]).unwrap_err(), KeySetError::Count);
    assert!(set(vec![json!({"kty": "oct"}), jwk]).is_ok());
    assert_eq!(
        KeySet::from_jwks(br#"{"keys":[],"keys":[]}"#).unwrap_err(),
        KeySetError::Malformed
    );
}

/// RFC 8037 appendix A.4, with the key of A.1: the signature alone.
#[test]
fn verifies_the_example_of_rfc8037_appendix_a_4() {
    let x = URL_SAFE_NO_PAD
        .decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
        .unwrap();
    let key = VerificationKey::ed25519(&x).unwrap();
    let signature = URL_SAFE_NO_PAD
        .decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
        .unwrap();
    assert!(key.verify(
        b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        &signature
    ));
}
