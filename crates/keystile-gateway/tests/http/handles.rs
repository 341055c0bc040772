//! What a 2026-07-28 server behind HTTP hands out, and who can bring it back.

use std::sync::atomic::Ordering;

use axum::body::Body;
use http::{Request, Response};
use keystile_protocol::jwt::AccessTokenClaims;
use keystile_protocol::mcp::headers;
use serde_json::{Value, json};

use crate::support::{App, GRANT, Seen, anonymous, events, json_answer, refusal, text};

const BOB: &str = "0198c0de-7f3a-7bcd-8e21-5a1f0c9d2b99";
const STATE: &str = "step \"1\"";
const TASK: &str = "täsk-1";

/// Asks back once, makes a task of the tool `slow`, and knows that one task.
fn server(seen: &Seen) -> Response<Body> {
    let said: Value = serde_json::from_slice(&seen.body).expect("works in a test");
    let params = &said["params"];
    let task = |kind: &str| json!({"resultType": kind, "taskId": TASK, "status": "working"});
    let named = params["taskId"] == TASK;
    let result = match said["method"].as_str().expect("works in a test") {
        "tools/call" if params["name"] == "slow" => task("task"),
        "tools/call" | "prompts/get" if params["requestState"] == STATE => json!({"done": true}),
        "tools/call" | "prompts/get" => json!({
            "resultType": "input_required",
            "requestState": STATE,
            "inputRequests": {},
        }),
        "tasks/get" if named => task("complete"),
        _ => json!({"resultType": "complete"}),
    };
    json_answer(&json!({"jsonrpc": "2.0", "id": said["id"], "result": result}).to_string())
}

/// A request of whoever the claims say, on this server.
fn request(
    app: &App,
    path: &str,
    method: &str,
    params: &Value,
    change: impl FnOnce(&mut AccessTokenClaims),
) -> Request<Body> {
    let token = app.token_with(|claims| {
        claims.aud = format!("http://localhost:7717{path}");
        claims.scope = "kb:call git:call".to_owned();
        claims.sid = Some(GRANT.to_owned());
        change(claims);
    });
    let mut params = params.clone();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {
            "extensions": {"io.modelcontextprotocol/tasks": {}},
        },
    });
    let name = params.get("taskId").or(params.get("name"));
    let name = name.and_then(Value::as_str).unwrap_or_default();
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let mut request = anonymous("POST", path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method);
    if !name.is_empty() {
        request = request.header("mcp-name", &*headers::encode(name));
    }
    let body = Body::from(body.to_string());
    request.body(body).expect("works in a test")
}

async fn own(app: &App, method: &str, params: &Value) -> Value {
    let answer = app
        .send(request(app, "/kb/mcp", method, params, |_| {}))
        .await;
    let (_, body) = text(answer).await;
    serde_json::from_str::<Value>(&body).expect("JSON")["result"].take()
}

/// The same, by everybody who is not Alice at her client and this server.
fn others(app: &App, method: &str, params: &Value) -> [Request<Body>; 3] {
    [
        request(app, "/kb/mcp", method, params, |claims| {
            claims.sub = BOB.to_owned()
        }),
        request(app, "/kb/mcp", method, params, |claims| {
            claims.client_id = "client-2".to_owned();
        }),
        request(app, "/git/mcp", method, params, |_| {}),
    ]
}

/// Each text of header characters that differs from this one at one place, and some more.
fn changed(text: &str) -> Vec<String> {
    let at = |place: usize| {
        let with = match text.as_bytes()[place] {
            b'A' => "B",
            _ => "A",
        };
        let mut text = text.to_owned();
        text.replace_range(place..=place, with);
        text
    };
    let more = [&text[1..], &text[..text.len() - 1], STATE, "x"].map(str::to_owned);
    (0..text.len()).map(at).chain(more).collect()
}

fn unknown(word: &str) -> (u16, i64, String) {
    (400, -32602, word.to_owned())
}

#[tokio::test]
async fn n_rs_17_a_request_state_of_an_http_server_works_for_its_own_request_in_time() {
    let app = App::new(server).await;
    let call = json!({"name": "ask", "arguments": {"a": 1, "b": 2}});
    let asked = own(&app, "tools/call", &call).await;
    let shown = asked["requestState"].as_str().expect("a state").to_owned();
    assert_ne!(shown, STATE, "the server's own is not handed out");
    let retry = |of: &Value, shown: &str| {
        let mut params = of.clone();
        params["requestState"] = json!(shown);
        params["inputResponses"] = json!({"x": {"action": "accept"}});
        params
    };
    let reordered = json!({"arguments": {"b": 2, "a": 1}, "name": "ask"});
    for of in [&call, &reordered] {
        let done = own(&app, "tools/call", &retry(of, &shown)).await;
        assert_eq!(done, json!({"done": true}));
    }
    let before = app.server.count();
    let refused = unknown("unknown_request_state");
    for request in others(&app, "tools/call", &retry(&call, &shown)) {
        assert_eq!(refusal(app.send(request).await).await, refused);
    }
    for of in [
        json!({"name": "other", "arguments": {"a": 1, "b": 2}}),
        json!({"name": "ask", "arguments": {"a": 1, "b": 3}}),
        json!({"name": "ask"}),
    ] {
        let request = request(&app, "/kb/mcp", "tools/call", &retry(&of, &shown), |_| {});
        assert_eq!(refusal(app.send(request).await).await, refused, "{of}");
    }
    let elsewhere = request(
        &app,
        "/kb/mcp",
        "prompts/get",
        &retry(&call, &shown),
        |_| {},
    );
    assert_eq!(refusal(app.send(elsewhere).await).await, refused);
    for shown in changed(&shown) {
        let request = request(&app, "/kb/mcp", "tools/call", &retry(&call, &shown), |_| {});
        assert_eq!(refusal(app.send(request).await).await, refused, "{shown}");
    }
    app.clock.0.fetch_add(599_999, Ordering::SeqCst);
    let long = |claims: &mut AccessTokenClaims| claims.exp += 600;
    let params = retry(&call, &shown);
    let in_time = request(&app, "/kb/mcp", "tools/call", &params, long);
    assert_eq!(app.send(in_time).await.status(), 200);
    app.clock.0.fetch_add(1, Ordering::SeqCst);
    let late = request(&app, "/kb/mcp", "tools/call", &params, long);
    assert_eq!(refusal(app.send(late).await).await, refused);
    assert_eq!(app.server.count(), before + 1, "nothing of it arrived");
    let last = app.audit.events.lock().last().expect("on record").clone();
    assert_eq!(
        (&last["outcome"], &last["reason"]),
        (&json!("deny"), &json!("unknown_request_state"))
    );
}

#[tokio::test]
async fn n_rs_18_a_task_of_an_http_server_is_known_to_who_began_it() {
    let app = App::new(server).await;
    let begun = own(&app, "tools/call", &json!({"name": "slow"})).await;
    let shown = begun["taskId"].as_str().expect("an id").to_owned();
    assert_ne!(shown, TASK, "the server's own is not handed out");
    let named = json!({"taskId": shown});
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let answer = own(&app, method, &named).await;
        let seen = app.server.last();
        let body: Value = serde_json::from_slice(&seen.body).expect("JSON");
        assert_eq!(body["params"]["taskId"], TASK, "{method}");
        assert_eq!(seen.parts.headers["mcp-name"], *headers::encode(TASK));
        if method == "tasks/get" {
            assert_eq!(answer["taskId"], shown, "the same each time");
        }
        let before = app.server.count();
        let refused = unknown("unknown_task");
        for request in others(&app, method, &named) {
            assert_eq!(refusal(app.send(request).await).await, refused, "{method}");
        }
        for shown in changed(&shown).into_iter().chain([TASK.to_owned()]) {
            let named = json!({"taskId": shown});
            let request = request(&app, "/kb/mcp", method, &named, |_| {});
            assert_eq!(refusal(app.send(request).await).await, refused, "{shown}");
        }
        assert_eq!(app.server.count(), before, "nothing of it arrived");
    }
}

#[tokio::test]
async fn a_120_changes_of_a_task_are_heard_by_who_began_it() {
    let tagged = |method: &str, more: Value| {
        let mut params = json!({"_meta": {"io.modelcontextprotocol/subscriptionId": 7}});
        params
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        format!(
            "data: {}\n\n",
            json!({"jsonrpc": "2.0", "method": method, "params": params})
        )
    };
    let stream = [
        tagged(
            "notifications/subscriptions/acknowledged",
            json!({"notifications": {"taskIds": [TASK]}}),
        ),
        tagged(
            "notifications/tasks",
            json!({"taskId": TASK, "status": "completed"}),
        ),
        tagged(
            "notifications/tasks",
            json!({"taskId": "of somebody else", "status": "completed"}),
        ),
    ]
    .concat();
    let app = App::new(
        move |seen| match seen.parts.headers["mcp-method"].as_bytes() {
            b"subscriptions/listen" => events(stream.clone()),
            _ => server(seen),
        },
    )
    .await;
    let begun = own(&app, "tools/call", &json!({"name": "slow"})).await;
    let shown = begun["taskId"].as_str().expect("an id");
    let listen = json!({"notifications": {"taskIds": [shown, TASK, "x"]}});
    let heard = app
        .send(request(
            &app,
            "/kb/mcp",
            "subscriptions/listen",
            &listen,
            |_| {},
        ))
        .await;
    let heard = text(heard).await.1;
    assert_eq!(heard.matches("notifications/").count(), 2, "{heard}");
    assert_eq!(heard.matches(&format!("\"{shown}\"")).count(), 2, "{heard}");
    assert!(
        !heard.contains(TASK) && !heard.contains("somebody else"),
        "{heard}"
    );
    let asked: Value = serde_json::from_slice(&app.server.last().body).expect("JSON");
    assert_eq!(asked["params"]["notifications"]["taskIds"], json!([TASK]));
    for request in others(&app, "subscriptions/listen", &listen) {
        let heard = text(app.send(request).await).await.1;
        assert!(!heard.contains("notifications/tasks"), "{heard}");
        let asked: Value = serde_json::from_slice(&app.server.last().body).expect("JSON");
        assert_eq!(asked["params"]["notifications"]["taskIds"], json!([]));
    }
}
