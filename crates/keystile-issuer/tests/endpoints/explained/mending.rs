//! Refusals that only somebody else can mend say who, and what they type.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use keystile_domain::decide::register::{RegistrationMode, RegistrationPolicy};
use keystile_domain::ids::InitialAccessTokenId;
use keystile_domain::ports::{Clock as _, Registrations as _};
use keystile_domain::records::NewInitialAccessToken;
use keystile_domain::secrets::digest::Digest;
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_testkit::assertion::ClientKey;
use keystile_testkit::browser::Reply;
use keystile_testkit::issuer::TestApp;
use serde_json::{Value, json};

use crate::knocking::{Knocker, record};
use crate::{CLAUDE, LOOPBACK, authorize_url, get, post_form, post_json, send, told};

#[tokio::test]
async fn who_may_act_for_themselves_is_said_with_the_command_that_lets_them() {
    let test = TestApp::new();
    let own = test.register("Own", &[LOOPBACK]).await;
    let ask = async |id: &str| {
        let form = format!("grant_type=client_credentials&client_id={id}");
        post_form(&test, "/oauth/token", form).await
    };
    let register = async |redirects: &[&str]| {
        let asked = json!({ "grant_types": ["client_credentials"], "redirect_uris": redirects });
        post_json(&test, "/oauth/register", asked).await
    };
    for reply in [
        ask(&own).await,
        ask(CLAUDE).await,
        register(&[]).await,
        register(&[LOOPBACK]).await,
    ] {
        let who = "Only a client that the operator added acts for itself";
        assert!(reply.body.contains(who), "{}", reply.body);
        let told = told(&test, &reply);
        assert_eq!(told.reason, "client_not_added_by_operator");
        let command =
            "keystile client add --name NAME --grant client_credentials --auth client_secret_basic";
        assert!(told.fix.contains(command), "{told}");
        assert!(!told.fix.contains("remove the connection"), "{told}");
    }
}

#[tokio::test]
async fn a_command_that_sets_all_scopes_names_all_of_them() {
    let test = TestApp::new();
    let mut job = record(&test, "job", TokenEndpointAuthMethod::ClientSecretPost);
    job.scopes = "git:call".parse().expect("a scope");
    test.add(job, Some("ksx_job")).await;
    let job = Knocker::Post("job".to_owned(), "ksx_job".to_owned());
    let reply = job.own_token(&test).await;
    assert!(!reply.body.contains("--scope"), "{}", reply.body);
    let told = told(&test, &reply);
    assert_eq!(told.reason, "client_scope");
    assert_eq!(
        told.fix,
        "If it may: keystile client update job --scope git:call --scope knowledge-base:call"
    );
}

#[tokio::test]
async fn keys_that_come_with_a_registration_are_for_the_operator_to_add() {
    let test = TestApp::new();
    let keyed = |more: Value| {
        let mut body = json!({
            "redirect_uris": [LOOPBACK],
            "token_endpoint_auth_method": "private_key_jwt",
        });
        for (name, value) in more.as_object().expect("members") {
            body[name] = value.clone();
        }
        body
    };
    let inline = keyed(json!({ "jwks": ClientKey::es256("1").jwks() }));
    let reply = post_json(&test, "/oauth/register", inline).await;
    let inline = told(&test, &reply);
    assert_eq!(inline.reason, "registration_keys_inline");
    let add =
        "keystile client add --name NAME --redirect-uri URI --auth private_key_jwt --jwks FILE";
    assert!(inline.fix.contains(add), "{inline}");
    assert!(inline.fix.contains("jwks_uri"), "{inline}");
    // Nothing is fetched in this test.
    let away = keyed(json!({ "jwks_uri": "https://keys.example/jwks" }));
    let reply = post_json(&test, "/oauth/register", away).await;
    let away = told(&test, &reply);
    assert_eq!(away.reason, "registration_keys_not_fetched");
    assert!(away.fix.contains(add), "{away}");
    let host = "--trust-client-host keys.example";
    assert!(away.fix.ends_with(host), "{away}");
}

async fn registering(test: &TestApp, authorization: &str) -> Reply {
    let body = json!({ "redirect_uris": [LOOPBACK] }).to_string();
    let request = Request::post("/oauth/register")
        .header("content-type", "application/json")
        .header("authorization", authorization)
        .body(Body::from(body));
    send(test, request.expect("a legal request")).await
}

#[tokio::test]
async fn an_initial_access_token_that_lets_nobody_in_is_called_what_it_is() {
    let test = TestApp::new().with(|app| {
        app.settings.registration = Some(RegistrationPolicy {
            mode: RegistrationMode::InitialAccessToken,
            ..RegistrationPolicy::default()
        });
    });
    let made = test.clock.now();
    let add = async |text: &str, seconds| {
        let id = InitialAccessTokenId::new(made, &*test.app.rng);
        let token = NewInitialAccessToken {
            id,
            digest: Digest::of(text),
            note: None,
            created_at: made,
            expires_at: made.plus(Duration::from_secs(seconds)),
            uses: 1,
        };
        assert!(test.store.add_token(token).await.expect("memory"));
        id
    };
    add("ksi_old", 60).await;
    add("ksi_spent", 3_600).await;
    let revoked = add("ksi_revoked", 3_600).await;
    let now = test.clock.now();
    test.store.revoke_token(revoked, now).await.expect("memory");
    assert_eq!(registering(&test, "Bearer ksi_spent").await.status, 201);
    test.clock.advance(Duration::from_secs(90));
    for (authorization, reason, heard, found) in [
        (
            "Bearer ksi_old",
            "expired",
            "token expired",
            "expired 30 s ago",
        ),
        (
            "Bearer ksi_spent",
            "used_up",
            "is used up",
            "registered 1 of 1",
        ),
        ("Bearer ksi_revoked", "revoked", "was revoked", "revoked"),
        (
            "Bearer ksi_wrong",
            "unknown",
            "is not known here",
            "No token",
        ),
        (
            "Bearer wrong",
            "malformed",
            "begins with ksi_",
            "begins with ksi_",
        ),
        ("ksi_spent", "malformed", "send Bearer", "begins with ksi_"),
    ] {
        let reply = registering(&test, authorization).await;
        assert_eq!(reply.status, 401);
        assert!(reply.body.contains(heard), "{heard}: {}", reply.body);
        let told = told(&test, &reply);
        assert_eq!(told.reason, format!("initial_access_token_{reason}"));
        assert!(told.found.contains(found), "{told}");
        for text in [&reply.body, &told.fix] {
            let command = "keystile client initial-access-token add";
            assert!(text.contains(command), "{reason}: {text}");
        }
        let shown = authorization.trim_start_matches("Bearer ");
        assert!(!told.to_string().contains(shown), "{told}");
    }
    let reply = post_json(&test, "/oauth/register", "{}").await;
    assert_eq!(told(&test, &reply).reason, "initial_access_token_missing");
}

#[tokio::test]
async fn a_page_names_the_parameter_that_came_twice_and_who_mends_it() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let url = authorize_url("notes", &[]);
    for name in ["state", "client_id", "redirect_uri", "<b>&x"] {
        let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let reply = get(&test, &format!("{url}&{encoded}=1&{encoded}=2")).await;
        let text = reply.text();
        assert_eq!(reply.status, 400);
        let which = format!("The app sent the parameter {name} more than once");
        assert!(text.contains(&which), "{which}: {text}");
        assert!(text.contains("the fault is the app's"), "{text}");
        assert!(!text.contains("start connecting"), "in circles: {text}");
        let told = told(&test, &reply);
        assert_eq!(told.reason, "parameter_repeated");
        let fix = format!("send {} once", keystile_domain::shown::word(name));
        assert!(told.fix.contains(&fix), "{fix}: {told}");
    }
    // Where a program asks, it reads the same.
    let form = "client_id=notes&code=1&code=2".to_owned();
    let reply = post_form(&test, "/oauth/token", form).await;
    assert!(reply.body.contains("the parameter code"), "{}", reply.body);
    assert_eq!(told(&test, &reply).reason, "parameter_repeated");
    // Two resources are no mistake of form (RFC 8707 section 2).
    let form = "client_id=notes&resource=a&resource=b".to_owned();
    let reply = post_form(&test, "/oauth/token", form).await;
    assert_eq!(told(&test, &reply).reason, "invalid_request");
}
