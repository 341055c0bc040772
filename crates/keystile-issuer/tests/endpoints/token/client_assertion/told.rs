//! What only the operator hears of an assertion.

use super::*;

#[tokio::test]
async fn a_055_keys_inside_the_network_are_never_asked_for() {
    use keystile_fetch::{ClientKeys, FetchOptions, Fetcher};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback");
    let port = listener.local_addr().expect("an address").port();
    let test = TestApp::new().with(|app| {
        let fetcher = Fetcher::new(FetchOptions::default()).expect("a fetcher");
        app.client_keys = ClientKeys::fetching(fetcher);
    });
    let key = ClientKey::es256("1");
    let inside = [
        format!("https://127.0.0.1:{port}/jwks"),
        format!("https://localhost:{port}/jwks"),
        format!("https://[::1]:{port}/jwks"),
        format!("https://[::ffff:127.0.0.1]:{port}/jwks"),
        format!("https://0.0.0.0:{port}/jwks"),
        format!("https://2130706433:{port}/jwks"),
        "https://169.254.169.254/jwks".to_owned(),
        "https://10.0.0.1/jwks".to_owned(),
        "https://192.168.0.1/jwks".to_owned(),
        "https://[fd00::1]/jwks".to_owned(),
        format!("http://127.0.0.1:{port}/jwks"),
    ];
    for (n, uri) in inside.iter().enumerate() {
        let id = format!("job{n}");
        let mut record = record(&test, &id, TokenEndpointAuthMethod::PrivateKeyJwt);
        record.jwks_uri = Some(uri.clone());
        test.add(record, None).await;
        let now = test.clock.now().seconds();
        let assertion = key.assertion(&id, ISSUER, now, "1");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", &assertion),
        ];
        let reply = post_form(&test, "/oauth/token", changed(&form, &[])).await;
        assert_eq!(refused(&reply), denied(), "{uri}");
        assert!(!reply.body.contains("127.0.0.1"), "{}", reply.body);
        // The operator hears where, why and what to do (the last is no https at all).
        let told = crate::told(&test, &reply);
        let host = url::Url::parse(uri).expect("a URL");
        let host = host.host_str().expect("a host");
        assert!(told.found.contains(host), "{told}");
        if uri.starts_with("https") {
            assert_eq!(told.reason, "client_keys_address_not_public", "{uri}");
            let host = keystile_domain::shown::word(host);
            let flag = format!("--danger-fetch-allow {host}");
            assert!(told.fix.ends_with(&flag), "{told}");
        } else {
            assert_eq!(told.reason, "client_keys_unavailable", "{uri}");
        }
    }
    let connected = std::future::poll_fn(|context| {
        std::task::Poll::Ready(listener.poll_accept(context).is_ready())
    });
    assert!(!connected.await, "a packet reached the inside");
}

#[tokio::test]
async fn the_operator_is_told_what_is_wrong_with_an_assertion() {
    let bench = Bench::new().await;
    let now = bench.test.clock.now().seconds();
    let sign = |member: &str, value: Value| {
        let mut claims = bench.claims("1");
        claims[member] = value;
        bench.key.sign(&bench.key.header(), &claims)
    };
    let headed = |key: &ClientKey, member: &str, value: Value| {
        let mut header = key.header();
        header[member] = value;
        key.sign(&header, &bench.claims("1"))
    };
    let thief = ClientKey::es256("1");
    let late = json!({
        "iss": "job", "sub": "job", "aud": ISSUER, "jti": "1", "iat": now - 100, "exp": now - 40,
    });
    let cases = [
        ("nonsense".to_owned(), "unreadable", "no token of this form"),
        ("a.b.c".replace('b', "!"), "unreadable", ""),
        (
            headed(&bench.key, "alg", json!("HS256")),
            "header",
            "alg 'HS256'",
        ),
        (
            headed(&bench.key, "kid", json!("x\u{1b}2")),
            "unknown_key",
            "kid 'x?2'",
        ),
        (headed(&thief, "kid", json!("1")), "signature", "key '1'"),
        (
            bench.key.sign(&bench.key.header(), &late),
            "expired",
            "40 s ago",
        ),
        (
            sign("iat", json!(now + 90)),
            "from_the_future",
            "90 s from now",
        ),
        (sign("exp", json!(now + 700)), "lives_too_long", "700 s"),
        // Nobody is called what it says; but first it says two things.
        (
            sign("sub", json!("nobody-at-all")),
            "subject",
            "iss is '…' (3 characters) and sub is 'nob…' (13 characters)",
        ),
        (sign("aud", json!([ISSUER])), "audience", "A list came"),
        (
            sign("aud", json!("https://other.example")),
            "audience",
            "'https://other.example'",
        ),
        (
            sign("aud", json!(format!("{ISSUER}/oauth/token"))),
            "audience",
            "An endpoint came",
        ),
        (
            sign("iss", json!("other")),
            "subject",
            "iss is 'o…' (5 characters)",
        ),
        (sign("exp", json!("soon")), "claims", "exp"),
        (sign("jti", json!("")), "claims", "jti"),
    ];
    for (assertion, reason, found) in cases {
        let told = bench.told(&assertion).await;
        assert_eq!(told.reason, format!("client_assertion_{reason}"), "{told}");
        assert!(
            found.is_empty() || told.found.to_lowercase().contains(&found.to_lowercase()),
            "{told}"
        );
        assert!(!told.expected.is_empty() && !told.fix.is_empty(), "{told}");
        if reason == "audience" {
            assert!(
                told.expected.contains(&format!("'{ISSUER}'")),
                "{}",
                told.expected
            );
        }
    }
    let good = bench.key.sign(&bench.key.header(), &bench.claims("1"));
    assert_eq!(bench.show(&good).await, fine());
    assert_eq!(bench.told(&good).await.reason, "client_assertion_reused");
}

#[tokio::test]
async fn an_attempt_says_who_its_assertion_claims_to_be_whatever_is_wrong_with_it() {
    let bench = Bench::new().await;
    let secret = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let sign = |changes: &[(&str, Value)]| {
        let mut claims = bench.claims("1");
        for (member, value) in changes {
            claims[*member] = value.clone();
        }
        bench.key.sign(&bench.key.header(), &claims)
    };
    let job = "claims to be job (job)";
    for (changes, client) in [
        (vec![("aud", json!([ISSUER]))], job),
        (vec![("jti", Value::Null)], job),
        (vec![("exp", json!("soon"))], job),
        (
            vec![("iss", json!("https://idp.example/?key=x"))],
            "claims to be job (job) (sub) and 'https://idp.example/' (iss)",
        ),
        (
            vec![("sub", json!("some-other-job"))],
            "claims to be 'som…' (14 characters) (sub) and job (job) (iss)",
        ),
        (vec![("sub", json!(7)), ("aud", json!(7))], job),
        (
            vec![("iss", json!(secret)), ("sub", json!(secret))],
            "claims to be 'dBjf…' (43 characters)",
        ),
        (
            vec![
                ("iss", json!(secret)),
                ("sub", json!(secret)),
                ("aud", json!([])),
            ],
            "claims to be 'dBjf…' (43 characters)",
        ),
    ] {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", &sign(&changes)),
        ];
        let reply = post_form(&bench.test, "/oauth/token", changed(&form, &[])).await;
        let attempt = crate::attempt(&bench.test, &reply);
        assert_eq!(attempt.client.as_deref(), Some(client), "{changes:?}");
        assert!(!reply.body.contains("job"), "{}", reply.body);
        let kept = json!(attempt).to_string();
        assert!(!kept.contains("key=x") && !kept.contains(secret), "{kept}");
    }
    // Where the form names a client that is known, that is the app.
    let form = [
        ("client_id", "job"),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", &sign(&[("sub", json!("other"))])),
    ];
    let reply = post_form(&bench.test, "/oauth/token", changed(&form, &[])).await;
    let attempt = crate::attempt(&bench.test, &reply);
    assert_eq!(attempt.client.as_deref(), Some("job (job)"));
}
