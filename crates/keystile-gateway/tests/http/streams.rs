//! Streams pass as they come, and end when they must (CHECKLIST R11, A-118).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt as _;
use http::{Request, Response};
use keystile_gateway::HttpUpstream;
use tokio::sync::mpsc;

use crate::second::within_a_second;
use crate::support::{App, NOW, Server, TOOL_CALL, anonymous, event_stream};

type Feed = mpsc::Sender<&'static str>;

/// An upstream whose every answer is a stream; the feeds come in order.
async fn streaming() -> (App, mpsc::UnboundedReceiver<Feed>) {
    let (sender, feeds) = mpsc::unbounded_channel();
    let app = App::new(move |_| {
        let (feed, response) = event_stream();
        sender.send(feed).expect("works in a test");
        response
    })
    .await;
    (app, feeds)
}

fn listen(app: &App) -> Request<Body> {
    app.builder("GET")
        .body(Body::empty())
        .expect("works in a test")
}

async fn next(body: &mut axum::body::BodyDataStream) -> Option<String> {
    let chunk = body.next().await?.expect("works in a test");
    Some(String::from_utf8(chunk.to_vec()).expect("works in a test"))
}

#[tokio::test]
async fn events_pass_one_by_one_as_they_come() {
    let (app, mut feeds) = streaming().await;
    let answer = app.send(app.call()).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    let (mut body, feed) = (
        answer.into_body().into_data_stream(),
        feeds.recv().await.unwrap(),
    );
    for (sent, passed) in [
        (SAYS, SAYS),
        (
            ": hello\r\nevent: message\r\ndata:{\"jsonrpc\":\"2.0\",\r\ndata: \"method\":\"notifications/x\"}\r\n\r\n",
            "data: {\"jsonrpc\":\"2.0\", \"method\":\"notifications/x\"}\n\n",
        ),
        (ANSWERS, ANSWERS),
    ] {
        feed.send(sent).await.unwrap();
        assert_eq!(next(&mut body).await.as_deref(), Some(passed));
    }
    drop(feed);
    assert_eq!(next(&mut body).await, None);
}

#[tokio::test]
async fn a_client_that_goes_cancels_the_upstream() {
    let (app, mut feeds) = streaming().await;
    for request in [app.call(), listen(&app)] {
        let answer = app.send(request).await;
        let feed = feeds.recv().await.unwrap();
        drop(answer);
        within_a_second(feed.closed()).await;
    }
}

#[tokio::test]
async fn a_159_a_person_has_a_bounded_number_of_streams_and_others_have_theirs() {
    const MOST: usize = 512;
    let (app, mut feeds) = streaming().await;
    let other =
        app.token_with(|claims| claims.sub = "0198c0de-7f3a-7bcd-8e21-5a1f0c9d2b99".to_owned());
    let mut held = Vec::new();
    for _ in 0..MOST {
        let answer = app.send(listen(&app)).await;
        assert_eq!(answer.status(), 200);
        held.push((answer, feeds.recv().await));
    }
    let refused = app.send(listen(&app)).await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    let stranger = anonymous("GET", "/kb/mcp").header("authorization", format!("Bearer {other}"));
    let stranger = app.send(stranger.body(Body::empty()).unwrap()).await;
    assert_eq!(stranger.status(), 200);
    assert_eq!(
        app.send(app.call()).await.status(),
        200,
        "a call is no stream"
    );
    // One that ends makes room for one, whichever side ends it.
    drop(held.pop());
    let again = app.send(listen(&app)).await;
    assert_eq!(again.status(), 200);
    assert_eq!(app.send(listen(&app)).await.status(), 429);
}

#[tokio::test]
async fn a_118_revocation_ends_streams_and_running_calls_at_once() {
    let (app, mut feeds) = streaming().await;
    let mut bodies = Vec::new();
    for request in [listen(&app), app.call()] {
        bodies.push(app.send(request).await.into_body().into_data_stream());
    }
    let (first, second) = (feeds.recv().await.unwrap(), feeds.recv().await.unwrap());
    first.send(SAYS).await.unwrap();
    assert!(next(&mut bodies[0]).await.is_some());
    app.revoke();
    let last = next(&mut bodies[1]).await.expect("a last word");
    assert!(last.contains("grant_revoked"), "{last}");
    for body in &mut bodies {
        assert_eq!(next(body).await, None, "a clean end");
    }
    first.closed().await;
    second.closed().await;
}

/// The feed says that it is stale and does not move its epoch for it.
#[tokio::test]
async fn a_quiet_stream_ends_when_the_feed_goes_stale() {
    let (app, mut feeds) = streaming().await;
    let mut body = app.send(listen(&app)).await.into_body().into_data_stream();
    let feed = feeds.recv().await.unwrap();
    feed.send(SAYS).await.unwrap();
    assert!(next(&mut body).await.is_some());
    assert!(futures_util::poll!(body.next()).is_pending());
    tokio::time::pause();
    app.revocations.stale.store(true, Ordering::SeqCst);
    assert_eq!(next(&mut body).await, None);
    feed.closed().await;
}

#[tokio::test]
async fn a_flood_of_events_does_not_outrun_a_revocation() {
    let app = App::new(|_| {
        let flood = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(SAYS));
        let response = Response::builder().header("content-type", "text/event-stream");
        response.body(Body::from_stream(flood)).unwrap()
    })
    .await;
    let mut body = app.send(app.call()).await.into_body().into_data_stream();
    assert!(next(&mut body).await.is_some());
    app.revoke();
    let last = next(&mut body).await.expect("a last word");
    assert!(last.contains("grant_revoked"), "{last}");
    assert_eq!(next(&mut body).await, None);
}

#[tokio::test]
async fn a_call_without_an_answer_yet_ends_with_its_grant() {
    let (started, mut waiting) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
        started.send(stream).unwrap();
    });
    let server = Server::start(|_| Response::new(Body::empty())).await;
    let app = Arc::new(App::in_front_of(
        server,
        &format!("http://{address}/mcp"),
        |upstream| upstream,
    ));
    let call = tokio::spawn({
        let app = Arc::clone(&app);
        async move { app.send(app.call()).await }
    });
    let _held = waiting.recv().await.unwrap();
    app.revoke();
    assert_eq!(call.await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_listening_stream_ends_with_its_token_and_a_running_call_does_not() {
    let (app, mut feeds) = streaming().await;
    app.clock.0.fetch_add(950, Ordering::SeqCst);
    let token = app.token_with(|claims| (claims.iat, claims.exp) = (NOW - 1, NOW + 1));
    let request = |method: &str, body: &'static str| {
        let request =
            anonymous(method, "/kb/mcp").header("authorization", format!("Bearer {token}"));
        request
            .header("content-type", "application/json")
            .body(Body::from(body))
            .unwrap()
    };
    let mut listening = app
        .send(request("GET", ""))
        .await
        .into_body()
        .into_data_stream();
    let mut call = app
        .send(request("POST", TOOL_CALL))
        .await
        .into_body()
        .into_data_stream();
    let (first, second) = (feeds.recv().await.unwrap(), feeds.recv().await.unwrap());
    first.send(SAYS).await.unwrap();
    assert!(next(&mut listening).await.is_some());
    app.clock.0.fetch_add(50, Ordering::SeqCst);
    assert_eq!(next(&mut listening).await, None);
    first.closed().await;
    second.send(ANSWERS).await.unwrap();
    assert_eq!(next(&mut call).await.as_deref(), Some(ANSWERS));
}

#[tokio::test]
async fn a_subscription_ends_with_its_token_too() {
    let (app, mut feeds) = streaming().await;
    app.clock.0.fetch_add(990, Ordering::SeqCst);
    let token = app.token_with(|claims| (claims.iat, claims.exp) = (NOW - 1, NOW + 1));
    let subscribe = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let request = anonymous("POST", "/kb/mcp").header("authorization", format!("Bearer {token}"));
    let request = request.header("content-type", "application/json");
    let request = request.header("mcp-protocol-version", "2026-07-28");
    let request = request
        .header("mcp-method", "subscriptions/listen")
        .body(Body::from(subscribe));
    let mut body = app
        .send(request.unwrap())
        .await
        .into_body()
        .into_data_stream();
    let feed = feeds.recv().await.unwrap();
    app.clock.0.fetch_add(10, Ordering::SeqCst);
    assert_eq!(next(&mut body).await, None);
    feed.closed().await;
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive_between_events_only() {
    let (sender, mut feeds) = mpsc::unbounded_channel();
    let server = Server::start(move |_| {
        let (feed, response) = event_stream();
        sender.send(feed).unwrap();
        response
    })
    .await;
    let url = format!("http://{}/mcp", server.address);
    let tune = |upstream: HttpUpstream| upstream.with_keep_alive(Duration::from_millis(10));
    let app = App::in_front_of(server, &url, tune);
    let mut halved = app.send(app.call()).await.into_body().into_data_stream();
    let feed = feeds.recv().await.unwrap();
    let mut quiet = app.send(app.call()).await.into_body().into_data_stream();
    let _held = feeds.recv().await.unwrap();
    let (half, rest) = SAYS.split_at(9);
    feed.send(half).await.unwrap();
    for _ in 0..5 {
        assert_eq!(next(&mut quiet).await.as_deref(), Some(": keep-alive\n"));
    }
    feed.send(rest).await.unwrap();
    let mut seen = String::new();
    while !seen.ends_with(SAYS) {
        seen.push_str(&next(&mut halved).await.unwrap());
    }
    let comments = seen.strip_suffix(SAYS).unwrap();
    assert_eq!(comments.replace(": keep-alive\n", ""), "", "whole lines");
}

const SAYS: &str = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n";
const ANSWERS: &str = "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n\n";
