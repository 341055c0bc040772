//! Clients of 2026-07-28 in front of a server of 2026-07-28.

use std::{sync::atomic::Ordering, time::Duration};

use http::StatusCode;
use keystile_domain::time::Timestamp;
use keystile_gateway::Phase;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{App, Client, Events, NOW, body, config, gone, messages, soon, told};

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

#[tokio::test]
async fn a_call_is_forwarded_with_its_era_intact() {
    let app = App::of(&["stateless"]);
    let client = app.client("ada", "editor");
    let params = json!({"name": "params", "arguments": {"a": 1}, "_meta": {"progressToken": 9, "x.example/y": 1}});
    let answer = body(client.stateless(json!("q"), "tools/call", params).await).await;
    assert_eq!(answer["id"], "q");
    assert_eq!(answer["result"]["resultType"], "complete");
    let seen = told(&answer);
    assert_eq!(
        seen["_meta"]["io.modelcontextprotocol/protocolVersion"],
        "2026-07-28"
    );
    assert_eq!(seen["_meta"]["x.example/y"], 1);
    assert_eq!(seen["_meta"]["progressToken"].as_str().unwrap().len(), 32);
    let discovered = body(
        client
            .stateless(json!(1), "server/discover", json!({}))
            .await,
    )
    .await;
    assert_eq!(
        discovered["result"]["supportedVersions"],
        json!(["2026-07-28"])
    );
}

#[tokio::test]
async fn one_person_and_client_share_a_child_and_nobody_else_does() {
    let app = App::of(&["stateless"]);
    let pid = async |person: &str, client: &str| app.client(person, client).tool("pid").await;
    let first = pid("ada", "editor").await;
    assert_eq!(pid("ada", "editor").await, first);
    assert_ne!(pid("ada", "other").await, first);
    assert_ne!(pid("bob", "editor").await, first);
}

#[tokio::test]
async fn a_118_a_call_of_a_child_ends_at_its_own_limit_in_each_era() {
    for server in ["stateless", "legacy"] {
        let mut config = config(&[server]);
        config.call_limit = Duration::from_secs(600);
        let app = App::with(config);
        let client = app.client("ada", "editor");
        let held = json!({"name": "hold", "_meta": {"progressToken": 1}});
        let call = client.stateless(json!(7), "tools/call", held).await;
        let mut call = Events::of(call);
        assert_eq!(call.next().await.unwrap()["params"]["progressToken"], 1);
        let begun = Instant::now();
        tokio::time::pause();
        let last = call.next().await.expect("a last word");
        let lasted = begun.elapsed();
        tokio::time::resume();
        let (id, word) = (&last["id"], &last["error"]["data"]["code"]);
        assert_eq!((id, word), (&json!(7), &json!("upstream_timeout")));
        assert!((540..=600).contains(&lasted.as_secs()), "{server}");
        assert_eq!(call.next().await, None);
        soon(async { while client.tool("held").await != 0 {} }).await;
    }
}

#[tokio::test]
async fn subscriptions_end_before_the_process_and_calls_with_it() {
    for server in ["stateless", "legacy"] {
        let app = App::of(&[server]);
        let client = app.client("ada", "editor");
        let filter = json!({"notifications": {"toolsListChanged": true}});
        let listening = client.stateless(json!(8), "subscriptions/listen", filter);
        let mut listening = Events::of(listening.await);
        listening.next().await.expect("it is acknowledged");
        let held = json!({"name": "hold", "_meta": {"progressToken": 1}});
        let call = client.stateless(json!(7), "tools/call", held).await;
        let mut call = Events::of(call);
        assert_eq!(call.next().await.unwrap()["params"]["progressToken"], 1);
        app.end.send_replace(Phase::Draining);
        let last = listening.next().await.expect("an orderly end");
        assert_eq!(last["result"]["resultType"], "complete", "{server}");
        assert_eq!(listening.next().await, None);
        app.end.send_replace(Phase::Ending);
        let last = call.next().await.expect("a last word");
        let (id, word) = (&last["id"], &last["error"]["data"]["code"]);
        assert_eq!((id, word), (&json!(7), &json!("gateway_ending")));
        assert_eq!(call.next().await, None);
    }
}

#[tokio::test]
async fn a_burst_of_progress_reaches_who_reads_it_whole_and_in_order() {
    for server in ["stateless", "legacy"] {
        let app = App::of(&[server]);
        let client = app.client("ada", "editor");
        let burst = json!({"name": "burst", "_meta": {"progressToken": 1}});
        let call = client.stateless(json!(7), "tools/call", burst).await;
        let all = soon(messages(call)).await;
        let steps: Vec<_> = all
            .iter()
            .filter_map(|it| it["params"]["progress"].as_u64())
            .collect();
        assert_eq!(steps, (1..=5000).collect::<Vec<_>>(), "{server}");
        assert_eq!(told(all.last().unwrap()), "done");
    }
}

#[tokio::test]
async fn two_programs_of_one_person_may_use_the_same_id_at_once() {
    let app = App::of(&["stateless"]);
    let client = app.client("ada", "editor");
    let held = json!({"name": "hold", "_meta": {"progressToken": 1}});
    let mut one = Events::of(client.stateless(json!(1), "tools/call", held.clone()).await);
    let mut two = Events::of(client.stateless(json!(1), "tools/call", held).await);
    assert_eq!(one.next().await.unwrap()["params"]["progressToken"], 1);
    two.next().await.unwrap();
    assert_eq!(client.tool("release").await, "ok");
    assert_eq!(told(&one.next().await.unwrap()), "released");
    assert_eq!(told(&two.next().await.unwrap()), "released");
}

#[tokio::test]
async fn n_tr_12_an_unknown_method_never_reaches_the_server() {
    let app = App::of(&["stateless"]);
    let client = app.client("ada", "editor");
    let long = "x".repeat(10_000);
    for method in [
        "foo/bar",
        "tools/Call",
        &long,
        "ping",
        "initialize",
        "logging/setLevel",
        "resources/subscribe",
    ] {
        let response = client.stateless(json!(3), method, json!({})).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{method}");
        let answer = body(response).await;
        assert_eq!(answer["error"]["code"], -32601);
        // Our own words, not the server's.
        assert_eq!(answer["error"]["data"]["code"], "unknown_method");
        assert_eq!(answer["id"], 3);
    }
}

#[tokio::test]
async fn n_tr_13_a_closed_stream_cancels_the_call() {
    let app = App::of(&["stateless"]);
    let client = app.client("ada", "editor");
    let held = json!({"name": "hold", "_meta": {"progressToken": 1}});
    let mut stream = Events::of(client.stateless(json!(1), "tools/call", held).await);
    stream.next().await.unwrap();
    assert_eq!(client.tool("held").await, 1);
    drop(stream);
    crate::second::within_a_second(async {
        while client.tool("held").await != 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(
        client.tool("seen").await[0]["method"],
        "notifications/cancelled"
    );
}

#[tokio::test]
async fn n_tr_14_a_request_of_the_server_is_dropped() {
    let app = App::of(&["stateless"]);
    let client = app.client("ada", "editor");
    assert_eq!(client.tool("inject").await, "done");
    let params = json!({"name": "inject", "_meta": {"io.modelcontextprotocol/logLevel": "debug"}});
    let response = client.stateless(json!(1), "tools/call", params).await;
    assert_eq!(response.headers()["content-type"], "application/json");
}

#[tokio::test]
async fn n_tr_15_a_subscription_gets_what_it_asked_for_after_the_acknowledgement() {
    let app = App::of(&["stateless"]);
    let client = app.client("ada", "editor");
    let filter =
        json!({"notifications": {"promptsListChanged": true, "resourceSubscriptions": ["f:///a"]}});
    let mut stream = Events::of(
        client
            .stateless(json!("s"), "subscriptions/listen", filter)
            .await,
    );
    let first = stream.next().await.unwrap();
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(first["params"]["_meta"][SUBSCRIPTION], "s");
    client.tool("change").await;
    for method in [
        "notifications/prompts/list_changed",
        "notifications/resources/updated",
    ] {
        let next = stream.next().await.unwrap();
        assert_eq!(next["method"], method);
        assert_eq!(next["params"]["_meta"][SUBSCRIPTION], "s");
    }
}

#[tokio::test]
async fn a_subscription_ends_with_its_token_in_an_orderly_way() {
    let app = App::of(&["stateless"]);
    let mut client = app.client("ada", "editor");
    client.caller.expires_at = Timestamp(NOW + 20);
    let filter = json!({"notifications": {"toolsListChanged": true}});
    let mut stream = Events::of(
        client
            .stateless(json!(4), "subscriptions/listen", filter)
            .await,
    );
    stream.next().await.unwrap();
    app.world
        .clock
        .0
        .store(NOW + 20, std::sync::atomic::Ordering::SeqCst);
    let last = stream.next().await.unwrap();
    assert_eq!(last["id"], 4);
    assert!(stream.next().await.is_none());
    assert_eq!(last["result"]["_meta"][SUBSCRIPTION], 4);
}

#[tokio::test]
async fn log_messages_go_to_the_one_call_that_asked_for_them() {
    let app = App::of(&["stateless"]);
    let client = app.client("ada", "editor");
    assert_eq!(client.tool("log").await, "done");
    let params = json!({"name": "log", "_meta": {"io.modelcontextprotocol/logLevel": "warning"}});
    let all = messages(client.stateless(json!(1), "tools/call", params).await).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(all[0]["params"]["level"], "error");
}

#[tokio::test]
async fn n_tr_17_a_stateless_client_has_no_session_and_no_get() {
    let app = App::of(&["stateless"]);
    let client = app.client("ada", "editor");
    let version = ("mcp-protocol-version", "2026-07-28");
    for method in [http::Method::GET, http::Method::DELETE, http::Method::PUT] {
        let response = client
            .send(method, &[version, ("mcp-session-id", "x")], String::new())
            .await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    let message = client.envelope(json!(1), "tools/list", json!({}));
    let headers = [
        version,
        ("mcp-method", "tools/list"),
        ("mcp-session-id", "x"),
        ("last-event-id", "1"),
    ];
    let response = client
        .send(http::Method::POST, &headers, message.to_string())
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(!response.headers().contains_key("mcp-session-id"));
}

#[tokio::test]
async fn n_tr_05_a_notification_is_accepted_without_a_body() {
    let app = App::of(&["stateless"]);
    let client = app.client("ada", "editor");
    let text = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "notifications/cancelled"),
    ];
    let response = client.send(http::Method::POST, &headers, text.into()).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let bytes = http_body_util::BodyExt::collect(response.into_body())
        .await
        .unwrap()
        .to_bytes();
    assert!(bytes.is_empty());
}

#[tokio::test]
async fn a_child_that_died_is_started_again() {
    let app = App::of(&["stateless"]);
    let client = app.client("ada", "editor");
    let pid = client.tool("pid").await;
    let response = client
        .stateless(json!(1), "tools/call", json!({"name": "die"}))
        .await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert_ne!(client.tool("pid").await, pid);
}

#[tokio::test]
async fn another_revision_is_refused_with_those_that_are_served() {
    let app = App::of(&["stateless"]);
    let client = app.client("ada", "editor");
    let mut message = client.envelope(json!(1), "tools/list", json!({}));
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2025-11-25");
    let headers = [
        ("mcp-protocol-version", "2025-11-25"),
        ("mcp-method", "tools/list"),
    ];
    let response = client
        .send(http::Method::POST, &headers, message.to_string())
        .await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let error = body(response).await["error"].clone();
    assert_eq!(error["code"], -32022);
    assert_eq!(error["data"]["supported"], json!(["2026-07-28"]));
    assert_eq!(error["data"]["requested"], "2025-11-25");
}

#[tokio::test]
async fn a_server_ends_with_the_grant_of_its_client_busy_or_not() {
    for era in ["stateless", "legacy"] {
        let app = App::of(&[era]);
        let client = app.client("ada", "editor");
        let pid = client.tool("pid").await.as_u64().unwrap();
        let other = app.client("bob", "editor");
        let of_other = other.tool("pid").await;
        app.world.revoked.revoke(client.caller.grant);
        soon(gone(pid)).await;
        assert_eq!(other.tool("pid").await, of_other);
    }
}

#[tokio::test]
async fn n_tr_09_the_gateway_compares_mirrored_parameters_that_a_stdio_server_never_sees() {
    for era in ["stateless", "legacy"] {
        let app = App::of(&[era]);
        let client = app.client("ada", "editor");
        let call = async |region: &str, header: Option<&str>| {
            let params = json!({"name": "params", "arguments": {"region": region}});
            let message = client.envelope(json!(1), "tools/call", params);
            let mut headers = vec![
                ("mcp-protocol-version", "2026-07-28"),
                ("mcp-method", "tools/call"),
                ("mcp-name", "params"),
                ("mcp-param-other", "means nothing"),
            ];
            headers.extend(header.map(|header| ("mcp-param-region", header)));
            let sent = client.send(http::Method::POST, &headers, message.to_string());
            let response = sent.await;
            (response.status(), body(response).await)
        };
        // Nothing was listed yet: whoever mirrors is looked at all the same.
        let (status, answer) = call("us", Some("eu")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{era}: {answer}");
        assert_eq!(answer["error"]["code"], -32020);
        let (status, answer) = call("us", None).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{era}: {answer}");
        let (status, answer) = call("Zürich", Some("=?base64?WsO8cmljaA==?=")).await;
        assert_eq!(status, StatusCode::OK, "{era}: {answer}");
        assert_eq!(told(&answer)["arguments"]["region"], "Zürich");
    }
}

/// Status and error code.
async fn refused(client: &Client, method: &str, params: &Value) -> (StatusCode, Value) {
    let answer = client.stateless(json!(2), method, params.clone()).await;
    (answer.status(), body(answer).await["error"]["code"].clone())
}

#[tokio::test]
async fn n_rs_17_a_request_state_of_a_stdio_server_works_for_its_own_request_in_time() {
    let app = App::of(&["stateless"]);
    let client = app.client("ada", "editor");
    let ask = json!({"name": "ask", "arguments": {"a": 1}});
    let answer = client.stateless(json!(1), "tools/call", ask.clone()).await;
    let asked = body(answer).await["result"].clone();
    assert_eq!(asked["resultType"], "input_required");
    assert_ne!(
        asked["requestState"], "kept",
        "the server's own is not handed out"
    );
    let retry = |name: &str, state: &Value| {
        json!({
            "name": name, "arguments": {"a": 1}, "requestState": state,
            "inputResponses": {"name": {"action": "accept"}},
        })
    };
    let own = retry("ask", &asked["requestState"]);
    let unknown = (StatusCode::BAD_REQUEST, json!(-32602));
    for other in [app.client("eve", "editor"), app.client("ada", "other")] {
        assert_eq!(refused(&other, "tools/call", &own).await, unknown);
    }
    for strange in [
        retry("echo", &asked["requestState"]),
        retry("ask", &json!("kept")),
        retry("ask", &json!(1)),
    ] {
        assert_eq!(refused(&client, "tools/call", &strange).await, unknown);
    }
    let done = client.stateless(json!(2), "tools/call", own.clone()).await;
    assert_eq!(told(&body(done).await)["name"]["action"], "accept");
    app.world.clock.0.fetch_add(600_000, Ordering::SeqCst);
    assert_eq!(refused(&client, "tools/call", &own).await, unknown);
}

#[tokio::test]
async fn n_rs_18_a_task_of_a_stdio_server_is_known_to_who_began_it() {
    let app = App::of(&["stateless"]);
    let client = app.client("ada", "editor");
    let slow = client.stateless(json!(1), "tools/call", json!({"name": "slow"}));
    let begun = body(slow.await).await["result"].clone();
    assert_ne!(
        begun["taskId"], "slow-1",
        "the server's own is not handed out"
    );
    let declared = json!({
        "io.modelcontextprotocol/clientCapabilities": {
            "extensions": {"io.modelcontextprotocol/tasks": {}},
        },
    });
    let named = json!({"taskId": begun["taskId"], "_meta": declared});
    let got = client.stateless(json!(2), "tasks/get", named.clone()).await;
    assert_eq!(body(got).await["result"]["taskId"], begun["taskId"]);
    let unknown = (StatusCode::BAD_REQUEST, json!(-32602));
    for other in [app.client("eve", "editor"), app.client("ada", "other")] {
        assert_eq!(refused(&other, "tasks/get", &named).await, unknown);
    }
    let theirs = json!({"taskId": "slow-1", "_meta": declared});
    assert_eq!(refused(&client, "tasks/get", &theirs).await, unknown);
    let undeclared = json!({"taskId": "slow-1"});
    let missing = (StatusCode::BAD_REQUEST, json!(-32021));
    assert_eq!(refused(&client, "tasks/get", &undeclared).await, missing);
}
