//! Who may register itself: the modes and approvals, and what a registration can't ask for.

mod initial_access;
mod keys;
mod redirects;

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

fn client_id(registered: &Reply) -> String {
    let id = &read(registered)["client_id"];
    id.as_str().expect("an id").to_owned()
}

/// An authorization request of a client, to come back there.
async fn begin(test: &TestApp, client: &str, redirect: &str) -> Reply {
    let url = authorize_url(client, &[("redirect_uri", Some(redirect))]);
    get(test, &url).await
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
    let client = client_id(&reply);
    assert_eq!(begin(&test, &client, STRANGER).await.status, 303);
    // Once more it is used up; both are on record, without the token.
    let reply = with_token(&test, &good, &public(STRANGER)).await;
    assert_eq!(refused(&reply), (401, "invalid_token".to_owned()));
    assert_eq!(
        test.audit.summary(),
        [
            "registration allow -",
            "registration deny initial_access_token_used_up"
        ]
    );
    let events = test.audit.events();
    assert_eq!(events[0]["name"], id.to_string());
    assert_eq!(events[0]["client"], client);
    assert!(!json!(events).to_string().contains(&good));
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
    let client = client_id(&reply);
    assert_eq!(begin(&test, &client, STRANGER).await.status, 303);
    // A second place in the same registration is still a stranger.
    let both = json!({ "redirect_uris": [STRANGER, "https://evil.example/cb"], "token_endpoint_auth_method": "none" });
    let reply = post_json(&test, REGISTER, &both).await;
    assert_eq!(refused(&reply), (400, "invalid_redirect_uri".to_owned()));
    assert!(reply.body.contains("evil.example"), "{}", reply.body);

    assert!(test.store.remove_place(PLACE).await.expect("memory"));
    let reply = begin(&test, &client, STRANGER).await;
    own_page(&reply, "no longer approved");
    assert!(
        reply.text().contains("keystile client redirect approve"),
        "{}",
        reply.text()
    );
    let reply = post_json(&test, REGISTER, public(STRANGER)).await;
    assert_eq!(reply.status, 400);
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
