//! Several messages at once from a client of 2025-03-26: each as if it had come alone, one response for all.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{App, Client, Events, body, config, is_stream, messages, soon, told};

const BOTH: &str = "application/json, text/event-stream";

/// Opens a session of this revision; such a client says no revision in a header.
async fn begin(app: &App, revision: &str) -> Client {
    let mut client = app.client("ada", "editor");
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    }});
    let response = post(&client, BOTH, &initialize).await;
    let session = response.headers()["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(body(response).await["result"]["protocolVersion"], revision);
    client.session = Some(session);
    let ready = json!([{"jsonrpc": "2.0", "method": "notifications/initialized"}]);
    if revision == "2025-03-26" {
        let response = post(&client, BOTH, &ready).await;
        assert_eq!(
            response.status(),
            StatusCode::ACCEPTED,
            "nothing in it needs an answer"
        );
    }
    client
}

async fn post(client: &Client, accept: &str, message: &Value) -> Response<Body> {
    let mut headers = vec![("accept", accept)];
    if let Some(session) = &client.session {
        headers.push(("mcp-session-id", session));
    }
    client
        .send(Method::POST, &headers, message.to_string())
        .await
}

fn call(id: Value, name: &str, arguments: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {
        "name": name, "arguments": arguments, "_meta": {"progressToken": id},
    }})
}

/// Answers by the ids of their requests, in any order.
fn by_id(answers: &[Value], id: Value) -> &Value {
    let mut of_it = answers.iter().filter(|answer| answer["id"] == id);
    let answer = of_it
        .next()
        .unwrap_or_else(|| panic!("no {id} in {answers:?}"));
    assert!(of_it.next().is_none(), "one answer for {id}: {answers:?}");
    answer
}

#[tokio::test]
async fn a_batch_is_answered_by_an_array_with_an_answer_for_each_request() {
    for server in ["legacy", "stateless"] {
        let app = App::of(&[server]);
        let client = begin(&app, "2025-03-26").await;
        let batch = json!([
            call(json!(1), "echo", json!({"n": 1})),
            {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"},
            call(json!("b"), "echo", json!({"n": 2})),
            call(json!(3), "nothing", json!({})),
            {"jsonrpc": "2.0", "id": 4, "method": "ping"},
        ]);
        for accept in [BOTH, "application/json"] {
            let response = post(&client, accept, &batch).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert!(!is_stream(response.headers()), "{server}");
            let answers = body(response).await;
            let answers = answers.as_array().unwrap();
            assert_eq!(answers.len(), 4, "{answers:?}");
            assert_eq!(told(by_id(answers, json!(1))), json!({"n": 1}));
            assert_eq!(told(by_id(answers, json!("b"))), json!({"n": 2}));
            assert_eq!(by_id(answers, json!(3))["error"]["code"], -32602);
            assert_eq!(by_id(answers, json!(4))["result"], json!({}));
        }
    }
}

#[tokio::test]
async fn what_comes_before_the_answers_makes_a_stream_with_one_event_for_each() {
    let app = App::of(&["legacy"]);
    let client = begin(&app, "2025-03-26").await;
    let batch = json!([
        call(json!("p"), "progress", json!({})),
        call(json!("e"), "echo", json!({"n": 1})),
    ]);
    let response = post(&client, BOTH, &batch).await;
    assert!(is_stream(response.headers()));
    let all = messages(response).await;
    let (answers, events): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|message| message.get("id").is_some());
    assert_eq!(events.len(), 2);
    assert!(
        events
            .iter()
            .all(|event| event["params"]["progressToken"] == "p")
    );
    assert_eq!(told(by_id(&answers, json!("p"))), "done");
    assert_eq!(told(by_id(&answers, json!("e"))), json!({"n": 1}));
    // Who takes a stream only gets one.
    let response = post(
        &client,
        "text/event-stream",
        &json!([call(json!(1), "echo", json!({}))]),
    )
    .await;
    assert_eq!(messages(response).await.len(), 1);
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_all_of_its_batch() {
    let app = App::of(&["legacy"]);
    let client = begin(&app, "2025-03-26").await;
    let batch = json!([
        call(json!(1), "hold", json!({})),
        call(json!(2), "hold", json!({}))
    ]);
    let mut stream = Events::of(post(&client, BOTH, &batch).await);
    for _ in 0..2 {
        stream.next().await.unwrap();
    }
    assert_eq!(client.tool("held").await, 2);
    drop(stream);
    soon(async { while client.tool("held").await != 0 {} }).await;
}

#[tokio::test]
async fn a_118_each_call_of_a_batch_ends_at_its_limit() {
    let mut config = config(&["legacy"]);
    config.call_limit = Duration::from_millis(500);
    let app = App::with(config);
    let client = begin(&app, "2025-03-26").await;
    let batch = json!([
        call(json!(1), "hold", json!({})),
        call(json!("e"), "echo", json!({"n": 1})),
    ]);
    let answers = soon(messages(post(&client, BOTH, &batch).await)).await;
    let held = answers.iter().find(|message| message["id"] == 1);
    let word = &held.expect("an answer")["error"]["data"]["code"];
    assert_eq!(word, "upstream_timeout");
    assert_eq!(told(by_id(&answers, json!("e"))), json!({"n": 1}));
    soon(async { while client.tool("held").await != 0 {} }).await;
}

#[tokio::test]
async fn answers_to_the_servers_questions_may_come_at_once() {
    let app = App::of(&["legacy"]);
    let client = begin(&app, "2025-03-26").await;
    let mut stream =
        Events::of(post(&client, BOTH, &json!([call(json!(1), "sample", json!({}))])).await);
    let asked = stream.next().await.unwrap();
    let answers = json!([{"jsonrpc": "2.0", "id": asked["id"], "result": {"role": "assistant"}}]);
    assert_eq!(
        post(&client, BOTH, &answers).await.status(),
        StatusCode::ACCEPTED
    );
    let told = told(&stream.next().await.unwrap());
    assert_eq!(told, json!({"answered": {"role": "assistant"}}));
    let unasked = post(&client, BOTH, &answers).await;
    assert_eq!(
        unasked.status(),
        StatusCode::BAD_REQUEST,
        "asked once, answered once"
    );
}

#[tokio::test]
async fn a_101_only_a_session_that_agreed_on_2025_03_26_has_batches() {
    for server in ["legacy", "stateless"] {
        let app = App::of(&[server]);
        let batch = json!([call(json!(1), "echo", json!({}))]);
        for revision in ["2024-11-05", "2025-06-18", "2025-11-25"] {
            let client = begin(&app, revision).await;
            let refused = post(&client, BOTH, &batch).await;
            assert_eq!(
                refused.status(),
                StatusCode::BAD_REQUEST,
                "{server} {revision}"
            );
        }
        let nobody = app.client("ada", "editor");
        assert_eq!(
            post(&nobody, BOTH, &batch).await.status(),
            StatusCode::BAD_REQUEST
        );
        let mut thief = app.client("eve", "editor");
        thief.session = begin(&app, "2025-03-26").await.session;
        assert_eq!(
            post(&thief, BOTH, &batch).await.status(),
            StatusCode::NOT_FOUND
        );
    }
}
