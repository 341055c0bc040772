//! `private_key_jwt` at the token endpoint (RFC 7523 §3).

mod told;

use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::ports::Clock as _;
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_testkit::assertion::ClientKey;
use keystile_testkit::issuer::TestApp;
use serde_json::{Value, json};

use crate::knocking::{JWT_BEARER, Knocker, record};
use crate::{changed, get, json as body, post_form, refused};

const ISSUER: &str = "http://localhost:7717";

struct Bench {
    test: TestApp,
    key: ClientKey,
}

impl Bench {
    async fn new() -> Self {
        let test = TestApp::new();
        let key = ClientKey::es256("1");
        let mut record = record(&test, "job", TokenEndpointAuthMethod::PrivateKeyJwt);
        record.jwks = Some(key.jwks());
        test.add(record, None).await;
        Self { test, key }
    }

    fn claims(&self, jti: &str) -> Value {
        let now = self.test.clock.now().seconds();
        json!({"iss": "job", "sub": "job", "aud": ISSUER, "jti": jti, "iat": now, "exp": now + 60})
    }

    async fn show(&self, assertion: &str) -> (u16, String) {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", assertion),
        ];
        let reply = post_form(&self.test, "/oauth/token", changed(&form, &[])).await;
        if reply.status == 200 {
            return (200, String::new());
        }
        // One sentence for everything that may be wrong (A-078).
        let (status, code) = refused(&reply);
        if code == "invalid_client" {
            let said = body(&reply)["error_description"].to_string();
            assert!(
                said.contains("The client's assertion is not good here"),
                "{said}"
            );
        }
        (status, code)
    }

    /// What the operator is told about an assertion; the client hears the same about each.
    async fn told(&self, assertion: &str) -> Diagnosis {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", assertion),
        ];
        let reply = post_form(&self.test, "/oauth/token", changed(&form, &[])).await;
        assert_eq!(refused(&reply), denied(), "{}", reply.body);
        crate::told(&self.test, &reply)
    }

    async fn with(&self, jti: &str, member: &str, value: Value) -> (u16, String) {
        let mut claims = self.claims(jti);
        claims[member] = value;
        self.show(&self.key.sign(&self.key.header(), &claims)).await
    }
}

fn fine() -> (u16, String) {
    (200, String::new())
}

fn denied() -> (u16, String) {
    (401, "invalid_client".to_owned())
}

#[tokio::test]
async fn n_cc_05_an_assertion_is_its_own_for_us_timely_and_good_once() {
    let bench = Bench::new().await;
    let good = bench.key.sign(&bench.key.header(), &bench.claims("1"));
    assert_eq!(bench.show(&good).await, fine());
    assert_eq!(bench.show(&good).await, denied(), "its jti was shown");
    let now = bench.test.clock.now().seconds();
    for (member, value) in [
        ("iss", json!("other")),
        ("iss", json!(ISSUER)),
        ("exp", json!(now)),
        ("exp", json!(now + 601)),
        ("iat", json!(now + 61)),
        ("nbf", json!(now + 61)),
        ("jti", json!("")),
        ("jti", json!("x".repeat(257))),
        ("jti", json!(7)),
        ("jti", Value::Null),
    ] {
        assert_eq!(
            bench.with("2", member, value.clone()).await,
            denied(),
            "{member} {value}"
        );
    }
    // Nothing of that took the jti.
    assert_eq!(bench.with("2", "exp", json!(now + 600)).await, fine());
}

#[tokio::test]
async fn a_085_only_our_issuer_alone_is_the_audience() {
    let bench = Bench::new().await;
    for aud in [
        json!("https://other.example"),
        json!("http://localhost:7717/"),
        json!("http://localhost:7717/oauth/token"),
        json!([ISSUER]),
        json!([ISSUER, "https://other.example"]),
        json!(""),
        Value::Null,
    ] {
        assert_eq!(bench.with("a", "aud", aud.clone()).await, denied(), "{aud}");
    }
    assert_eq!(bench.with("a", "aud", json!(ISSUER)).await, fine());
}

#[tokio::test]
async fn a_030_an_assertion_says_in_whole_seconds_when_it_ends() {
    let bench = Bench::new().await;
    let now = bench.test.clock.now().seconds();
    for member in ["exp", "iat", "nbf"] {
        for value in [
            Value::Null,
            json!((now + 30).to_string()),
            json!(now as f64 + 30.5),
            json!(-1),
            json!(1e300),
            json!(u64::MAX),
            json!([now + 30]),
            json!(true),
        ] {
            let said = bench.with("t", member, value.clone()).await;
            assert_eq!(said, denied(), "{member} {value}");
        }
    }
    let mut claims = bench.claims("t");
    claims.as_object_mut().expect("an object").remove("exp");
    assert_eq!(
        bench
            .show(&bench.key.sign(&bench.key.header(), &claims))
            .await,
        denied()
    );
    assert_eq!(bench.with("t", "exp", json!(now + 30)).await, fine());
}

#[tokio::test]
async fn a_074_no_key_is_taken_from_the_assertion_itself() {
    let bench = Bench::new().await;
    let thief = ClientKey::es256("1");
    for (member, value) in [
        ("jwk", thief.jwk()),
        ("jku", json!("http://127.0.0.1:1/jwks")),
        ("x5u", json!("http://127.0.0.1:1/x5u")),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = thief.header();
        header[member] = value;
        assert_eq!(
            bench.show(&thief.sign(&header, &bench.claims("k"))).await,
            denied(),
            "{member}"
        );
    }
    // An unknown header of a good one does no harm, and is not looked at.
    let mut header = bench.key.header();
    header["jku"] = json!("http://127.0.0.1:1/jwks");
    assert_eq!(
        bench
            .show(&bench.key.sign(&header, &bench.claims("k")))
            .await,
        fine()
    );
}

#[tokio::test]
async fn a_075_the_kid_of_an_assertion_is_only_a_name() {
    let bench = Bench::new().await;
    for kid in [
        json!("../../dev/null"),
        json!("' OR 1=1"),
        json!("1".repeat(64 * 1024 / 2)),
        json!("1".repeat(129)),
        json!("1\u{0}"),
        json!("\u{202e}1"),
        json!(1),
        json!(["1"]),
        Value::Null,
    ] {
        let mut header = bench.key.header();
        header["kid"] = kid;
        assert_eq!(
            bench
                .show(&bench.key.sign(&header, &bench.claims("k")))
                .await,
            denied()
        );
    }
    let long = ClientKey::es256(&"1".repeat(129));
    let mut record = record(&bench.test, "long", TokenEndpointAuthMethod::PrivateKeyJwt);
    record.jwks = Some(long.jwks());
    bench.test.add(record, None).await;
    let now = bench.test.clock.now().seconds();
    assert_eq!(
        bench.show(&long.assertion("long", ISSUER, now, "1")).await,
        denied()
    );
}

#[tokio::test]
async fn n_cc_02_each_listed_method_and_algorithm_works_and_no_other() {
    let test = TestApp::new();
    let metadata = body(&get(&test, "/.well-known/oauth-authorization-server").await);
    let keys = [
        ClientKey::es256("e"),
        ClientKey::eddsa("d"),
        ClientKey::rs256("r"),
    ];
    let listed: Vec<&str> = metadata["token_endpoint_auth_signing_alg_values_supported"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(listed, keys.each_ref().map(ClientKey::algorithm));
    for key in keys {
        let algorithm = key.algorithm();
        let unlisted = ["none", "HS256", "ES384", "PS256", "RS512", "es256", ""];
        let client = Knocker::with_key(&test, &format!("job-{algorithm}"), key).await;
        assert_eq!(client.own_token(&test).await.status, 200, "{algorithm}");
        let Knocker::Key(id, key) = &client else {
            unreachable!("it has a key")
        };
        for other in unlisted {
            let mut header = key.header();
            header["alg"] = other.into();
            let now = test.clock.now().seconds();
            let claims = json!({
                "iss": id, "sub": id, "aud": ISSUER, "jti": other, "iat": now, "exp": now + 60,
            });
            let form = [
                ("grant_type", "client_credentials"),
                ("client_assertion_type", JWT_BEARER),
                ("client_assertion", &key.sign(&header, &claims)),
                ("client_id", id),
            ];
            let reply = post_form(&test, "/oauth/token", changed(&form, &[])).await;
            assert_eq!(refused(&reply), denied(), "{algorithm} as {other}");
        }
    }
    let methods = metadata["token_endpoint_auth_methods_supported"]
        .as_array()
        .expect("a list");
    assert_eq!(
        methods.len(),
        4,
        "none, and the three of n_cc_01: {methods:?}"
    );
    let grants = &metadata["grant_types_supported"];
    for grant in grants.as_array().expect("a list") {
        let form = format!(
            "client_id=nobody&grant_type={}",
            grant.as_str().expect("a word")
        );
        let reply = post_form(&test, "/oauth/token", form).await;
        assert_ne!(refused(&reply).1, "unsupported_grant_type", "{grant}");
    }
}

#[tokio::test]
async fn a_078_only_an_assertion_that_is_good_in_every_way_is_good() {
    let bench = Bench::new().await;
    let other = ClientKey::es256("1");
    let now = bench.test.clock.now().seconds();
    for broken in 0..32_u32 {
        let is = |bit: u32| broken & (1 << bit) != 0;
        let mut claims = bench.claims(&broken.to_string());
        if is(1) {
            claims["exp"] = json!(now - 1);
            claims["iat"] = json!(now - 60);
        }
        if is(2) {
            claims["nbf"] = json!(now + 3600);
        }
        if is(3) {
            claims["aud"] = json!("https://other.example");
        }
        if is(4) {
            claims["iss"] = json!("other");
        }
        let key = if is(0) { &other } else { &bench.key };
        let said = bench.show(&key.sign(&key.header(), &claims)).await;
        assert_eq!(
            said,
            if broken == 0 { fine() } else { denied() },
            "{broken:b}"
        );
    }
}
