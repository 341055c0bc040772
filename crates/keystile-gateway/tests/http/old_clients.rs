//! Clients that speak HTTP+SSE of 2024-11-05, in front of servers of every transport.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt as _;
use http::StatusCode;
use keystile_gateway::stdio::{Pool, StdioConfig};
use keystile_gateway::{Upstream, relay::Transport};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::http_sse_server::FixtureOverSse;
use crate::log::Log;
use crate::old_client::{OldClient, SSE, bearer, get, initialize, post, request, tool};
use crate::support::{
    App, GRANT, NOW, Server, anonymous, challenge, event_stream, json_answer, refusal,
};

async fn nobody() -> Server {
    Server::start(|_| json_answer("{}")).await
}

/// In front of the fixture, in this era, as a stdio server.
async fn over_stdio(era: &'static str) -> App {
    App::with(nobody().await, |ports| {
        let argv = [env!("CARGO_BIN_EXE_stdio-fixture"), era];
        let env = vec![("PATH".into(), "/usr/bin:/bin".into())];
        let mut config = StdioConfig::new("fixture", argv.map(Into::into).to_vec(), env);
        config.start_limit = Duration::from_secs(20);
        config.max_children_per_person = 3;
        Upstream::Stdio(Arc::new(Pool::new(config, ports.clone())))
    })
}

async fn over_sse(server: &FixtureOverSse) -> App {
    App::in_front_of(nobody().await, &server.url, |upstream| {
        upstream.with_transport(Transport::HttpSse)
    })
}

/// A Streamable HTTP server whose tools answer when the test says so.
async fn over_http() -> (App, mpsc::UnboundedReceiver<mpsc::Sender<&'static str>>) {
    let (sender, feeds) = mpsc::unbounded_channel();
    let app = App::new(move |seen| {
        let message: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        match message["method"].as_str() {
            Some("initialize") => json_answer(
                &json!({"jsonrpc": "2.0", "id": message["id"], "result": {
                    "protocolVersion": "2024-11-05", "capabilities": {},
                    "serverInfo": {"name": "new", "version": "1"}}})
                .to_string(),
            ),
            Some("tools/call") => {
                let (feed, response) = event_stream();
                sender.send(feed).expect("works in a test");
                response
            }
            _ => {
                let mut response = json_answer("");
                *response.status_mut() = match message["method"].is_null() {
                    true => StatusCode::METHOD_NOT_ALLOWED,
                    false => StatusCode::ACCEPTED,
                };
                response
            }
        }
    })
    .await;
    (app, feeds)
}

#[tokio::test]
async fn n_tr_19_an_old_client_is_told_a_path_of_ours_and_posts_there() {
    let server = FixtureOverSse::start("legacy").await;
    for app in [over_stdio("legacy").await, over_sse(&server).await] {
        let mut client = OldClient::ready(&app).await;
        let id = client.endpoint.strip_prefix("/kb/mcp/messages?session_id=");
        let id = id.expect("a path of ours, and no host");
        assert!(
            id.len() >= 32
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
            "{id}"
        );

        client.post(&tool(1, "progress")).await;
        assert_eq!(client.next().await["params"]["progressToken"], "mine");
        client.next().await;
        assert_eq!(client.next().await["id"], 1);

        client.post(&tool(2, "ask")).await;
        let asked = client.next().await;
        assert_eq!(asked["method"], "elicitation/create");
        let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "decline"}});
        client.post(&answer).await;
        let answer = client.next().await;
        assert!(
            answer["id"] == 2 && answer.to_string().contains("decline"),
            "{answer}"
        );

        client.post(&tool(3, "change")).await;
        let mut said = Vec::new();
        while said.len() < 4 {
            said.push(client.next().await);
        }
        let answers = said.iter().filter(|message| message["id"] == 3).count();
        assert_eq!(answers, 1, "{said:?}");
    }
}

#[tokio::test]
async fn an_old_client_uses_a_server_that_speaks_2026_only() {
    let app = over_stdio("stateless").await;
    let mut client = OldClient::ready(&app).await;
    client.post(&tool(1, "params")).await;
    let answer = client.next().await;
    assert!(answer["result"]["content"].is_array(), "{answer}");
}

#[tokio::test]
async fn a_112_an_address_opens_nobodys_session() {
    let (log, _listening) = Log::listen();
    let app = over_stdio("legacy").await;
    let mut client = OldClient::ready(&app).await;
    let endpoint = client.endpoint.clone();
    let (path, id) = endpoint.split_once("?session_id=").expect("it has an id");
    let call = tool(1, "pid");
    let other_person = app.token_with(|claims| claims.sub = "somebody-else".to_owned());
    let other_client = app.token_with(|claims| claims.client_id = "client-2".to_owned());
    for token in [&other_person, &other_client] {
        let answer = refusal(app.send(post(&endpoint, token, &call)).await).await;
        assert_eq!((answer.0, &*answer.2), (404, "unknown_session"));
    }
    let other_server = app.token_with(|claims| {
        claims.aud = claims.aud.replace("/kb/", "/git/");
        claims.scope = "git:call".to_owned();
    });
    let elsewhere = endpoint.replace("/kb/", "/git/");
    let answer = refusal(app.send(post(&elsewhere, &other_server, &call)).await).await;
    assert_eq!((answer.0, &*answer.2), (404, "unknown_session"));
    let none = anonymous("POST", &endpoint).header("content-type", "application/json");
    let none = app
        .send(none.body(Body::from(call.to_string())).unwrap())
        .await;
    assert_eq!(none.status(), StatusCode::UNAUTHORIZED);

    // With one session and with two.
    let _second = OldClient::connect(&app, app.token()).await;
    for query in [
        String::new(),
        "?session_id=".to_owned(),
        format!("?sessionId={id}"),
        format!("?session_id={id}&session_id={id}"),
        format!("?session_id={}", &id[1..]),
        format!("?session_id={id}%20"),
    ] {
        let answer = refusal(client.post_to(&format!("{path}{query}"), &call).await).await;
        assert_eq!((answer.0, &*answer.2), (404, "unknown_session"), "{query}");
    }
    client.post(&call).await;
    assert_eq!(
        client.next().await["id"],
        1,
        "its own client is none the worse for it"
    );
    assert!(!log.text().contains(id), "the log has no id");
    assert!(
        !app.audit
            .events
            .lock()
            .iter()
            .any(|event| event.to_string().contains(id))
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_on_the_stream() {
    let app = over_stdio("legacy").await;
    let mut client = OldClient::connect(&app, app.token()).await;
    for (message, code, word) in [
        (tool(1, "pid"), -32600, "no_session_named"),
        (
            request(
                2,
                "server/discover",
                json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}),
            ),
            -32601,
            "unknown_method",
        ),
        (
            request(3, "tools/Call", json!({})),
            -32601,
            "unknown_method",
        ),
        (
            request(
                4,
                "tools/list",
                json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}),
            ),
            -32022,
            "unsupported_version",
        ),
    ] {
        client.post(&message).await;
        let answer = client.next().await;
        assert_eq!(answer["id"], message["id"], "{answer}");
        assert_eq!(answer["error"]["code"], code, "{answer}");
        assert_eq!(answer["error"]["data"]["code"], word, "{answer}");
    }
    let denied = app
        .audit
        .events
        .lock()
        .iter()
        .filter(|event| event["outcome"] == "deny")
        .count();
    assert_eq!(denied, 4);
    client.post(&initialize()).await;
    assert!(client.next().await["result"].is_object());
    client.post(&initialize()).await;
    assert_eq!(
        client.next().await["error"]["data"]["code"],
        "second_initialize"
    );
}

#[tokio::test]
async fn what_is_no_message_is_refused_where_it_was_posted() {
    let app = over_stdio("legacy").await;
    let client = OldClient::ready(&app).await;
    let batch = json!([tool(1, "pid")]);
    let twice = Value::String("twice".to_owned());
    for message in [batch, twice] {
        let answer = refusal(client.post_to(&client.endpoint, &message).await).await;
        assert_eq!((answer.0, &*answer.2), (400, "not_a_message"));
    }
    let answer = json!({"jsonrpc": "2.0", "id": "nobody asked", "result": {}});
    let answer = refusal(client.post_to(&client.endpoint, &answer).await).await;
    assert_eq!((answer.0, &*answer.2), (400, "not_asked"));
}

#[tokio::test]
async fn an_old_client_needs_what_every_client_needs() {
    let app = over_stdio("legacy").await;
    let refused = app
        .send(anonymous("GET", SSE).body(Body::empty()).unwrap())
        .await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let metadata =
        "resource_metadata=\"http://localhost:7717/.well-known/oauth-protected-resource/kb/mcp\"";
    assert!(
        challenge(&refused).contains(metadata),
        "{}",
        challenge(&refused)
    );

    let reads = app.token_with(|claims| claims.scope = "kb:read".to_owned());
    let mut client = OldClient::connect(&app, reads).await;
    client.post(&initialize()).await;
    client.next().await;
    client.post(&request(1, "tools/list", json!({}))).await;
    assert!(client.next().await["result"].is_object());
    let refused = client.post_to(&client.endpoint, &tool(2, "pid")).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(challenge(&refused).contains("insufficient_scope"));

    let foreign = bearer("GET", SSE, &app.token()).header("origin", "https://evil.example");
    let foreign = app.send(foreign.body(Body::empty()).unwrap()).await;
    assert_eq!(refusal(foreign).await.2, "foreign_origin");
    for (method, path, allowed) in [
        ("POST", SSE, "GET, OPTIONS"),
        ("GET", "/kb/mcp/messages", "POST, OPTIONS"),
    ] {
        let answer = app
            .send(
                bearer(method, path, &app.token())
                    .body(Body::empty())
                    .unwrap(),
            )
            .await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers()["allow"], allowed);
    }
    let events = app.audit.events.lock();
    assert!(
        events
            .iter()
            .any(|event| event["method"] == "tools/list" && event["outcome"] == "allow")
    );
}

#[tokio::test]
async fn a_closed_stream_ends_the_session_at_the_server() {
    let server = FixtureOverSse::start("legacy").await;
    let app = over_sse(&server).await;
    let client = OldClient::ready(&app).await;
    let mut open = server.open.clone();
    open.wait_for(|open| *open == 1).await.unwrap();
    let endpoint = client.endpoint.clone();
    drop(client);
    open.wait_for(|open| *open == 0).await.unwrap();
    let answer = app
        .send(post(&endpoint, &app.token(), &tool(1, "pid")))
        .await;
    assert_eq!(refusal(answer).await.2, "unknown_session");
}

#[tokio::test]
async fn the_stream_ends_with_the_server() {
    let app = over_stdio("legacy").await;
    let mut client = OldClient::ready(&app).await;
    client.post(&tool(1, "die")).await;
    let answer = client.next().await;
    assert_eq!(answer["error"]["data"]["code"], "stdio_exited", "{answer}");
    assert_eq!(client.event().await, None);
}

#[tokio::test]
async fn a_118_an_old_clients_stream_ends_with_its_token_once_its_calls_are_answered() {
    let (app, mut feeds) = over_http().await;
    let at = i64::try_from(NOW).unwrap() * 1000;
    app.clock.0.store(at + 990, Ordering::SeqCst);
    let mut client = OldClient::ready(&app).await;
    let short = app.token_with(|claims| claims.exp = NOW + 1);
    let mut idle = OldClient::connect(&app, short.clone()).await;
    let mut busy = OldClient::connect(&app, short).await;
    busy.post(&initialize()).await;
    busy.next().await;
    busy.post(&tool(1, "slow")).await;
    let feed = feeds.recv().await.unwrap();
    app.clock.0.store(at + 1000, Ordering::SeqCst);
    assert_eq!(idle.event().await, None, "its token has ended");
    let seen = app.server.seen.lock().clone();
    let asked = seen
        .iter()
        .filter_map(|seen| serde_json::from_slice::<Value>(&seen.body).ok());
    let call = asked.last().unwrap();
    let answer = json!({"jsonrpc": "2.0", "id": call["id"], "result": {"late": true}});
    feed.send(format!("data: {answer}\n\n").leak())
        .await
        .unwrap();
    assert_eq!(busy.next().await["result"]["late"], true);
    assert_eq!(busy.event().await, None);

    client.post(&tool(1, "slow")).await;
    let feed = feeds.recv().await.unwrap();
    app.revocations.revoke(GRANT.parse().unwrap());
    while client.event().await.is_some() {}
    let closed = tokio::time::timeout(Duration::from_secs(5), feed.closed());
    closed.await.expect("the call ends with the grant");
}

#[tokio::test]
async fn a_later_token_makes_the_stream_last_longer() {
    let app = over_stdio("legacy").await;
    let at = i64::try_from(NOW).unwrap() * 1000;
    app.clock.0.store(at + 990, Ordering::SeqCst);
    let short = app.token_with(|claims| claims.exp = NOW + 1);
    let mut client = OldClient::connect(&app, short.clone()).await;
    let mut other = OldClient::connect(&app, short).await;
    client.token = app.token();
    client.post(&initialize()).await;
    client.next().await;
    app.clock.0.store(at + 1000, Ordering::SeqCst);
    assert_eq!(other.event().await, None);
    client.post(&tool(1, "pid")).await;
    assert_eq!(client.next().await["id"], 1);
}

#[tokio::test]
async fn one_person_has_so_many_streams_and_no_more() {
    let app = over_stdio("legacy").await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(OldClient::connect(&app, app.token()).await);
    }
    let refused = refusal(app.send(get(SSE, &app.token())).await).await;
    assert_eq!((refused.0, &*refused.2), (429, "too_many_requests"));
    let other = app.token_with(|claims| claims.sub = "somebody-else".to_owned());
    OldClient::connect(&app, other).await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_of_an_old_client_is_kept_alive() {
    let app = over_stdio("legacy").await;
    let mut client = OldClient::connect(&app, app.token()).await;
    let chunk = client.events.next().await.unwrap().unwrap();
    assert_eq!(&chunk[..], b":\n\n");
}
