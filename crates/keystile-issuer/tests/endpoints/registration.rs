//! Who may register itself: the modes, initial access tokens, approvals, and what a registration
//! can't ask for.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use keystile_domain::decide::register::{RegistrationMode, RegistrationPolicy};
use keystile_domain::ids::InitialAccessTokenId;
use keystile_domain::ports::{Clock as _, Registrations as _};
use keystile_domain::records::NewInitialAccessToken;
use keystile_domain::secrets::code::FreshSecret;
use keystile_testkit::browser::Reply;
use keystile_testkit::issuer::TestApp;
use serde_json::{Value, json};

use crate::{authorize_url, get, json as read, own_page, post_json, refused, send};

const REGISTER: &str = "/oauth/register";
const STRANGER: &str = "https://app.example/cb";
const PLACE: &str = "https://app.example";
const LOOPBACK: &str = "http://127.0.0.1:1/cb";

fn in_mode(mode: RegistrationMode) -> TestApp {
    TestApp::new().with(|app| {
        app.settings.registration = Some(RegistrationPolicy {
            mode,
            ..RegistrationPolicy::default()
        });
    })
}

fn public(redirect: &str) -> Value {
    json!({ "client_name": "An app", "redirect_uris": [redirect], "token_endpoint_auth_method": "none" })
}

async fn token(test: &TestApp, uses: u32) -> (String, InitialAccessTokenId) {
    let (now, rng) = (test.clock.now(), &*test.app.rng);
    let fresh = FreshSecret::initial_access_token(rng);
    let id = InitialAccessTokenId::new(now, rng);
    let token = NewInitialAccessToken {
        id,
        digest: fresh.digest,
        note: None,
        created_at: now,
        expires_at: now.plus(Duration::from_secs(60)),
        uses,
    };
    assert!(test.store.add_token(token).await.expect("memory"));
    (fresh.text, id)
}

async fn with_token(test: &TestApp, token: &str, body: &Value) -> Reply {
    let request = Request::post(REGISTER)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::from(body.to_string()));
    send(test, request.expect("a legal request")).await
}

#[tokio::test]
async fn n_as_14_where_nobody_registers_there_is_no_endpoint() {
    let test = TestApp::new().with(|app| app.settings.registration = None);
    let metadata = read(&get(&test, "/.well-known/oauth-authorization-server").await);
    assert_eq!(metadata.get("registration_endpoint"), None);
    for path in [REGISTER, "/register"] {
        for reply in [
            post_json(&test, path, public(LOOPBACK)).await,
            post_json(&test, path, "not JSON").await,
            get(&test, path).await,
        ] {
            let why = (404, "invalid_client_metadata".to_owned());
            assert_eq!(refused(&reply), why);
            assert!(reply.body.contains("keystile client add"), "{}", reply.body);
        }
    }
}

#[tokio::test]
async fn with_initial_access_tokens_nobody_registers_without_one() {
    let test = in_mode(RegistrationMode::InitialAccessToken);
    let metadata = read(&get(&test, "/.well-known/oauth-authorization-server").await);
    assert!(metadata["registration_endpoint"].is_string());
    let reply = post_json(&test, REGISTER, public(LOOPBACK)).await;
    assert_eq!(refused(&reply), (401, "invalid_token".to_owned()));
    assert!(reply.header("www-authenticate").starts_with("Bearer "));
    assert!(
        reply
            .body
            .contains("keystile client initial-access-token add"),
        "{}",
        reply.body
    );
    for other in ["ksi_wrong", "eyJhbGciOiJub25lIn0.e30.", ""] {
        let reply = with_token(&test, other, &public(LOOPBACK)).await;
        assert_eq!(
            refused(&reply),
            (401, "invalid_token".to_owned()),
            "{other}"
        );
    }
    let (good, _) = token(&test, 1).await;
    let reply = with_token(&test, &good, &public(STRANGER)).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
}

#[tokio::test]
async fn a_063_a_strange_https_redirect_needs_a_token() {
    let test = TestApp::new();
    let reply = post_json(&test, REGISTER, public(STRANGER)).await;
    assert_eq!(refused(&reply), (400, "invalid_redirect_uri".to_owned()));
    assert!(
        reply
            .body
            .contains("keystile client redirect approve https://app.example"),
        "{}",
        reply.body
    );
    assert_eq!(test.app.asked_redirects.list(), [], "nobody keeps it");

    let (good, id) = token(&test, 1).await;
    let reply = with_token(&test, &good, &public(STRANGER)).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let client = read(&reply)["client_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let begun = get(
        &test,
        &authorize_url(&client, &[("redirect_uri", Some(STRANGER))]),
    )
    .await;
    assert_eq!(begun.status, 303);
    // Once more it is used up; both are on record, without the token.
    let reply = with_token(&test, &good, &public(STRANGER)).await;
    assert_eq!(refused(&reply), (401, "invalid_token".to_owned()));
    assert_eq!(
        test.audit.summary(),
        [
            "registration allow -",
            "registration deny initial_access_token_unusable"
        ]
    );
    let events = test.audit.events();
    assert_eq!(events[0]["name"], id.to_string());
    assert_eq!(events[0]["client"], client);
    assert!(!json!(events).to_string().contains(&good));
}

/// Guesses are limited; that they were is on record once, and not for each.
#[tokio::test]
async fn too_many_wrong_tokens_are_on_record_once_a_minute() {
    let test = TestApp::new();
    let wrong = "ksi_wrong";
    for _ in 0..30 {
        let reply = with_token(&test, wrong, &public(STRANGER)).await;
        assert!(
            [401, 429].contains(&reply.status.as_u16()),
            "{}",
            reply.body
        );
    }
    let unusable = vec!["registration deny initial_access_token_unusable"; 10];
    let limited = vec!["registration deny too_many_requests"];
    assert_eq!(test.audit.summary(), [unusable, limited].concat());
}

#[tokio::test]
async fn a_token_is_good_until_it_is_old_or_revoked_and_is_spent_by_nothing_else() {
    let test = TestApp::new();
    let (good, id) = token(&test, 1).await;
    // What is refused for another reason costs no use.
    for bad in ["http://evil.example/cb", "https://good@evil.example/cb"] {
        let reply = with_token(&test, &good, &public(bad)).await;
        assert_eq!(refused(&reply), (400, "invalid_redirect_uri".to_owned()));
    }
    let long = format!("https://app.example/{}", "x".repeat(1_100));
    let reply = with_token(&test, &good, &public(&long)).await;
    assert_eq!(refused(&reply), (400, "invalid_client_metadata".to_owned()));
    assert_eq!(test.store.tokens().await.expect("memory")[0].used, 0);
    let now = test.clock.now();
    test.store.revoke_token(id, now).await.expect("memory");
    let reply = with_token(&test, &good, &public(STRANGER)).await;
    assert_eq!(reply.status, 401);
    let (old, _) = token(&test, 1).await;
    test.clock.advance(Duration::from_secs(61));
    let reply = with_token(&test, &old, &public(STRANGER)).await;
    assert_eq!(reply.status, 401);
    // A full disk lets nobody in.
    let (fresh, _) = token(&test, 1).await;
    test.audit.fill_up();
    let reply = with_token(&test, &fresh, &public(STRANGER)).await;
    assert_eq!(refused(&reply), (500, "server_error".to_owned()));
}

#[tokio::test]
async fn a_bearer_token_of_another_kind_is_no_initial_access_token() {
    let test = TestApp::new();
    let reply = with_token(&test, "eyJhbGciOiJub25lIn0.e30.", &public(LOOPBACK)).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let reply = with_token(&test, "anything", &public(STRANGER)).await;
    assert_eq!(refused(&reply), (400, "invalid_redirect_uri".to_owned()));
}

#[tokio::test]
async fn wrong_tokens_are_limited_and_right_ones_are_not() {
    let test = TestApp::new();
    let (good, _) = token(&test, 100).await;
    for _ in 0..50 {
        let reply = with_token(&test, &good, &public(STRANGER)).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
    }
    let mut trail = 0;
    for _ in 0..30 {
        let reply = with_token(&test, "ksi_wrong", &public(STRANGER)).await;
        trail += u32::from(reply.status == 401);
    }
    assert_eq!(trail, 10, "the trail of strangers is bounded");
    let reply = with_token(&test, "ksi_wrong", &public(STRANGER)).await;
    assert_eq!(refused(&reply), (429, "temporarily_unavailable".to_owned()));
    assert_eq!(reply.header("retry-after"), "30");
}

#[tokio::test]
async fn a_063_an_approval_lets_one_place_in_for_as_long_as_it_stands() {
    let test = in_mode(RegistrationMode::Approval);
    let reply = post_json(&test, REGISTER, public(STRANGER)).await;
    assert_eq!(refused(&reply), (400, "invalid_redirect_uri".to_owned()));
    assert!(
        reply
            .body
            .contains("register again when they have run: keystile client redirect approve https://app.example"),
        "{}",
        reply.body
    );
    let asked = test.app.asked_redirects.list();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].place, PLACE);
    assert_eq!(asked[0].client_name.as_deref(), Some("An app"));

    let now = test.clock.now();
    test.store.approve_place(PLACE, now).await.expect("memory");
    let reply = post_json(&test, REGISTER, public(STRANGER)).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let client = read(&reply)["client_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let url = authorize_url(&client, &[("redirect_uri", Some(STRANGER))]);
    assert_eq!(get(&test, &url).await.status, 303);
    // A second place in the same registration is still a stranger.
    let both = json!({ "redirect_uris": [STRANGER, "https://evil.example/cb"], "token_endpoint_auth_method": "none" });
    let reply = post_json(&test, REGISTER, &both).await;
    assert_eq!(refused(&reply), (400, "invalid_redirect_uri".to_owned()));
    assert!(reply.body.contains("evil.example"), "{}", reply.body);

    assert!(test.store.remove_place(PLACE).await.expect("memory"));
    let reply = get(&test, &url).await;
    own_page(&reply, "no longer approved");
    assert!(
        reply.text().contains("keystile client redirect approve"),
        "{}",
        reply.text()
    );
    let reply = post_json(&test, REGISTER, public(STRANGER)).await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn a_012_no_other_origin_passes_for_an_approved_one() {
    let test = in_mode(RegistrationMode::Approval);
    let now = test.clock.now();
    let place = "https://example.com";
    test.store.approve_place(place, now).await.expect("memory");
    for other in [
        "https://badexample.com/cb",
        "https://example.com.evil/cb",
        "https://apps.example.com/cb",
        "https://example.com:444/cb",
        "https://example.com./cb",
        "https://example.co/cb",
        "example.com:/cb",
    ] {
        let reply = post_json(&test, REGISTER, public(other)).await;
        assert_eq!(
            refused(&reply),
            (400, "invalid_redirect_uri".to_owned()),
            "{other}"
        );
    }
    let reply = post_json(&test, REGISTER, public("https://example.com/cb")).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
}

/// RFC 7591 §2 and more: nothing that a client names beyond the schema does anything.
#[tokio::test]
async fn a_067_no_member_raises_what_a_registration_gets() {
    let test = TestApp::new();
    let plain = public(LOOPBACK);
    let (good, _) = token(&test, 100).await;
    let members = [
        ("client_id", json!("admin")),
        ("client_secret", json!("chosen")),
        ("client_id_issued_at", json!(0)),
        ("registration_access_token", json!("ksi_chosen")),
        ("registration_client_uri", json!("https://evil.example/")),
        (
            "grant_types",
            json!(["authorization_code", "client_credentials", "implicit"]),
        ),
        ("response_types", json!(["code", "token"])),
        ("scope", json!("admin knowledge-base:call openid")),
        ("default_acr_values", json!(["admin"])),
        ("initiate_login_uri", json!("https://evil.example/")),
        ("software_statement", json!("eyJhbGciOiJub25lIn0.e30.")),
        ("jwks", json!({ "keys": [] })),
        ("kind", json!("pre_registered")),
        ("trust", json!("operator")),
        ("v", json!("operator")),
        ("is_admin", json!(true)),
        ("attributes", json!({ "role": "admin" })),
        ("__proto__", json!({ "trust": "operator" })),
    ];
    let known = [
        "client_id",
        "client_name",
        "grant_types",
        "redirect_uris",
        "response_types",
        "scope",
        "token_endpoint_auth_method",
    ];
    let alone = read(&post_json(&test, REGISTER, &plain).await);
    for (name, value) in members {
        let mut body = plain.clone();
        body[name] = value;
        for reply in [
            post_json(&test, REGISTER, &body).await,
            with_token(&test, &good, &body).await,
        ] {
            if reply.status != 201 {
                // Some are refused as malformed; none is taken over.
                assert_eq!(reply.status, 400, "{name}: {}", reply.body);
                continue;
            }
            let answer = read(&reply);
            let names: Vec<&String> = answer.as_object().expect("an object").keys().collect();
            assert_eq!(names, known, "{name}");
            assert_eq!(answer["grant_types"], alone["grant_types"], "{name}");
            assert_eq!(answer["response_types"], alone["response_types"], "{name}");
            let scope = answer["scope"].as_str().expect("scopes");
            assert!(
                scope
                    .split(' ')
                    .all(|one| ["knowledge-base:call", "offline_access"].contains(&one)),
                "{name}: {scope}"
            );
            assert!(
                !answer["client_id"]
                    .as_str()
                    .expect("an id")
                    .contains("admin")
            );
        }
        let again = read(&post_json(&test, REGISTER, &plain).await);
        assert_eq!(again["client_id"], alone["client_id"], "{name}");
    }
    // There is no management API (RFC 7592).
    for method in ["GET", "PUT", "DELETE"] {
        let path = format!("{REGISTER}/{}", alone["client_id"].as_str().expect("an id"));
        let request = Request::builder().method(method).uri(path);
        let reply = send(&test, request.body(Body::empty()).expect("a request")).await;
        assert_eq!(reply.status, 404, "{method}");
    }
}

/// CHECKLIST A-070: which redirects a type may have, and whether the port may vary.
#[tokio::test]
async fn a_070_the_type_of_an_application_says_which_redirects_it_has() {
    let test = TestApp::new();
    let https = "https://claude.ai/api/mcp/auth_callback";
    let scheme = "cursor://anysphere.cursor-mcp/oauth/callback";
    let (loopback, moved) = ("http://127.0.0.1:4711/cb", "http://127.0.0.1:815/cb");
    // type, method, redirect, status, and whether another port will do
    let table = [
        (json!("web"), "none", loopback, 400, false),
        (json!("web"), "client_secret_basic", loopback, 400, false),
        (json!("web"), "none", scheme, 400, false),
        (json!("web"), "none", https, 201, false),
        (json!("native"), "none", loopback, 201, true),
        (json!("native"), "client_secret_post", loopback, 201, true),
        (json!("native"), "none", scheme, 201, false),
        // RFC 8252 §7.2: a claimed https redirect, compared exactly.
        (json!("native"), "none", https, 201, false),
        (Value::Null, "none", loopback, 201, true),
        (Value::Null, "client_secret_basic", loopback, 201, false),
        (Value::Null, "none", https, 201, false),
        (json!("desktop"), "none", loopback, 400, false),
        (json!(["native"]), "none", loopback, 400, false),
    ];
    for (kind, method, redirect, status, varies) in table {
        let body = json!({ "application_type": kind, "token_endpoint_auth_method": method, "redirect_uris": [redirect] });
        let context = body.to_string();
        let reply = post_json(&test, REGISTER, &body).await;
        assert_eq!(reply.status, status, "{context}: {}", reply.body);
        if status != 201 {
            continue;
        }
        let client = read(&reply)["client_id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let begin = async |to| {
            get(
                &test,
                &authorize_url(&client, &[("redirect_uri", Some(to))]),
            )
            .await
        };
        assert_eq!(begin(redirect).await.status, 303, "{context}");
        let elsewhere = begin(moved).await.status == 303;
        assert_eq!(elsewhere, varies, "{context}");
    }
}

#[tokio::test]
async fn a_064_every_registration_has_a_secret_of_its_own() {
    let test = TestApp::new();
    let body = json!({ "redirect_uris": [LOOPBACK] });
    let mut seen = std::collections::HashSet::new();
    for _ in 0..100 {
        let answer = read(&post_json(&test, REGISTER, &body).await);
        let secret = answer["client_secret"].as_str().expect("a secret");
        let id = answer["client_id"].as_str().expect("an id");
        assert!(seen.insert(secret.to_owned()), "a secret twice");
        assert!(seen.insert(id.to_owned()), "an id twice");
    }
    // A public one gets none that it could share.
    let public = read(&post_json(&test, REGISTER, public(LOOPBACK)).await);
    assert_eq!(public.get("client_secret"), None);
}

#[tokio::test]
async fn a_009_no_redirect_has_a_fragment() {
    let test = TestApp::new();
    test.add_client(
        "notes",
        "Notes",
        &["http://127.0.0.1:1/cb#x", "http://127.0.0.1:1/cb"],
    )
    .await;
    for bad in [
        "http://127.0.0.1:1/cb#x",
        "http://127.0.0.1:1/cb#",
        "http://127.0.0.1:1/#/../evil",
        "https://claude.ai/api/mcp/auth_callback#x",
        "cursor://anysphere.cursor-mcp/oauth/callback#x",
    ] {
        let reply = post_json(&test, REGISTER, public(bad)).await;
        assert_eq!(
            refused(&reply),
            (400, "invalid_redirect_uri".to_owned()),
            "{bad}"
        );
        let url = authorize_url("notes", &[("redirect_uri", Some(bad))]);
        own_page(&get(&test, &url).await, bad);
    }
    // Encoded it is a part of the path, and another path is another redirect.
    let url = authorize_url(
        "notes",
        &[("redirect_uri", Some("http://127.0.0.1:1/cb%23x"))],
    );
    own_page(&get(&test, &url).await, "%23");
}

#[tokio::test]
async fn a_011_a_host_has_one_spelling() {
    let test = in_mode(RegistrationMode::Approval);
    let now = test.clock.now();
    for place in ["https://example.org", "https://xn--exmple-cua.org"] {
        test.store.approve_place(place, now).await.expect("memory");
    }
    for bad in [
        // RUSTSEC-2024-0421: it was once the same as example.org.
        "https://xn--example-.org/cb",
        "https://ex\u{e4}mple.org/cb",
        "https://EXAMPLE.org/cb",
        "https://example\u{3002}org/cb",
        "https://\u{ff45}xample.org/cb",
        "https://ex%61mple.org/cb",
        "https://exam\u{ad}ple.org/cb",
    ] {
        let reply = post_json(&test, REGISTER, public(bad)).await;
        assert_eq!(
            refused(&reply),
            (400, "invalid_redirect_uri".to_owned()),
            "{bad}"
        );
    }
    for fine in ["https://example.org/cb", "https://xn--exmple-cua.org/cb"] {
        let reply = post_json(&test, REGISTER, public(fine)).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
    }
}

#[tokio::test]
async fn n_as_38_a_redirect_that_changed_has_to_be_registered_again() {
    let test = in_mode(RegistrationMode::Approval);
    let now = test.clock.now();
    test.store.approve_place(PLACE, now).await.expect("memory");
    let reply = post_json(&test, REGISTER, public(STRANGER)).await;
    let client = read(&reply)["client_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let begin = async |to| {
        get(
            &test,
            &authorize_url(&client, &[("redirect_uri", Some(to))]),
        )
        .await
    };
    assert_eq!(begin(STRANGER).await.status, 303);
    for changed in [
        "https://app.example/cb/",
        "https://app.example/cb2",
        "https://app.example/cb?x=1",
        "https://app.example/CB",
        "https://app.example:443/cb",
        "https://app.example/",
    ] {
        own_page(&begin(changed).await, changed);
    }
    for wild in [
        "https://*.example/cb",
        "https://*/cb",
        "http://127.0.0.1:*/cb",
    ] {
        let reply = post_json(&test, REGISTER, public(wild)).await;
        assert_eq!(
            refused(&reply),
            (400, "invalid_redirect_uri".to_owned()),
            "{wild}"
        );
    }
}
