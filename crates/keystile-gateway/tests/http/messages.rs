//! What is a message, and what is none: nothing of the latter reaches the upstream.

use axum::body::Body;
use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Value, json};

use crate::support::{App, TOOL_CALL, refusal, text};

async fn refused(app: &App, body: &str) -> (u16, i64) {
    let (status, code, _) = refusal(app.send(app.post(body.to_owned())).await).await;
    (status, code)
}

#[tokio::test]
async fn bodies_that_parsers_read_differently_never_reach_the_upstream() {
    let app = App::echo().await;
    let call = |params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{params}}}"#)
    };
    for (body, code) in [
        (call(r#"{"name":"read","name":"delete"}"#), -32600),
        (call(r#"{"name":"read","n\u0061me":"delete"}"#), -32600),
        (call(r#"{"name":"read","Name":"delete"}"#), -32600),
        (call(r#"{"name":"read","name\u0000":"delete"}"#), -32600),
        (call(r#"{"name":"read","arguments":{"x":1,"x":2}}"#), -32600),
        (call(r#"{"name":"read","arguments":{"x":1e999}}"#), -32600),
        (
            call(r#"{"name":"read","arguments":{"x":"\ud800"}}"#),
            -32700,
        ),
        (format!("{TOOL_CALL} {TOOL_CALL}"), -32700),
        (format!("[{TOOL_CALL}]"), -32600),
        (
            r#"{"jsonrpc":"2.0","id":7,"METHOD":"tools/call"}"#.to_owned(),
            -32600,
        ),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"ping","meth\u006fd":"tools/call"}"#.to_owned(),
            -32600,
        ),
        (String::new(), -32700),
        (
            call(&format!(
                "{{\"name\":\"x\",\"arguments\":{}{}}}",
                "[".repeat(70),
                "]".repeat(70)
            )),
            -32600,
        ),
    ] {
        assert_eq!(refused(&app, &body).await, (400, code), "{body}");
    }
    let raw = app.post(Bytes::from_static(
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":\"\xff\"}}",
    ));
    assert_eq!(refusal(app.send(raw).await).await.0, 400);
    assert_eq!(app.server.count(), 0);
    let events = app.audit.events.lock();
    assert_eq!(events.len(), 14);
    assert!(
        events
            .iter()
            .all(|event| event["outcome"] == "deny" && event["reason"] == "not_a_message")
    );
}

#[tokio::test]
async fn n_tr_04_a_post_is_one_message() {
    let app = App::echo().await;
    for body in [
        "[]",
        &format!("[{TOOL_CALL},{TOOL_CALL}]"),
        "[[]]",
        "\"x\"",
        "1",
        "null",
        "{}",
    ] {
        assert_eq!(refused(&app, body).await.0, 400, "{body}");
    }
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    let modern = app
        .builder("POST")
        .header("content-type", "application/json");
    let modern = modern
        .header("mcp-protocol-version", "2026-07-28")
        .body(Body::from(answer))
        .unwrap();
    assert_eq!(
        app.send(modern).await.status(),
        400,
        "2026-07-28 has no client responses"
    );
    assert_eq!(app.server.count(), 0);
    assert_eq!(app.send(app.post(answer)).await.status(), 202, "2025 has");
}

#[tokio::test]
async fn n_tr_12_a_method_that_nobody_has_never_reaches_the_upstream() {
    let app = App::echo().await;
    for method in [
        "foo/bar",
        "tools/Call",
        "",
        "tools/call ",
        &"x".repeat(10_000),
    ] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":3,"method":"{method}","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
        );
        let request = app
            .builder("POST")
            .header("content-type", "application/json");
        let request = request
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method);
        let request = request.body(Body::from(body)).unwrap();
        assert_eq!(
            refusal(app.send(request).await).await,
            (404, -32601, "unknown_method".to_owned()),
            "{method}"
        );
        let old = format!(r#"{{"jsonrpc":"2.0","id":3,"method":"{method}"}}"#);
        assert_eq!(
            refused(&app, &old).await,
            (200, -32601),
            "a 404 would end a 2025 session"
        );
    }
    assert_eq!(app.server.count(), 0);
}

#[tokio::test]
async fn a_refusal_carries_the_requests_id() {
    let app = App::echo().await;
    let (_, body) = crate::support::text(
        app.send(app.post(r#"{"jsonrpc":"2.0","id":"a-1","method":"x"}"#))
            .await,
    )
    .await;
    assert!(body.contains(r#""id":"a-1""#), "{body}");
}

#[tokio::test]
async fn a_109_a_body_over_the_limit_is_refused_whole() {
    const LIMIT: usize = 4 * 1024 * 1024;
    let app = App::echo().await;
    let sized = |size: usize| {
        let frame = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read","arguments":{"x":""}}}"#;
        frame.replace("\"\"", &format!("\"{}\"", "x".repeat(size - frame.len())))
    };
    for (size, status) in [(LIMIT - 1, 200), (LIMIT, 200), (LIMIT + 1, 413)] {
        let body = sized(size);
        let declared = app
            .builder("POST")
            .header("content-type", "application/json");
        let declared = declared
            .header("content-length", size)
            .body(Body::from(body.clone()))
            .unwrap();
        assert_eq!(app.send(declared).await.status(), status, "{size}");
        let pieces: Vec<_> = body
            .as_bytes()
            .chunks(100_000)
            .map(Bytes::copy_from_slice)
            .map(Ok::<_, std::io::Error>)
            .collect();
        let chunked = Body::from_stream(futures_util::stream::iter(pieces));
        assert_eq!(
            app.send(app.post(chunked)).await.status(),
            status,
            "{size} chunked"
        );
    }
    assert_eq!(app.server.count(), 4);
    assert_eq!(app.server.last().body.len(), LIMIT);
}

#[tokio::test]
async fn a_protocol_error_keeps_its_data_and_has_a_code_and_a_reference_too() {
    let app = App::echo().await;
    let request = app
        .builder("POST")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2042-01-01");
    let (status, body) = text(app.send(request.body(Body::from(TOOL_CALL)).unwrap()).await).await;
    assert_eq!(status, 400);
    let error = serde_json::from_str::<serde_json::Value>(&body).unwrap()["error"].clone();
    assert_eq!(error["code"], -32022);
    let data = &error["data"];
    assert_eq!(data["requested"], "2042-01-01");
    assert_eq!(data["supported"][0], "2024-11-05");
    assert_eq!(data["code"], "header_mismatch");
    let reference = data["reference"].as_str().unwrap();
    assert!(reference.starts_with("KS-"), "{body}");
}

/// MCP 2026-07-28, basic and streamable HTTP. −32021 is for whoever knows what an operation needs: the server, or the
/// bridge in front of an older one (`tests/stdio/bridges.rs`).
#[tokio::test]
async fn n_rs_21_what_a_stateless_request_lacks_has_a_code_of_its_own() {
    let app = App::echo().await;
    let (version, capabilities) = (
        "io.modelcontextprotocol/protocolVersion",
        "io.modelcontextprotocol/clientCapabilities",
    );
    let current = json!("2026-07-28");
    for (header, meta, code) in [
        (Some("2026-07-28"), None, -32602),
        (Some("2026-07-28"), Some(json!({})), -32602),
        (Some("2026-07-28"), Some(json!({capabilities: {}})), -32602),
        (Some("2026-07-28"), Some(json!({version: current})), -32602),
        (
            Some("2026-07-28"),
            Some(json!({version: "2026-07-29", capabilities: {}})),
            -32020,
        ),
        (
            Some("2025-11-25"),
            Some(json!({version: current, capabilities: {}})),
            -32020,
        ),
        (
            None,
            Some(json!({version: current, capabilities: {}})),
            -32020,
        ),
        (
            Some("2026-07-29"),
            Some(json!({version: "2026-07-29", capabilities: {}})),
            -32022,
        ),
        (Some("2099-01-01"), None, -32022),
        (
            Some("draft"),
            Some(json!({version: current, capabilities: {}})),
            -32022,
        ),
        (
            Some(""),
            Some(json!({version: "", capabilities: {}})),
            -32022,
        ),
        // What is no string or object at all is no message.
        (
            Some("2026-07-28"),
            Some(json!({version: 1, capabilities: {}})),
            -32600,
        ),
        (
            Some("2026-07-28"),
            Some(json!({version: current, capabilities: true})),
            -32600,
        ),
    ] {
        let mut params = json!({"name": "read"});
        if let Some(meta) = &meta {
            params["_meta"] = meta.clone();
        }
        let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
        let mut request = app.post(body.to_string());
        let headers = request.headers_mut();
        headers.insert("mcp-method", HeaderValue::from_static("tools/call"));
        headers.insert("mcp-name", HeaderValue::from_static("read"));
        if let Some(header) = header {
            headers.insert("mcp-protocol-version", HeaderValue::from_static(header));
        }
        let (status, told) = text(app.send(request).await).await;
        let told: Value = serde_json::from_str(&told).unwrap();
        let seen = (status.as_u16(), &told["error"]["code"]);
        assert_eq!(seen, (400, &json!(code)), "{header:?} {meta:?}: {told}");
    }
    assert_eq!(app.server.count(), 0);
}
