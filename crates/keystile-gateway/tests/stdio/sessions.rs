//! Clients of 2025 in front of a server of 2025.

use http::StatusCode;
use keystile_domain::time::Timestamp;
use serde_json::json;

use crate::log::Log;
use crate::support::{
    App, Client, Events, NOW, body, gone, initialize, is_stream, messages, soon, told,
};

async fn ready(app: &App) -> Client {
    let mut client = app.client("ada", "editor");
    client
        .initialize(json!({"sampling": {}, "elicitation": {}}))
        .await;
    client
}

fn call(id: serde_json::Value, name: &str) -> serde_json::Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": name, "arguments": {}}})
}

#[tokio::test]
async fn a_tool_is_called_and_the_answer_keeps_its_bytes() {
    let app = App::of(&["legacy"]);
    let client = ready(&app).await;
    let response = client
        .legacy_text(
            r#"{"jsonrpc":"2.0","id": 7 ,"method":"tools/call","params":{"name":"lexeme"}}"#.into(),
        )
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(!is_stream(response.headers()));
    let bytes = http_body_util::BodyExt::collect(response.into_body())
        .await
        .unwrap()
        .to_bytes();
    assert_eq!(
        &bytes[..],
        br#"{"jsonrpc":"2.0","id":7,"result":{"content":[], "n" : 1.50e2}}"#
    );
}

#[tokio::test]
async fn the_server_is_told_what_the_client_said() {
    let app = App::of(&["legacy"]);
    let client = ready(&app).await;
    let told = client.tool("initialized").await;
    assert_eq!(
        told["capabilities"],
        json!({"sampling": {}, "elicitation": {}})
    );
    assert_eq!(told["clientInfo"]["name"], "test");
    let seen = client.tool("seen").await;
    assert_eq!(seen[0]["method"], "notifications/initialized");
}

#[tokio::test]
async fn progress_comes_before_the_answer_under_the_clients_token() {
    let app = App::of(&["legacy"]);
    let client = ready(&app).await;
    let mut request = call(json!("x"), "progress");
    request["params"]["_meta"] = json!({"progressToken": "mine"});
    let all = messages(client.legacy(request).await).await;
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(
        all[0]["params"],
        json!({"progressToken": "mine", "progress": 1})
    );
    assert_eq!(all[2]["id"], "x");
}

#[tokio::test]
async fn the_server_asks_in_the_middle_of_a_call() {
    let app = App::of(&["legacy"]);
    let client = ready(&app).await;
    let mut stream = Events::of(client.legacy(call(json!(1), "sample")).await);
    let asked = stream.next().await.unwrap();
    assert_eq!(asked["method"], "sampling/createMessage");
    let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"role": "assistant"}});
    let accepted = client.legacy(answer.clone()).await;
    assert_eq!(accepted.status(), StatusCode::ACCEPTED);
    let told = told(&stream.next().await.unwrap());
    assert_eq!(told, json!({"answered": {"role": "assistant"}}));
    assert!(stream.next().await.is_none());
    // Asked once, answered once.
    assert_eq!(
        client.legacy(answer).await.status(),
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn what_belongs_to_no_call_comes_on_the_get_stream() {
    let app = App::of(&["legacy"]);
    let client = ready(&app).await;
    client.tool("change").await;
    let mut stream = Events::of(client.stream().await);
    assert_eq!(
        stream.next().await.unwrap()["method"],
        "notifications/tools/list_changed"
    );
    assert_eq!(
        stream.next().await.unwrap()["method"],
        "notifications/prompts/list_changed"
    );
}

#[tokio::test]
async fn a_cancelled_call_is_cancelled_at_the_server_under_its_own_id() {
    let app = App::of(&["legacy"]);
    let client = ready(&app).await;
    let mut request = call(json!(5), "hold");
    request["params"]["_meta"] = json!({"progressToken": 1});
    let mut stream = Events::of(client.legacy(request).await);
    stream.next().await.unwrap();
    assert_eq!(client.tool("held").await, json!(1));
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5, "reason": "r"}});
    assert_eq!(client.legacy(cancel).await.status(), StatusCode::ACCEPTED);
    assert_eq!(client.tool("held").await, json!(0));
    assert_eq!(client.tool("seen").await[1]["params"]["reason"], "r");
    let ended = stream.next().await.unwrap();
    assert_eq!(ended["id"], 5);
    assert!(
        ended["error"]["message"]
            .as_str()
            .unwrap()
            .contains("cancelled")
    );
}

#[tokio::test]
async fn n_tr_18_a_session_is_random_bound_to_its_owner_and_ends() {
    let app = App::of(&["legacy"]);
    let client = ready(&app).await;
    let session = client.session.clone().unwrap();
    assert!(session.len() >= 22 && session.bytes().all(|byte| (0x21..=0x7e).contains(&byte)));

    let mut thief = app.client("eve", "editor");
    thief.session = Some(session.clone());
    for (who, status) in [
        (thief.clone(), 404),
        (app_client(&app, "ada", "other", &session), 404),
    ] {
        assert_eq!(
            who.legacy(call(json!(1), "pid")).await.status().as_u16(),
            status
        );
        assert_eq!(who.stream().await.status().as_u16(), status);
        let end = who
            .send(
                http::Method::DELETE,
                &[("mcp-session-id", &session)],
                String::new(),
            )
            .await;
        assert_eq!(end.status().as_u16(), status);
    }
    let pid = client.tool("pid").await.as_u64().unwrap();

    let end = client
        .send(
            http::Method::DELETE,
            &[("mcp-session-id", &session)],
            String::new(),
        )
        .await;
    assert_eq!(end.status(), StatusCode::NO_CONTENT);
    assert_eq!(
        client.legacy(call(json!(1), "pid")).await.status(),
        StatusCode::NOT_FOUND
    );
    gone(pid).await;
}

fn app_client(app: &App, person: &str, client: &str, session: &str) -> Client {
    let mut client = app.client(person, client);
    client.session = Some(session.to_owned());
    client
}

#[tokio::test]
async fn a_115_a_session_outlives_the_token_that_opened_it() {
    let app = App::of(&["legacy"]);
    let mut client = ready(&app).await;
    let pid = client.tool("pid").await;
    client.caller.issued_at = Timestamp(client.caller.issued_at.0 + 599_000);
    client.caller.expires_at = Timestamp(client.caller.expires_at.0 + 599_000);
    assert_eq!(client.tool("pid").await, pid);
}

#[tokio::test]
async fn a_114_a_second_stream_does_not_take_the_first_ones_place() {
    let app = App::of(&["legacy"]);
    let client = ready(&app).await;
    let mut first = Events::of(client.stream().await);
    assert_eq!(client.stream().await.status(), StatusCode::CONFLICT);
    let session = client.session.clone().unwrap();
    let replay = [("mcp-session-id", session.as_str()), ("last-event-id", "1")];
    let thief = app.client("eve", "editor");
    assert_eq!(
        thief
            .send(http::Method::GET, &replay, String::new())
            .await
            .status(),
        StatusCode::NOT_FOUND
    );
    client.tool("change").await;
    assert_eq!(
        first.next().await.unwrap()["method"],
        "notifications/tools/list_changed"
    );
    drop(first);
    // The place is free again once the first is gone.
    let mut again = client.stream().await;
    while again.status() == StatusCode::CONFLICT {
        tokio::task::yield_now().await;
        again = client.stream().await;
    }
    client.tool("change").await;
    Events::of(again).next().await.unwrap();
}

#[tokio::test]
async fn a_158_an_id_in_flight_is_not_taken_twice() {
    let app = App::of(&["legacy"]);
    let client = ready(&app).await;
    let mut request = call(json!(1), "hold");
    request["params"]["_meta"] = json!({"progressToken": 1});
    let mut first = Events::of(client.legacy(request).await);
    first.next().await.unwrap();
    for id in ["1", "\"1\"", "1.0", "null"] {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"pid"}}}}"#
        );
        let second = client.legacy_text(text).await;
        assert_eq!(second.status(), StatusCode::BAD_REQUEST, "{id}");
        assert_eq!(body(second).await["error"]["code"], -32600, "{id}");
    }
    client.tool("release").await;
    let answer = first.next().await.unwrap();
    assert_eq!(answer["id"], 1);
    assert_eq!(told(&answer), "released");
}

#[tokio::test]
async fn a_113_an_answer_reaches_only_the_call_it_belongs_to() {
    let app = App::of(&["legacy"]);
    let client = ready(&app).await;
    // The server answers an id that nobody has, and reports progress to a token that nobody has.
    assert_eq!(client.tool("stray").await, "done");
    // Ids at the server are 128 bits and never the client's.
    let first = client.tool("id").await;
    let second = client.tool("id").await;
    assert_eq!(first.as_str().unwrap().len(), 32);
    assert_ne!(first, second);
    // Many people with the same ids: each reads its own words.
    let calls = (0..20).map(|n| {
        let mut one = app.client(&format!("person-{n}"), "editor");
        async move {
            let opened = one.initialize(json!({})).await;
            assert_eq!(opened["serverInfo"]["name"], "fixture");
            let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                "params": {"name": "echo", "arguments": {"n": n}}});
            assert_eq!(
                told(&body(one.legacy(request).await).await),
                json!({"n": n})
            );
        }
    });
    futures_util::future::join_all(calls).await;
}

#[tokio::test]
async fn a_118_streams_end_with_the_token_and_everything_ends_with_the_grant() {
    let app = App::of(&["legacy"]);
    let client = ready(&app).await;
    let mut short = client.clone();
    short.caller.expires_at = Timestamp(crate::support::NOW);
    let stream = short.stream().await;
    assert!(
        soon(messages(stream)).await.is_empty(),
        "the stream is over as soon as the token is"
    );

    let mut request = call(json!(1), "hold");
    request["params"]["_meta"] = json!({"progressToken": 1});
    let mut running = Events::of(short.legacy(request).await);
    running.next().await.unwrap();
    client.tool("release").await;
    assert_eq!(
        told(&running.next().await.unwrap()),
        "released",
        "a running call outlives its token"
    );

    let mut request = call(json!(2), "hold");
    request["params"]["_meta"] = json!({"progressToken": 2});
    let mut running = Events::of(client.legacy(request).await);
    running.next().await.unwrap();
    // The GET stream's place may still be taken by the one that has just ended.
    let mut stream = client.stream().await;
    while stream.status() == StatusCode::CONFLICT {
        tokio::task::yield_now().await;
        stream = client.stream().await;
    }
    let pid = client.tool("pid").await.as_u64().unwrap();
    app.world.revoked.revoke(client.caller.grant);
    let last = soon(running.next()).await.unwrap();
    assert_eq!(last["error"]["data"]["code"], "grant_revoked");
    let reference = last["error"]["data"]["reference"].as_str().unwrap();
    let kept = app
        .flows
        .lookup(&reference.parse().unwrap(), Timestamp(NOW));
    let kept = kept.expect("doctor knows what ended in the middle of a stream, too");
    assert_eq!(kept.failure().unwrap().1.reason, "grant_revoked");
    assert!(running.next().await.is_none());
    assert!(soon(messages(stream)).await.is_empty());
    gone(pid).await;
}

#[tokio::test]
async fn a_second_initialize_and_a_request_without_a_session_are_refused() {
    let app = App::of(&["legacy"]);
    let client = ready(&app).await;
    assert_eq!(
        client.legacy(initialize(json!({}))).await.status(),
        StatusCode::BAD_REQUEST
    );
    let stranger = app.client("ada", "editor");
    assert_eq!(
        stranger.legacy(call(json!(1), "pid")).await.status(),
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        stranger
            .send(http::Method::GET, &[], String::new())
            .await
            .status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn a_113_what_only_clients_say_does_not_come_from_a_server() {
    let app = App::of(&["legacy"]);
    let mut client = app.client("ada", "editor");
    client.initialize(json!({})).await;
    client.tool("pretend").await;
    let mut stream = Events::of(client.stream().await);
    let next = stream.next().await.unwrap();
    assert_eq!(next["method"], "notifications/acme/news");
}

#[tokio::test]
async fn what_a_call_asks_behind_a_burst_reaches_its_client() {
    let app = App::of(&["legacy"]);
    let client = ready(&app).await;
    let mut stream = Events::of(client.legacy(call(json!(1), "log_and_ask")).await);
    for step in 1..=1000 {
        let said = soon(stream.next()).await.expect("it goes on");
        assert_eq!(said["params"]["data"], step);
    }
    let asked = soon(stream.next()).await.expect("it is asked");
    assert_eq!(asked["method"], "elicitation/create");
    let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "decline"}});
    client.legacy(answer).await;
    let last = soon(stream.next()).await.expect("an answer");
    assert_eq!(last["id"], 1);
}

#[tokio::test]
async fn a_113_what_only_clients_ask_is_declined_and_named() {
    let (log, _listening) = Log::listen();
    let app = App::of(&["legacy"]);
    let client = ready(&app).await;
    let response = soon(client.legacy(call(json!(1), "inject_call"))).await;
    // Nothing came before the answer.
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(told(&body(response).await), "done");
    let log = log.text();
    assert!(log.contains("the request tools/call"), "{log}");
    assert!(log.contains("a request that no server sends"), "{log}");
}
