//! What the operator reads about a refusal: who came, with what, and what to do about it; and how much of that
//! stands on pages, which are anybody's.

mod codes;
mod mending;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use keystile_domain::decide::diagnose::advice::ANY_FIX;
use keystile_domain::ports::{Clients, Clock as _};
use keystile_domain::records::{GrantType, GrantTypes};
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_testkit::issuer::{TestApp, VERIFIER};
use serde_json::json;

use crate::connecting::{Connecting, text};
use crate::knocking::record;
use crate::log::Log;
use crate::{
    LOOPBACK, attempt, authorize_url, changed, get, post_form, post_json, reference_of, send, told,
};

#[tokio::test]
async fn who_brings_another_app_s_code_is_named_to_the_operator_alone() {
    let mut connecting = Connecting::new().await;
    let code = connecting.code(&[]).await;
    let test = &connecting.test;
    let stranger = test.register("Stranger", &[LOOPBACK]).await;
    let mut device = record(test, "terminal", TokenEndpointAuthMethod::None);
    device.grant_types = GrantTypes::from_iter([GrantType::DeviceCode]);
    test.add(device, None).await;
    for (client, reason, came) in [
        (
            stranger.as_str(),
            "code_of_another_client",
            "Stranger, 'ksd_",
        ),
        ("terminal", "client_grant_type", "terminal (terminal)"),
    ] {
        let reply = connecting
            .redeem(&code, &[("client_id", Some(client))])
            .await;
        assert!(!reply.body.contains("Inspector"), "{}", reply.body);
        let told = told(test, &reply);
        assert_eq!(told.reason, reason);
        let both = format!(
            "The code was made for MCP Inspector (a program on the person's computer); {came}"
        );
        assert!(told.found.starts_with(&both), "{told}");
        assert!(!told.found.contains(&stranger), "no whole id: {told}");
    }
    let reply = connecting
        .redeem(&code, &[("client_id", Some(&stranger))])
        .await;
    assert!(
        reply
            .body
            .contains("send the one that asked for it, or sign in again"),
        "{}",
        reply.body
    );
    // What its own client does wrong is nobody else's.
    let reply = connecting
        .redeem(&code, &[("redirect_uri", Some("http://127.0.0.1:1/else"))])
        .await;
    assert!(!told(test, &reply).found.contains("made for"));
}

#[tokio::test]
async fn a_lost_client_id_is_shown_as_far_as_it_is_no_secret() {
    let test = TestApp::new();
    let whole = test.register("Notes", &[LOOPBACK]).await;
    let cut = &whole[..whole.len() - 4];
    for (id, shown) in [
        ("never-registered", "'neve…' (16 characters)".to_owned()),
        (
            "ksr_a-refresh-token",
            "'ksr_…' (19 characters) is in the database. It begins as a refresh token".to_owned(),
        ),
        (cut, format!("'{}…{}'", &cut[..16], &cut[cut.len() - 6..])),
        ("ksd_short", "'ksd_short'".to_owned()),
    ] {
        for reply in [
            get(&test, &authorize_url(id, &[])).await,
            post_form(&test, "/oauth/token", format!("client_id={id}")).await,
        ] {
            let told = told(&test, &reply);
            assert!(told.found.contains(&shown), "{shown}: {told}");
        }
    }
    let request = Request::post("/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", basic("one-of-two", "secret"))
        .body(Body::from("client_id=one-or-two"));
    let reply = send(&test, request.expect("a legal request")).await;
    let told = told(&test, &reply);
    assert_eq!(told.reason, "client_id_differs");
    let found = "The form says 'on…' (10 characters), and what authenticates the client says 'on…' (10 characters): they differ from character 6 on.";
    assert_eq!(told.found, found);
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

#[tokio::test]
async fn a_031_a_secret_that_was_sent_as_the_client_id_is_neither_logged_nor_kept() {
    let (log, _recording) = Log::listen();
    let mut connecting = Connecting::new().await;
    let code = connecting.code(&[]).await;
    let tokens = connecting.tokens().await;
    let test = &connecting.test;
    let mut secret = record(test, "job", TokenEndpointAuthMethod::ClientSecretBasic);
    secret.redirect_uris = vec![LOOPBACK.to_owned()];
    test.add(secret, Some("right")).await;
    log.lines();
    let secrets = [
        VERIFIER,
        &code,
        text(&tokens, "refresh_token"),
        text(&tokens, "access_token"),
        "ksx_Yq0TtE9rVbVw1mDk4uXo",
        "correct horse battery staple",
        "hunter2",
    ];
    for secret in secrets {
        // The id and the secret changed places.
        let swapped = Request::post("/oauth/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", basic(&secret.replace(' ', "+"), "job"))
            .body(Body::from("client_id=job"));
        let form = changed(&[("client_id", secret)], &[]);
        let replies = [
            get(test, &authorize_url(secret, &[])).await,
            post_form(test, "/oauth/token", form.clone()).await,
            post_form(test, "/oauth/device", form.clone()).await,
            post_form(test, "/oauth/revoke", form.clone()).await,
            // Of a code that is known the attempt says who else came.
            connecting
                .redeem(&code, &[("client_id", Some(secret))])
                .await,
            send(test, swapped.expect("a legal request")).await,
        ];
        let logged = log.lines();
        let logged = logged.iter().map(ToString::to_string).collect::<String>();
        let beginning: String = secret.chars().take(5).collect();
        for reply in replies {
            let kept = json!(attempt(test, &reply)).to_string();
            assert!(logged.contains(reference_of(&reply).as_str()), "{logged}");
            for place in [&kept, &logged, &reply.body] {
                assert!(!place.contains(&beginning), "{place}");
            }
        }
    }
    assert_eq!(connecting.redeem(&code, &[]).await.status, 200);
}

#[tokio::test]
async fn each_refusal_says_what_was_expected_what_came_and_what_to_do() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let register = async |metadata| post_json(&test, "/oauth/register", metadata).await;
    let authorize = async |more: &str| {
        let url = authorize_url("notes", &[]);
        get(&test, &format!("{url}{more}")).await
    };
    let two = Request::post("/oauth/register")
        .header("content-type", "application/json")
        .header("authorization", "Bearer a")
        .header("authorization", "Bearer b")
        .body(Body::from("{}"));
    let twice = "client_id=notes&client_secret=a&client_assertion=b".to_owned();
    for (reply, reason, came) in [
        (
            get(&test, "/oauth/authorize").await,
            "client_id_missing",
            "client_id",
        ),
        (
            authorize("&state=2").await,
            "parameter_repeated",
            "the parameter state",
        ),
        (
            authorize("&prompt=none").await,
            "prompt_none",
            "prompt=none",
        ),
        (
            register(json!({})).await,
            "invalid_redirect_uri",
            "redirect_uris",
        ),
        (
            register(json!({ "redirect_uris": [LOOPBACK], "application_type": "mobile" })).await,
            "invalid_client_metadata",
            "application_type must be web or native",
        ),
        (
            register(json!({ "redirect_uris": [LOOPBACK], "client_name": "x".repeat(9_000) }))
                .await,
            "invalid_client_metadata",
            "client_name",
        ),
        (
            post_form(&test, "/oauth/token", twice).await,
            "client_auth_twice",
            "client_secret and client_assertion",
        ),
        (
            send(&test, two.expect("a legal request")).await,
            "two_authorizations",
            "two Authorization headers",
        ),
    ] {
        let told = told(&test, &reply);
        assert_eq!(told.reason, reason, "{told}");
        assert!(told.found.contains(came), "{came}: {told}");
        assert!(!told.expected.is_empty() && told.expected != told.found);
        assert!(!told.fix.is_empty() && told.fix != ANY_FIX, "{told}");
    }
}

#[tokio::test]
async fn a_command_that_sets_all_grant_types_names_all_of_them() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let ask = async |id: &str| post_form(&test, "/oauth/device", format!("client_id={id}")).await;
    let reply = ask("notes").await;
    assert!(!reply.body.contains("--grant"), "{}", reply.body);
    let told = told(&test, &reply);
    assert_eq!(
        told.fix,
        "If it may: keystile client update notes --grant authorization_code --grant refresh_token --grant device_code"
    );
    // Where one value is missing, it is filled in.
    let mut secret = record(&test, "job", TokenEndpointAuthMethod::ClientSecretPost);
    secret.redirect_uris = vec![LOOPBACK.to_owned()];
    test.add(secret, Some("right")).await;
    let wrong = "client_id=job&client_secret=wrong".to_owned();
    let wrong = post_form(&test, "/oauth/token", wrong).await;
    let fix = crate::told(&test, &wrong).fix;
    assert!(fix.ends_with("keystile client rotate-secret job"), "{fix}");
    let strange = json!({ "redirect_uris": ["https://$(id).example/cb"] });
    let strange = post_json(&test, "/oauth/register", strange).await;
    let place = "keystile client redirect approve 'https://$(id).example'";
    assert!(strange.body.contains(place), "{}", strange.body);
    assert!(crate::told(&test, &strange).fix.ends_with(place));
    let own = test.register("Own", &[LOOPBACK]).await;
    let reply = ask(&own).await;
    assert!(reply.body.contains("register it again"), "{}", reply.body);
}

#[tokio::test]
async fn a_page_does_not_send_a_person_in_circles() {
    let test = TestApp::new();
    test.add_client("kept-out", "Kept out", &[LOOPBACK]).await;
    let mut service = record(&test, "service", TokenEndpointAuthMethod::None);
    service.grant_types = GrantTypes::from_iter([GrantType::DeviceCode]);
    test.add(service, None).await;
    let disabled = Clients::disable(&*test.store, "kept-out", test.clock.now()).await;
    assert!(disabled.expect("memory does not fail"));
    for client in [
        "kept-out",
        "service",
        "https://strange.example/client.json",
        "https://STRANGE.example/client.json",
    ] {
        let text = get(&test, &authorize_url(client, &[])).await.text();
        assert!(
            text.contains("Starting over changes nothing"),
            "{client}: {text}"
        );
        assert!(!text.contains("start connecting"), "{client}: {text}");
    }
}

#[tokio::test]
async fn a_strangers_address_is_one_word_of_a_command_and_on_no_page() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let begin = async |uri| {
        get(
            &test,
            &authorize_url("notes", &[("redirect_uri", Some(uri))]),
        )
        .await
    };
    let reply = begin("https://app.example/$(id);it's&").await;
    assert!(
        !reply.text().contains("keystile client"),
        "{}",
        reply.text()
    );
    let told_of = told(&test, &reply);
    let word = r"--add-redirect-uri 'https://app.example/$(id);it'\''s&'";
    assert!(told_of.fix.ends_with(word), "{told_of}");
    assert!(told_of.fix.contains("Only if you know"), "{told_of}");
    // What stands behind a question mark is kept nowhere.
    let told = told(&test, &begin("https://app.example/cb?key=planted").await);
    assert!(!format!("{told:?}").contains("planted"), "{told:?}");
}
