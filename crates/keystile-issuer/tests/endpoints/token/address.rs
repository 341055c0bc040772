//! Secrets in the address of an endpoint, where none may stand (RFC 6749 §2.3.1).

use axum::body::Body;
use http::Request;
use http::header::CONTENT_TYPE;
use keystile_testkit::browser::Reply;
use keystile_testkit::issuer::{TestApp, VERIFIER};

use crate::connecting::Connecting;
use crate::knocking::Knocker;
use crate::{LOOPBACK, changed, get, post_form, refused, send, told};

const PLANTED: &str = "planted-secret";

/// It says which one, to the app and to the operator, and never what it was.
#[track_caller]
fn names(test: &TestApp, reply: &Reply, parameter: &str) {
    assert_eq!(refused(reply).1, "invalid_request", "{parameter}");
    let told = told(test, reply);
    assert_eq!(told.reason, "secret_in_address", "{parameter}: {told}");
    assert!(told.fix.contains("tell its maker"), "{told}");
    let said = format!("There is {parameter} in the address");
    assert!(reply.body.contains(&said), "{said}: {}", reply.body);
    assert!(told.found.contains(&said), "{said}: {told}");
    for text in [&reply.body, &told.to_string()] {
        assert!(!text.contains(PLANTED), "{text}");
    }
}

#[tokio::test]
async fn a_090_a_secret_in_the_address_is_refused_though_all_else_is_right() {
    let mut connecting = Connecting::new().await;
    let code = connecting.code(&[]).await;
    let good = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", LOOPBACK),
        ("client_id", &connecting.client),
        ("code_verifier", VERIFIER),
    ];
    let test = &connecting.test;
    let ask = async |query: &str| {
        let path = format!("/oauth/token?{query}");
        post_form(test, &path, changed(&good, &[])).await
    };
    for (query, parameter) in [
        ("client_secret=planted-secret", "client_secret"),
        ("client%5Fsecret=planted-secret&x=%zz", "client_secret"),
        ("client_assertion=planted-secret", "client_assertion"),
        ("state=1&state=2&code=planted-secret", "code"),
        ("code_verifier=planted-secret", "code_verifier"),
        ("device_code=planted-secret", "device_code"),
        ("refresh_token=planted-secret", "refresh_token"),
        ("password=planted-secret&code=1", "code and password"),
    ] {
        let reply = ask(query).await;
        names(test, &reply, parameter);
        // Doctor says whose it is.
        let attempt = crate::attempt(test, &reply);
        let app = attempt.client.unwrap_or_default();
        assert!(app.contains("MCP Inspector"), "{query}: {app}");
    }
    // Nothing was spent; and what is no secret merely counts as not sent.
    let reply = ask("code=&client_id=other&grant_type=refresh_token&state=1").await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    for job in [
        Knocker::basic(test, "basic").await,
        Knocker::post(test, "post").await,
        Knocker::key(test, "key").await,
    ] {
        let form = [("grant_type", "client_credentials")];
        let path = "/oauth/token?client_secret=planted-secret";
        names(test, &job.ask(test, path, &form).await, "client_secret");
        assert_eq!(job.own_token(test).await.status, 200);
    }
}

#[tokio::test]
async fn a_090_a_secret_in_the_address_is_named_whatever_else_is_wrong() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let path = |endpoint: &str| format!("{endpoint}?client_secret=planted-secret");
    let token = path("/oauth/token");
    for form in [
        "",
        "client_id=notes",
        "client_id=notes&grant_type=password",
        "client_id=nobody&grant_type=refresh_token&refresh_token=ksr_none",
        "client_id=notes&client_id=notes",
        "client_id=%zz",
        &format!("client_id={}", "x".repeat(64 * 1024)),
    ] {
        let reply = post_form(&test, &token, form.to_owned()).await;
        names(&test, &reply, "client_secret");
    }
    for endpoint in ["introspect", "par", "device", "revoke"] {
        let form = "client_id=nobody".to_owned();
        let reply = post_form(&test, &path(&format!("/oauth/{endpoint}")), form).await;
        names(&test, &reply, "client_secret");
    }
    let revoke = "/oauth/revoke?token=planted-secret";
    let reply = post_form(&test, revoke, "client_id=notes".to_owned()).await;
    names(&test, &reply, "token");
    // It was sent as an address only: no form, or no POST.
    let json = Request::post(&token).header(CONTENT_TYPE, "application/json");
    for request in [json, Request::post(&token)] {
        let request = request.body(Body::empty()).expect("a legal request");
        names(&test, &send(&test, request).await, "client_secret");
    }
    let reply = get(&test, "/token?code=planted-secret").await;
    names(&test, &reply, "code");
    let allowed = (reply.status.as_u16(), reply.header("allow"));
    assert_eq!(allowed, (405, "POST"));
}
