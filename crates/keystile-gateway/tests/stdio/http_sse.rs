//! Clients of both eras in front of servers that speak HTTP+SSE of 2024-11-05.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use keystile_gateway::{HttpUpstream, relay::Transport};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::http::Bridged;
use crate::http_sse_server::FixtureOverSse;
use crate::log::Log;
use crate::scripted_sse::Scripted;
use crate::support::{Client, Events, body, initialize, messages, soon, told, world};

/// A client of a gateway in front of this address.
fn client(url: &str, transport: Transport) -> (Arc<Bridged>, Client) {
    let (_, ports) = world();
    let upstream = HttpUpstream::new("kb", url, None).unwrap();
    let upstream = upstream
        .with_transport(transport)
        .with_call_limit(Duration::from_secs(20));
    let bridge = Arc::new(Bridged { upstream, ports });
    let client = Client::of(Arc::clone(&bridge) as _, "ada", "editor");
    (bridge, client)
}

/// One that found out by itself what stands behind it.
async fn learned(server: &FixtureOverSse) -> Client {
    let (bridge, client) = client(&server.url, Transport::Detect);
    soon(bridge.upstream.bridge(&bridge.ports).learn()).await;
    client
}

fn call(name: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": name, "arguments": {}, "_meta": {"progressToken": "mine"}}})
}

#[tokio::test]
async fn n_tr_19_a_server_of_2024_is_found_out_and_serves_both_eras() {
    let server = FixtureOverSse::start("legacy").await;
    let mut client = learned(&server).await;
    assert_eq!(
        client.tool("pid").await.as_u64(),
        client.tool("pid").await.as_u64()
    );
    let discovered = client.stateless(json!(1), "server/discover", json!({}));
    let discovered = body(discovered.await).await;
    assert_eq!(
        discovered["result"]["supportedVersions"],
        json!(["2026-07-28"])
    );
    let stateless = client.tool("pid").await;

    let result = client.initialize(json!({})).await;
    assert_eq!(result["serverInfo"]["name"], "fixture");
    assert_ne!(client.tool("pid").await, stateless, "a session of its own");
    assert_eq!(
        client.tool("seen").await[0]["method"],
        "notifications/initialized"
    );
}

#[tokio::test]
async fn progress_questions_and_changes_come_through_the_one_stream() {
    let server = FixtureOverSse::start("legacy").await;
    let (_, mut client) = client(&server.url, Transport::HttpSse);
    client.initialize(json!({"elicitation": {}})).await;
    let all = messages(client.legacy(call("progress")).await).await;
    assert_eq!(all[0]["params"]["progressToken"], "mine");
    assert_eq!(all.len(), 3, "{all:?}");

    let mut stream = Events::of(client.legacy(call("ask")).await);
    let asked = stream.next().await.unwrap();
    let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "decline"}});
    assert_eq!(client.legacy(answer).await.status(), StatusCode::ACCEPTED);
    let answered = told(&stream.next().await.unwrap());
    assert_eq!(answered["answered"]["action"], "decline");

    client.tool("change").await;
    let mut stream = Events::of(client.stream().await);
    let next = stream.next().await.unwrap();
    assert_eq!(next["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn a_closed_stream_cancels_the_call_at_a_server_of_2024() {
    let server = FixtureOverSse::start("legacy").await;
    let (_, mut client) = client(&server.url, Transport::HttpSse);
    client.initialize(json!({})).await;
    let mut stream = Events::of(client.legacy(call("hold")).await);
    stream.next().await.unwrap();
    assert_eq!(client.tool("held").await, 1);
    drop(stream);
    soon(async {
        while client.tool("held").await != 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_session_closes_the_stream_of_the_server() {
    let server = FixtureOverSse::start("legacy").await;
    let (_, mut client) = client(&server.url, Transport::HttpSse);
    client.initialize(json!({})).await;
    let mut open = server.open.clone();
    soon(open.wait_for(|open| *open == 1)).await.unwrap();
    let session = client.session.clone().unwrap();
    let headers = [("mcp-session-id", &*session)];
    let goodbye = client.send(http::Method::DELETE, &headers, String::new());
    assert_eq!(goodbye.await.status(), StatusCode::NO_CONTENT);
    soon(open.wait_for(|open| *open == 0)).await.unwrap();
}

#[tokio::test]
async fn a_server_that_ends_its_stream_is_called_anew() {
    let server = FixtureOverSse::start("legacy").await;
    let (_, mut client) = client(&server.url, Transport::HttpSse);
    client.initialize(json!({})).await;
    let cut = body(client.legacy(call("die")).await).await;
    assert_eq!(cut["error"]["data"]["code"], "upstream_closed", "{cut}");
    let gone = client.legacy(call("pid")).await;
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    client.session = None;
    client.initialize(json!({})).await;
    assert!(client.tool("pid").await.is_u64());
}

/// What a refused handshake is answered with.
async fn refused(url: &str) -> Value {
    let (_, client) = client(url, Transport::HttpSse);
    let response = client.legacy(initialize(json!({}))).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    body(response).await["error"].clone()
}

/// Whoever connects is counted.
async fn elsewhere() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, dialled) = (listener.local_addr().unwrap().port(), Arc::default());
    let count: Arc<AtomicUsize> = Arc::clone(&dialled);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, dialled)
}

#[tokio::test]
async fn a_139_messages_go_to_the_servers_own_origin_only() {
    let (log, _listening) = Log::listen();
    let (evil, dialled) = elsewhere().await;
    for endpoint in [
        "//127.0.0.1:EVIL/m",
        "http://127.0.0.1:EVIL/m",
        "https://OWN/m",
        "http://localhost:EVIL/m",
        r"/\127.0.0.1:EVIL/m",
        r"\\127.0.0.1:EVIL/m",
        "/\t/127.0.0.1:EVIL/m",
        "http://OWN@127.0.0.1:EVIL/m",
        "http://user@OWN/m",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://",
        "/\u{2f}\u{ff0f}127.0.0.1:EVIL/m",
    ] {
        let event = |own: std::net::SocketAddr| {
            let named = endpoint.replace("EVIL", &evil.to_string());
            let named = named.replace("OWN", &own.to_string());
            format!("event: endpoint\ndata: {named}\n\n")
        };
        let server = Scripted::start(event, "").await;
        let error = soon(refused(&server.url())).await;
        assert_eq!(
            error["data"]["code"], "upstream_foreign_endpoint",
            "{endpoint}: {error}"
        );
        assert!(
            !error.to_string().contains("127.0.0.1"),
            "told to the client: {error}"
        );
        assert_eq!(*server.posted.borrow(), 0, "{endpoint}");
    }
    assert_eq!(dialled.load(Ordering::SeqCst), 0);
    assert!(log.text().contains(&format!("http://127.0.0.1:{evil}/m")));
}

#[tokio::test]
async fn a_139_an_endpoint_is_named_once() {
    let (evil, dialled) = elsewhere().await;
    let second = format!("event: endpoint\ndata: http://127.0.0.1:{evil}/m\n\n");
    let server = Scripted::start(|_| "event: endpoint\ndata: /m\n\n".into(), second).await;
    let error = soon(refused(&server.url())).await;
    assert_eq!(error["data"]["code"], "upstream_second_endpoint", "{error}");
    assert_eq!(dialled.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_stream_without_an_endpoint_is_given_up() {
    let message = "data: {\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}\n\n";
    let endpoint = "event: endpoint\ndata: /m\n\n";
    for begins in [
        format!("{message}{endpoint}"),
        ": nothing\n\n".repeat(10_000) + endpoint,
        "event: ping\ndata: 1\n\n".repeat(10_000) + endpoint,
        format!("event: endpoint\ndata: /{}\n\n", "m".repeat(100_000)),
    ] {
        let server = Scripted::start(|_| begins, "").await;
        let error = soon(refused(&server.url())).await;
        assert_eq!(error["data"]["code"], "upstream_no_endpoint", "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_says_nothing_is_given_up_in_time() {
    let server = Scripted::start(|_| ": wait\n\n".into(), "").await;
    let (_, client) = client(&server.url(), Transport::HttpSse);
    let response = client.legacy(initialize(json!({}))).await;
    let error = body(response).await;
    assert_eq!(
        error["error"]["data"]["code"], "upstream_no_endpoint",
        "{error}"
    );
}

#[tokio::test]
async fn what_is_too_long_or_not_mcp_ends_the_stream() {
    let endpoint = "event: endpoint\ndata: /m\n\n";
    for (then, code) in [
        (
            format!("data: {}\n\n", "x".repeat(17 << 20)),
            "upstream_message_too_long",
        ),
        (
            "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2}\n\n".into(),
            "upstream_not_mcp",
        ),
        ("data: <html>\n\n".into(), "upstream_not_mcp"),
    ] {
        let server = Scripted::start(|_| endpoint.into(), then).await;
        let error = soon(refused(&server.url())).await;
        assert_eq!(error["data"]["code"], code, "{error}");
    }
}

#[tokio::test]
async fn a_stream_that_redirects_is_not_followed() {
    let (evil, dialled) = elsewhere().await;
    let router = axum::Router::new().fallback(move || async move {
        let place = format!("http://127.0.0.1:{evil}/sse");
        (StatusCode::TEMPORARY_REDIRECT, [("location", place)])
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/sse", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let error = refused(&url).await;
    assert_eq!(error["data"]["code"], "upstream_bad_status");
    assert_eq!(dialled.load(Ordering::SeqCst), 0);
}
