//! Pushed authorization requests (RFC 9126).

use std::time::Duration;

use keystile_domain::ports::{Clients, Clock as _};
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_testkit::browser::Reply;
use keystile_testkit::issuer::{CHALLENGE, TestApp};

use crate::connecting::Connecting;
use crate::knocking::{Knocker, record};
use crate::{
    CLAUDE, CLAUDE_CALLBACK, Changes, LOOPBACK, RESOURCE, changed, get, json, own_page, post_form,
    post_json, refused, sent_back,
};

const PAR: &str = "/oauth/par";

/// A good push, but for the changes.
async fn push(test: &TestApp, client: &str, changes: Changes<'_>) -> Reply {
    let good = [
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", LOOPBACK),
        ("state", "pushed"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("resource", RESOURCE),
    ];
    post_form(test, PAR, changed(&good, changes)).await
}

async fn pushed(test: &TestApp, client: &str) -> String {
    let reply = push(test, client, &[]).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let answer = json(&reply);
    assert_eq!(answer["expires_in"], 90);
    answer["request_uri"].as_str().expect("a URI").to_owned()
}

fn with_uri(client: &str, request_uri: &str) -> String {
    let query = [("client_id", client), ("request_uri", request_uri)];
    format!("/oauth/authorize?{}", changed(&query, &[]))
}

#[tokio::test]
async fn a_pushed_request_is_a_sign_in_like_any_other_and_only_what_was_pushed_counts() {
    let mut connecting = Connecting::new().await;
    let client = connecting.client.clone();
    let uri = pushed(&connecting.test, &client).await;
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:"));
    let begin = with_uri(&client, &uri)
        + "&redirect_uri=https%3A%2F%2Fevil.example%2F&state=other&scope=everything&code_challenge=short";
    let reply = connecting.decide(&begin, "allow").await;
    let params = reply.location_params();
    let find = |name: &str| params.iter().find(|(other, _)| other == name);
    assert!(reply.location().expect("back").starts_with(LOOPBACK));
    assert_eq!(find("state").expect("state").1, "pushed");
    let code = &find("code").expect("a code").1;
    let tokens = connecting.redeem(code, &[]).await;
    assert_eq!(tokens.status, 200, "{}", tokens.body);
}

#[tokio::test]
async fn a_pushed_prompt_counts_and_one_beside_the_request_uri_does_not() {
    let mut connecting = Connecting::new().await;
    let client = connecting.client.clone();
    for (prompt, beside, page) in [
        (None, "&prompt=login", "/ks/consent?tx="),
        (Some("consent"), "&prompt=none", "/ks/consent?tx="),
        (Some("login"), "", "/ks/sign-in?tx="),
        (Some("select_account"), "&prompt=consent", "/ks/sign-in?tx="),
    ] {
        let reply = push(&connecting.test, &client, &[("prompt", prompt)]).await;
        let uri = json(&reply)["request_uri"]
            .as_str()
            .expect("a URI")
            .to_owned();
        let begun = connecting.visit(&(with_uri(&client, &uri) + beside)).await;
        let next = begun.location().expect("on to a page");
        assert!(next.starts_with(page), "{prompt:?} {beside}: {next}");
        assert_eq!(
            next.ends_with("&again=1"),
            page.contains("sign-in"),
            "{next}"
        );
    }
}

#[tokio::test]
async fn a_pushed_request_survives_a_look_ahead_and_a_reload_and_gives_one_code() {
    let mut connecting = Connecting::new().await;
    let client = connecting.client.clone();
    let uri = with_uri(&client, &pushed(&connecting.test, &client).await);
    for _ in 0..3 {
        assert_eq!(get(&connecting.test, &uri).await.status, 303);
    }
    let first = connecting.decide(&uri, "allow").await;
    assert!(first.location().expect("back").contains("code="));
    let again = connecting.decide(&uri, "allow").await;
    assert_eq!((again.status.as_u16(), again.location()), (200, None));
    assert!(
        again.text().contains("already answered"),
        "{}",
        again.text()
    );
    assert_eq!(connecting.grants().await.len(), 1);
}

#[tokio::test]
async fn rfc_9126_a_request_uri_of_another_client_or_time_or_place_is_refused_and_never_fetched() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    test.add_client("other", "Other", &[LOOPBACK]).await;
    let uri = pushed(&test, "notes").await;
    let refused = async |client: &str, uri: &str, why: &str| {
        let page = get(&test, &with_uri(client, uri)).await;
        own_page(&page, uri);
        assert_eq!(page.status, 400);
        let text = page.text();
        assert!(
            text.contains("invalid_request_uri") && text.contains(why),
            "{text}"
        );
        let reference = crate::reference_of(&page);
        let now = test.clock.now();
        let attempt = test.app.flows.lookup(&reference, now).expect("kept");
        let (_, diagnosis) = attempt.failure().expect("refused");
        assert!(diagnosis.fix.len() > 20, "{diagnosis:?}");
        diagnosis.reason.to_string()
    };
    let reason = refused("other", &uri, "another client_id").await;
    assert_eq!(reason, "request_uri_of_another_client");
    for foreign in [
        "https://client.example/r.jwt",
        "http://127.0.0.1:1/",
        "urn:example:x",
    ] {
        let reason = refused("notes", foreign, "fetches none").await;
        assert_eq!(reason, "request_uri_not_ours");
    }
    let damaged = format!("{uri}A");
    assert_eq!(
        refused("notes", &damaged, "damaged").await,
        "request_uri_damaged"
    );
    test.clock.advance(Duration::from_millis(90_001));
    assert_eq!(
        refused("notes", &uri, "older than").await,
        "request_uri_expired"
    );
}

#[tokio::test]
async fn a_push_is_judged_as_what_a_browser_brings_and_told_in_json() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    for (change, error) in [
        (("redirect_uri", None), "invalid_request"),
        (
            ("redirect_uri", Some("https://evil.example/cb")),
            "invalid_request",
        ),
        (
            ("response_type", Some("token")),
            "unsupported_response_type",
        ),
        (("code_challenge", None), "invalid_request"),
        (("code_challenge_method", Some("plain")), "invalid_request"),
        (
            ("resource", Some("https://evil.example/mcp")),
            "invalid_target",
        ),
        (("scope", Some("unknown")), "invalid_scope"),
        (("prompt", Some("none")), "login_required"),
        (
            ("request", Some("eyJhbGciOiJub25lIn0.e30.")),
            "invalid_request",
        ),
    ] {
        let reply = push(&test, "notes", &[change]).await;
        assert_eq!(refused(&reply), (400, error.to_owned()), "{change:?}");
    }
    let reply = push(&test, "nobody", &[]).await;
    assert_eq!(refused(&reply), (401, "invalid_client".to_owned()));
    let long = "s".repeat(4000);
    let reply = push(&test, "notes", &[("state", Some(&long))]).await;
    assert_eq!(refused(&reply), (400, "invalid_request".to_owned()));
    assert_eq!(refused(&get(&test, PAR).await).0, 405);
}

#[tokio::test]
async fn rfc_9126_no_request_uri_is_pushed() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let uri = pushed(&test, "notes").await;
    let reply = push(&test, "notes", &[("request_uri", Some(&uri))]).await;
    assert_eq!(refused(&reply), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn a_push_is_proven_in_the_way_that_the_client_registered() {
    let test = TestApp::new();
    let knocker = Knocker::basic(&test, "job").await;
    let form = [
        ("response_type", "code"),
        ("redirect_uri", LOOPBACK),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let reply = knocker.ask(&test, PAR, &form).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let unproven = push(&test, "job", &[]).await;
    assert_eq!(refused(&unproven), (401, "invalid_client".to_owned()));
    let posted = push(&test, "job", &[("client_secret", Some("ksx_job"))]).await;
    assert_eq!(refused(&posted), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn a_client_of_a_document_pushes_too() {
    let test = TestApp::new();
    let reply = push(&test, CLAUDE, &[("redirect_uri", Some(CLAUDE_CALLBACK))]).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let uri = json(&reply)["request_uri"]
        .as_str()
        .expect("a URI")
        .to_owned();
    assert_eq!(get(&test, &with_uri(CLAUDE, &uri)).await.status, 303);
}

#[tokio::test]
async fn rfc_9126_a_client_that_pushes_everything_takes_no_request_from_a_browser() {
    let test = TestApp::new();
    let mut wanted = record(&test, "strict", TokenEndpointAuthMethod::None);
    wanted.pushes_only = true;
    test.add(wanted, None).await;
    let metadata = serde_json::json!({
        "redirect_uris": [LOOPBACK],
        "token_endpoint_auth_method": "none",
        "require_pushed_authorization_requests": true,
    });
    let registered = json(&post_json(&test, "/oauth/register", metadata).await);
    assert_eq!(registered["require_pushed_authorization_requests"], true);
    let own = registered["client_id"].as_str().expect("an id");
    for client in ["strict", own] {
        let reply = get(&test, &crate::authorize_url(client, &[])).await;
        assert_eq!(sent_back(&reply, LOOPBACK), "invalid_request", "{client}");
        assert!(reply.location().is_some_and(|it| it.contains("pushed")));
        let uri = pushed(&test, client).await;
        assert_eq!(get(&test, &with_uri(client, &uri)).await.status, 303);
    }
}

#[tokio::test]
async fn a_025_a_client_that_is_disabled_between_push_and_browser_is_out() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let uri = pushed(&test, "notes").await;
    let disabled = Clients::disable(&*test.store, "notes", test.clock.now()).await;
    assert!(disabled.expect("memory"));
    own_page(&get(&test, &with_uri("notes", &uri)).await, "disabled");
    assert_eq!(refused(&push(&test, "notes", &[]).await).0, 401);
}
