//! What one network may ask for: 429 with `Retry-After`, and its neighbours don't notice.

use std::net::Ipv4Addr;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use keystile_issuer::peer::Peer;
use keystile_testkit::browser::Reply;
use keystile_testkit::issuer::TestApp;

use crate::{LOOPBACK, authorize_url, refused, send};

const STRANGER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 8);
const PUBLIC: &str =
    r#"{"redirect_uris":["http://127.0.0.1:1/cb"],"token_endpoint_auth_method":"none"}"#;

async fn post(test: &TestApp, from: Ipv4Addr, path: &str, media: &str, body: &str) -> Reply {
    let request = Request::post(path)
        .header("content-type", media)
        .extension(Peer(from.into()))
        .body(Body::from(body.to_owned()));
    send(test, request.expect("a legal request")).await
}

async fn register(test: &TestApp, from: Ipv4Addr) -> Reply {
    post(test, from, "/oauth/register", "application/json", PUBLIC).await
}

async fn refresh(test: &TestApp, from: Ipv4Addr) -> Reply {
    let form = "grant_type=refresh_token&refresh_token=ksr_wrong&client_id=notes";
    let media = "application/x-www-form-urlencoded";
    post(test, from, "/oauth/token", media, form).await
}

/// How many of so many are let through.
async fn through(times: usize, mut ask: impl AsyncFnMut() -> Reply) -> usize {
    let mut through = 0;
    for _ in 0..times {
        through += usize::from(ask().await.status != 429);
    }
    through
}

#[tokio::test]
async fn a_065_one_address_registers_a_bounded_number_and_its_neighbours_as_before() {
    let test = TestApp::new();
    assert_eq!(
        through(200, async || register(&test, STRANGER).await).await,
        120
    );
    let reply = register(&test, STRANGER).await;
    assert_eq!(refused(&reply), (429, "temporarily_unavailable".to_owned()));
    assert_eq!(reply.header("retry-after"), "1");
    // Nothing is kept of it, so there is nothing to ask about.
    assert!(!reply.body.contains("KS-"), "{}", reply.body);
    assert!(
        reply.body.contains("Try again in a second"),
        "{}",
        reply.body
    );
    assert_eq!(register(&test, NEIGHBOUR).await.status, 201);
    // The façade is no way round.
    let facade = post(&test, STRANGER, "/register", "application/json", PUBLIC).await;
    assert_eq!(facade.status, 429);
    test.clock.advance(Duration::from_secs(1));
    assert_eq!(
        through(9, async || register(&test, STRANGER).await).await,
        2
    );
    assert_eq!(
        test.audit.summary(),
        [] as [&str; 0],
        "a flood fills no trail"
    );
}

#[tokio::test]
async fn wrong_requests_for_tokens_are_limited_for_each_address() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    assert_eq!(
        through(600, async || refresh(&test, STRANGER).await).await,
        500
    );
    let reply = refresh(&test, STRANGER).await;
    assert_eq!(refused(&reply), (429, "temporarily_unavailable".to_owned()));
    assert_eq!(refresh(&test, NEIGHBOUR).await.status, 400);
}

#[tokio::test]
async fn authorization_requests_are_limited_for_each_address() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let begin = async |from: Ipv4Addr| {
        let request = Request::get(authorize_url("notes", &[])).extension(Peer(from.into()));
        send(&test, request.body(Body::empty()).expect("a request")).await
    };
    assert_eq!(through(600, async || begin(STRANGER).await).await, 500);
    let reply = begin(STRANGER).await;
    assert_eq!((reply.status.as_u16(), reply.location()), (429, None));
    assert!(!reply.text().contains("KS-"), "{}", reply.text());
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(begin(NEIGHBOUR).await.status, 303);
}

#[tokio::test]
async fn pushed_requests_are_limited_for_each_address() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let url = authorize_url("notes", &[]);
    let (_, form) = url.split_once('?').expect("a query");
    let media = "application/x-www-form-urlencoded";
    let push = async |from| post(&test, from, "/oauth/par", media, form).await;
    assert_eq!(through(600, async || push(STRANGER).await).await, 500);
    let reply = push(STRANGER).await;
    assert_eq!(refused(&reply), (429, "temporarily_unavailable".to_owned()));
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(push(NEIGHBOUR).await.status, 201);
}

/// A server that asks about tokens and its clients may stand behind one address.
#[tokio::test]
async fn questions_about_tokens_use_up_nobody_s_tokens() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let media = "application/x-www-form-urlencoded";
    let ask = async || {
        post(
            &test,
            STRANGER,
            "/oauth/introspect",
            media,
            "token=x&client_id=notes",
        )
        .await
    };
    assert_eq!(through(600, ask).await, 500);
    assert_eq!(refresh(&test, STRANGER).await.status, 400);
}

/// Whoever asks too often must not hold up the others at the book of attempts, nor crowd theirs out.
#[tokio::test]
async fn a_request_too_many_is_no_attempt() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let wrong = async || refresh(&test, STRANGER).await;
    assert_eq!(through(500, wrong).await, 500);
    let before = test.app.flows.changes();
    assert_eq!(wrong().await.status, 429);
    assert_eq!(test.app.flows.changes(), before);
}
