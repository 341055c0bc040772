//! What an HTTP server of the other era may answer, and what becomes of the rest.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::body::Body;
use http::{Method, Response};
use serde_json::{Value, json};

use crate::log::Log;
use crate::scripted_http::{Learned, answer, error, events, result, says, scripted, told};
use crate::support::{Client, Events, body, is_stream, messages};

const ERAS: [&str; 2] = ["legacy", "stateless"];

/// A client of the other era than this server's.
async fn bridged(
    era: &'static str,
    says: impl Fn(&Value) -> Response<Body> + Send + Sync + 'static,
) -> Client {
    let mut client = scripted(era, says).await.learned().await;
    if era == "stateless" {
        client.initialize(json!({})).await;
    }
    client
}

/// What calling a tool gets.
async fn call(client: &Client) -> Response<Body> {
    let params = json!({"name": "echo", "arguments": {}});
    let request = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
    match client.session {
        Some(_) => client.legacy(request).await,
        None => client.stateless(json!(7), "tools/call", params).await,
    }
}

#[tokio::test]
async fn a_113_an_answer_over_a_bridge_carries_the_id_that_was_sent() {
    let (log, _listening) = Log::listen();
    for era in ERAS {
        let foreign = |id: Value| json!({"jsonrpc": "2.0", "id": id, "result": says("stolen")});
        let client = bridged(era, move |request| match &*request["method"].to_string() {
            "\"tools/list\"" => told(request, json!({"resultType": "complete", "tools": []})),
            _ => answer(200, "application/json", foreign(json!(99999)).to_string()),
        });
        let response = call(&client.await).await;
        assert_eq!(response.status(), 502, "{era}");
        let refused = body(response).await;
        assert_eq!(refused["error"]["data"]["code"], "upstream_not_mcp");
        assert_eq!(refused["id"], 7);

        let client = bridged(era, move |request| {
            events(&[
                foreign(json!(424_242)),
                foreign(json!("a")),
                result(request, says("mine")),
            ])
        });
        let told = body(call(&client.await).await).await;
        assert_eq!(told["result"]["content"][0]["text"], "mine", "{era}");
    }
    let named = log.text().matches("an answer to another request").count();
    assert!(named >= 2, "{}", log.text());
}

#[tokio::test]
async fn an_error_without_an_id_answers_the_one_request_of_its_post() {
    for era in ERAS {
        for status in [200, 400] {
            let client = bridged(era, move |request| {
                let mut nameless = request.clone();
                nameless["id"] = Value::Null;
                error(status, &nameless, "what?")
            });
            let told = body(call(&client.await).await).await;
            assert_eq!(
                (&told["id"], &told["error"]["message"]),
                (&json!(7), &json!("what?"))
            );
        }
    }
}

/// A log message of this level.
fn log(level: &str) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/message",
        "params": {"level": level, "data": level}})
}

#[tokio::test]
async fn a_113_a_call_over_a_bridge_hears_what_it_asked_for() {
    let client = bridged("legacy", move |request| {
        events(&[log("debug"), log("error"), result(request, says("done"))])
    });
    let client = client.await;
    for (asked, heard) in [(None, &[][..]), (Some("warning"), &["error"])] {
        let mut params = json!({"name": "echo", "_meta": {"progressToken": 1}});
        if let Some(level) = asked {
            params["_meta"]["io.modelcontextprotocol/logLevel"] = json!(level);
        }
        let response = client.stateless(json!(1), "tools/call", params).await;
        let all = match is_stream(response.headers()) {
            true => messages(response).await,
            false => vec![body(response).await],
        };
        let levels: Vec<_> = all
            .iter()
            .filter_map(|it| it["params"]["level"].as_str())
            .collect();
        assert_eq!(levels, heard, "{asked:?}");
    }
}

#[tokio::test]
async fn a_legacy_session_over_a_bridge_hears_the_level_that_it_set() {
    let client = bridged("stateless", move |request| {
        match &*request["method"].to_string() {
            "\"tools/call\"" => {
                events(&[log("debug"), log("error"), result(request, says("done"))])
            }
            _ => told(request, json!({"resultType": "complete", "tools": []})),
        }
    });
    let client = client.await;
    let mut stream = Events::of(client.stream().await);
    // It has set none yet.
    assert_eq!(body(call(&client).await).await["id"], 7);
    let set = json!({"jsonrpc": "2.0", "id": 1, "method": "logging/setLevel",
        "params": {"level": "warning"}});
    client.legacy(set).await;
    let all = messages(call(&client).await).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(all[0]["params"]["level"], "error");
    let session = client.session.clone().unwrap();
    let headers = [("mcp-session-id", &*session)];
    client.send(Method::DELETE, &headers, String::new()).await;
    assert_eq!(stream.next().await, None, "nothing went elsewhere");
}

#[tokio::test]
async fn a_client_that_declared_no_elicitation_is_not_asked() {
    let (answers, mut answered) = tokio::sync::mpsc::unbounded_channel();
    let client = bridged("legacy", move |message| {
        if message["method"].is_null() {
            answers.send(message.clone()).unwrap();
            return answer(202, "text/plain", "");
        }
        let ask = |id, mode: &str| {
            json!({"jsonrpc": "2.0", "id": id, "method": "elicitation/create",
            "params": {"mode": mode, "message": "?", "requestedSchema": {}, "url": "https://x.example/"}})
        };
        events(&[ask(1, "form"), ask(2, "url"), result(message, says("done"))])
    });
    let client = client.await;
    for (declared, refused) in [
        (json!({}), &[1, 2][..]),
        (json!({"elicitation": {}}), &[2]),
        (json!({"elicitation": {"url": {}}}), &[1]),
    ] {
        let params = json!({"name": "echo", "_meta":
            {"io.modelcontextprotocol/clientCapabilities": declared}});
        let told = body(client.stateless(json!(1), "tools/call", params).await).await;
        let kind = if refused.len() == 2 {
            "complete"
        } else {
            "input_required"
        };
        assert_eq!(told["result"]["resultType"], kind, "{declared}");
        for _ in refused {
            let error = answered.recv().await.unwrap();
            assert!(refused.contains(&error["id"].as_i64().unwrap()), "{error}");
            assert_eq!(error["error"]["code"], -32601);
            let why = "not bridged to a client of 2026-07-28";
            assert_eq!(error["error"]["message"], why);
        }
    }
}

#[tokio::test]
async fn a_server_that_forgot_the_session_gets_the_call_again_in_a_new_one() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let client = bridged("legacy", move |request| {
        match count.fetch_add(1, Ordering::SeqCst) {
            1 => answer(404, "text/plain", "no such session"),
            _ => told(request, says("done")),
        }
    });
    let client = client.await;
    for _ in 0..2 {
        let told = body(call(&client).await).await;
        assert_eq!(told["result"]["content"][0]["text"], "done", "{told}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 3);

    let forgetful = bridged("legacy", |_| answer(404, "text/plain", "no such session"));
    let response = call(&forgetful.await).await;
    assert_eq!(response.status(), 503);
    let error = body(response).await["error"].clone();
    assert_eq!(error["data"]["code"], "upstream_session_lost");
}

#[tokio::test]
async fn what_a_server_refuses_with_is_told_as_what_it_is() {
    let page = |status| move || answer(status, "text/plain", "{}");
    let cut = || {
        let begun = futures_util::stream::iter([
            Ok(bytes::Bytes::from_static(b"{\"jsonrpc\"")),
            Err(std::io::Error::other("gone")),
        ]);
        answer(200, "application/json", Body::from_stream(begun))
    };
    let busy = |status| {
        move || {
            let mut response = answer(status, "text/plain", "later");
            response.headers_mut().insert("retry-after", 17.into());
            response
        }
    };
    type Refusal = Box<dyn Fn() -> Response<Body> + Send + Sync>;
    let cases: [(Refusal, u16, &str); 6] = [
        (Box::new(page(200)), 502, "upstream_not_mcp"),
        (Box::new(page(500)), 502, "upstream_bad_status"),
        (Box::new(page(503)), 502, "upstream_bad_status"),
        (Box::new(cut), 502, "upstream_unreachable"),
        (Box::new(busy(429)), 429, "upstream_busy"),
        (Box::new(busy(503)), 503, "upstream_busy"),
    ];
    for (refuse, status, code) in cases {
        let response = call(&bridged("legacy", move |_| refuse()).await).await;
        assert_eq!(response.status(), status, "{code}");
        let later = response.headers().get("retry-after").cloned();
        assert_eq!(later.is_some_and(|it| it == "17"), code == "upstream_busy");
        let error = body(response).await["error"].clone();
        assert_eq!(error["data"]["code"], code);
    }
    for era in ERAS {
        let broken = bridged(era, |request| error(500, request, "no disk"));
        let told = body(call(&broken.await).await).await;
        assert_eq!(told["error"]["message"], "no disk", "{era}");
    }
}

#[tokio::test]
async fn a_list_of_tools_that_does_not_come_holds_up_no_call() {
    let (log, _listening) = Log::listen();
    let client = scripted("stateless", |request| {
        match &*request["method"].to_string() {
            "\"tools/list\"" => {
                let silence = futures_util::stream::pending::<std::io::Result<bytes::Bytes>>();
                answer(200, "application/json", Body::from_stream(silence))
            }
            _ => told(request, says("done")),
        }
    });
    let mut client = client
        .await
        .with_call_limit(Duration::from_millis(200))
        .learned()
        .await;
    client.initialize(json!({})).await;
    for _ in 0..2 {
        let told = body(call(&client).await).await;
        assert_eq!(told["result"]["content"][0]["text"], "done", "{told}");
    }
    let said = log
        .text()
        .matches("does not list its tools in time")
        .count();
    assert_eq!(said, 1, "{}", log.text());
}

#[tokio::test]
async fn a_list_of_tools_without_an_end_is_named_in_the_log() {
    let (log, _listening) = Log::listen();
    let client = bridged("stateless", |request| {
        match &*request["method"].to_string() {
            "\"tools/list\"" => told(request, json!({"tools": [], "nextCursor": "more"})),
            _ => told(request, says("done")),
        }
    });
    let told = body(call(&client.await).await).await;
    assert_eq!(told["result"]["content"][0]["text"], "done");
    assert!(
        log.text().contains("list of tools has no end"),
        "{}",
        log.text()
    );
}

#[tokio::test]
async fn beside_an_answer_over_a_bridge_come_no_changes_and_nothing_of_clients() {
    let says_all = |request: &Value| {
        let note = |method: &str| json!({"jsonrpc": "2.0", "method": method, "params": {}});
        let methods = ["initialized", "evil!", "tools/list_changed", "acme/news"];
        let mut all = methods
            .map(|it| note(&format!("notifications/{it}")))
            .to_vec();
        all.push(result(request, says("done")));
        events(&all)
    };
    let client = bridged("stateless", says_all).await;
    let all = messages(call(&client).await).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(all[0]["method"], "notifications/acme/news");
}
