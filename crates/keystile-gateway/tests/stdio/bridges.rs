//! Client and server of different eras.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{App, Client, Events, body, is_stream, messages, told};

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

// A client of 2026-07-28, a server of 2025.

#[tokio::test]
async fn a_legacy_server_looks_like_2026_to_a_stateless_client() {
    for era in ["legacy", "strict-legacy"] {
        let app = App::of(&[era]);
        let client = app.client("ada", "editor");
        let discovered = body(
            client
                .stateless(json!(1), "server/discover", json!({}))
                .await,
        )
        .await;
        let result = &discovered["result"];
        assert_eq!(result["supportedVersions"], json!(["2026-07-28"]));
        assert_eq!(
            result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
            "fixture"
        );
        let list =
            body(client.stateless(json!(2), "tools/list", json!({})).await).await["result"].clone();
        assert_eq!(
            (&list["resultType"], &list["cacheScope"]),
            (&json!("complete"), &json!("private"))
        );
        assert!(list["tools"][0].get("execution").is_none());
        let told = client.tool("params").await;
        assert_eq!(told, json!({"name": "params", "arguments": {}}));
        let initialized = client.tool("initialized").await;
        assert_eq!(
            initialized["capabilities"],
            json!({}),
            "no sampling, no roots"
        );
    }
}

#[tokio::test]
async fn what_a_legacy_server_lacks_is_refused_with_status_and_code() {
    let app = App::of(&["legacy"]);
    let client = app.client("ada", "editor");
    let missing = client
        .stateless(json!(1), "resources/read", json!({"uri": "f:///no"}))
        .await;
    assert_eq!(missing.status(), StatusCode::OK);
    assert_eq!(
        body(missing).await["error"]["code"],
        -32602,
        "2025 said -32002"
    );
    let unknown = client.stateless(json!(1), "skills/list", json!({})).await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    let error = body(unknown).await["error"].clone();
    assert_eq!(error["data"]["code"], "not_bridged");
    assert!(error["data"]["reference"].is_string(), "{error}");
}

#[tokio::test]
async fn elicitation_becomes_input_that_is_required() {
    let app = App::of(&["legacy"]);
    let mut client = app.client("ada", "editor");
    client.elicits = true;
    assert_eq!(
        client.tool("initialized").await["capabilities"],
        json!({"elicitation": {"form": {}}})
    );
    let ask = json!({"name": "ask", "arguments": {"a": 1}});
    let asked =
        body(client.stateless(json!(1), "tools/call", ask.clone()).await).await["result"].clone();
    assert_eq!(asked["resultType"], "input_required");
    let (key, request) = asked["inputRequests"]
        .as_object()
        .unwrap()
        .iter()
        .next()
        .unwrap();
    assert_eq!(request["method"], "elicitation/create");
    assert_eq!(request["params"]["message"], "Your name?");

    let mut retry = ask.clone();
    retry["requestState"] = asked["requestState"].clone();
    // Without the answer it is asked for again.
    let again = body(
        client
            .stateless(json!(2), "tools/call", retry.clone())
            .await,
    )
    .await["result"]
        .clone();
    assert_eq!(again["inputRequests"], asked["inputRequests"]);
    retry["inputResponses"] = json!({key: {"action": "accept", "content": {"name": "Ada"}}});
    let answer = body(
        client
            .stateless(json!("last"), "tools/call", retry.clone())
            .await,
    )
    .await;
    assert_eq!(answer["id"], "last");
    assert_eq!(answer["result"]["resultType"], "complete");
    assert_eq!(told(&answer)["answered"]["content"]["name"], "Ada");
    // It works once.
    let replay = client.stateless(json!(3), "tools/call", retry).await;
    assert_eq!(replay.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_question_that_nobody_came_back_for_does_not_swallow_the_next_one() {
    let app = App::of(&["legacy"]);
    let mut client = app.client("ada", "editor");
    client.elicits = true;
    let mut states = Vec::new();
    for number in [1, 2] {
        let ask = json!({"name": "ask", "arguments": {"a": number}});
        let asked = client.stateless(json!(number), "tools/call", ask).await;
        let asked = body(asked).await["result"].clone();
        assert_eq!(asked["resultType"], "input_required");
        states.push(asked["requestState"].clone());
    }
    assert_ne!(states[0], states[1]);
}

#[tokio::test]
async fn n_rs_17_a_request_state_works_for_its_own_request_and_person_only() {
    let app = App::of(&["legacy"]);
    let mut client = app.client("ada", "editor");
    client.elicits = true;
    let ask = json!({"name": "ask", "arguments": {"a": 1}});
    let asked =
        body(client.stateless(json!(1), "tools/call", ask.clone()).await).await["result"].clone();
    let state = asked["requestState"].as_str().unwrap().to_owned();
    let mut thief = app.client("eve", "editor");
    thief.elicits = true;
    let try_with = async |client: &Client, state: &str, params: Value| {
        let mut params = params;
        params["requestState"] = json!(state);
        params["inputResponses"] = json!({"ask": {"action": "accept", "content": {}}});
        client
            .stateless(json!(2), "tools/call", params)
            .await
            .status()
    };
    assert_eq!(
        try_with(&thief, &state, ask.clone()).await,
        StatusCode::BAD_REQUEST
    );
    for other in [
        json!({"name": "ask", "arguments": {"a": 2}}),
        json!({"name": "pid", "arguments": {"a": 1}}),
    ] {
        assert_eq!(
            try_with(&client, &state, other).await,
            StatusCode::BAD_REQUEST
        );
    }
    for position in 0..state.len() {
        let mut flipped = state.clone().into_bytes();
        flipped[position] = if flipped[position] == b'0' {
            b'1'
        } else {
            b'0'
        };
        let flipped = String::from_utf8(flipped).unwrap();
        assert_eq!(
            try_with(&client, &flipped, ask.clone()).await,
            StatusCode::BAD_REQUEST
        );
    }
    assert_eq!(try_with(&client, &state, ask.clone()).await, StatusCode::OK);
    assert_eq!(
        try_with(&client, &state, ask).await,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn sampling_is_refused_to_a_legacy_server_and_the_call_goes_on() {
    let app = App::of(&["legacy"]);
    let client = app.client("ada", "editor");
    let answered = client.tool("sample").await;
    assert_eq!(answered["answered"]["code"], -32601);
    // Nor is a client asked that did not declare elicitation.
    let answered = client.tool("ask").await;
    assert_eq!(answered["answered"]["code"], -32601);
}

#[tokio::test]
async fn a_url_that_must_be_visited_is_asked_for_or_named_as_missing() {
    let app = App::of(&["legacy"]);
    let client = app.client("ada", "editor");
    let refused = client
        .stateless(json!(1), "tools/call", json!({"name": "visit"}))
        .await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let error = body(refused).await["error"].clone();
    assert_eq!(error["code"], -32021);
    assert_eq!(
        error["data"]["requiredCapabilities"],
        json!({"elicitation": {"url": {}}})
    );
    let able = json!({"name": "visit", "_meta": {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}}}});
    let asked = body(client.stateless(json!(1), "tools/call", able).await).await["result"].clone();
    assert_eq!(
        asked["inputRequests"]["url-0"]["params"]["url"],
        "https://example.com/"
    );
}

#[tokio::test]
async fn changes_of_a_legacy_server_reach_a_subscription() {
    let app = App::of(&["legacy"]);
    let client = app.client("ada", "editor");
    let filter =
        json!({"notifications": {"toolsListChanged": true, "resourceSubscriptions": ["f:///a"]}});
    let mut stream = Events::of(
        client
            .stateless(json!(8), "subscriptions/listen", filter.clone())
            .await,
    );
    let acknowledged = stream.next().await.unwrap();
    assert_eq!(
        acknowledged["params"]["notifications"],
        filter["notifications"]
    );
    assert_eq!(acknowledged["params"]["_meta"][SUBSCRIPTION], 8);
    assert_eq!(client.tool("subscribed").await, json!(["f:///a"]));
    client.tool("change").await;
    for method in [
        "notifications/tools/list_changed",
        "notifications/resources/updated",
    ] {
        let next = stream.next().await.unwrap();
        assert_eq!(
            (&next["method"], &next["params"]["_meta"][SUBSCRIPTION]),
            (&json!(method), &json!(8))
        );
    }
    drop(stream);
    while client.tool("subscribed").await != json!([]) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn progress_and_log_messages_of_a_legacy_server_arrive() {
    let app = App::of(&["legacy"]);
    let client = app.client("ada", "editor");
    let params = json!({"name": "progress", "_meta": {"progressToken": "mine"}});
    let all = messages(client.stateless(json!(1), "tools/call", params).await).await;
    assert_eq!(all[0]["params"]["progressToken"], "mine");
    assert_eq!(all.len(), 3);
    let params = json!({"name": "log", "_meta": {"io.modelcontextprotocol/logLevel": "error"}});
    let all = messages(client.stateless(json!(1), "tools/call", params).await).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(
        client.tool("seen").await[1]["params"]["level"],
        "error",
        "the server was told"
    );
    assert_eq!(client.tool("log").await, "done");
}

// A client of 2025, a server of 2026-07-28.

async fn session(app: &App, capabilities: Value) -> (Client, Value) {
    let mut client = app.client("ada", "editor");
    let result = client.initialize(capabilities).await;
    (client, result)
}

#[tokio::test]
async fn a_stateless_server_looks_like_2025_to_a_legacy_client() {
    let app = App::of(&["stateless"]);
    let (client, result) = session(&app, json!({"roots": {}})).await;
    assert_eq!(result["protocolVersion"], "2025-11-25");
    assert_eq!(result["serverInfo"]["name"], "fixture");
    assert_eq!(result["instructions"], "be kind");
    let ask = async |method: &str, params: Value| {
        let message = json!({"jsonrpc": "2.0", "id": 5, "method": method, "params": params});
        body(client.legacy(message).await).await
    };
    assert_eq!(ask("ping", json!({})).await["result"], json!({}));
    let list = ask("tools/list", json!({})).await["result"].clone();
    assert!(
        list.get("resultType").is_none() && list.get("ttlMs").is_none(),
        "{list}"
    );
    assert_eq!(
        ask("logging/setLevel", json!({"level": "info"})).await["result"],
        json!({})
    );
    assert_eq!(
        ask("logging/setLevel", json!({"level": "loud"})).await["error"]["code"],
        -32602
    );
    let tasks = ask("tasks/list", json!({})).await["error"].clone();
    assert_eq!(
        (&tasks["code"], &tasks["data"]["code"]),
        (&json!(-32601), &json!("not_bridged"))
    );
    assert!(tasks["data"]["reference"].is_string(), "{tasks}");
    let meta = client.tool("params").await["_meta"].clone();
    assert_eq!(
        meta["io.modelcontextprotocol/clientCapabilities"],
        json!({"roots": {}})
    );
    assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "test");
    assert_eq!(meta["io.modelcontextprotocol/logLevel"], "info");
    let array = ask("tools/call", json!({"name": "array"})).await["result"].clone();
    assert_eq!(
        array,
        json!({"content": [{"type": "text", "text": "[1,2]"}]})
    );
}

#[tokio::test]
async fn input_that_is_required_becomes_elicitation() {
    let app = App::of(&["stateless"]);
    let (client, _) = session(&app, json!({"elicitation": {}})).await;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "ask", "arguments": {}}});
    let mut stream = Events::of(client.legacy(call).await);
    let asked = stream.next().await.unwrap();
    assert_eq!(asked["method"], "elicitation/create");
    let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept", "content": {"n": "Ada"}}});
    assert_eq!(client.legacy(answer).await.status(), StatusCode::ACCEPTED);
    let last = stream.next().await.unwrap();
    assert_eq!(last["id"], 1);
    assert_eq!(told(&last)["name"]["content"]["n"], "Ada");
}

#[tokio::test]
async fn a_legacy_client_is_not_asked_what_it_did_not_declare() {
    let app = App::of(&["stateless"]);
    let (client, _) = session(&app, json!({})).await;
    let call =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "ask"}});
    let response = client.legacy(call).await;
    assert!(!is_stream(response.headers()));
    assert!(
        body(response).await["error"]["message"]
            .as_str()
            .unwrap()
            .contains("did not declare")
    );
}

#[tokio::test]
async fn changes_of_a_stateless_server_reach_the_get_stream() {
    let app = App::of(&["stateless"]);
    let (client, _) = session(&app, json!({})).await;
    let subscribe = json!({"jsonrpc": "2.0", "id": 1, "method": "resources/subscribe", "params": {"uri": "f:///a"}});
    assert_eq!(
        body(client.legacy(subscribe).await).await["result"],
        json!({})
    );
    client.tool("change").await;
    let mut stream = Events::of(client.stream().await);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let next = stream.next().await.unwrap();
        assert!(next["params"].get("_meta").is_none(), "{next}");
        seen.push(next["method"].as_str().unwrap().to_owned());
    }
    seen.sort();
    assert_eq!(
        seen,
        [
            "notifications/prompts/list_changed",
            "notifications/resources/list_changed",
            "notifications/resources/updated",
            "notifications/tools/list_changed",
        ]
    );
}

#[tokio::test]
async fn a_silent_legacy_server_is_found_out_by_its_handshake() {
    let mut config = crate::support::config(&["silent-legacy"]);
    config.first_answer = std::time::Duration::from_secs(1);
    config.grace = std::time::Duration::from_millis(50);
    let app = App::with(config);
    let client = app.client("ada", "editor");
    assert!(client.tool("pid").await.is_u64());
}
