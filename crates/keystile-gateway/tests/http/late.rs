//! A server that is started after the gateway.

use std::sync::Arc;

use axum::{Router, body::Body};
use http::{Request, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{App, Server, empty_result, json_answer, text};

/// A server of 2025-11-25 that knows nothing newer.
async fn legacy(request: Request<Body>) -> Response<Body> {
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await;
    let asked: Value = serde_json::from_slice(&body.expect("it is short")).unwrap_or_default();
    let result = match asked["method"].as_str() {
        Some("initialize") => json!({"protocolVersion": "2025-11-25", "capabilities": {},
            "serverInfo": {"name": "late", "version": "1"}}),
        Some("tools/call") => json!({"content": []}),
        _ => {
            let mut refused = json_answer(
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}"#,
            );
            *refused.status_mut() = http::StatusCode::BAD_REQUEST;
            return refused;
        }
    };
    json_answer(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": result}).to_string())
}

#[tokio::test]
async fn a_server_that_starts_late_is_spoken_to_in_its_era_from_the_first_request() {
    let place = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = place.local_addr().expect("it is bound");
    drop(place);
    let url = format!("http://{address}/mcp");
    let app = App::in_front_of(Server::start(empty_result).await, &url, |upstream| upstream);
    let gateway = Arc::clone(&app.gateway);
    let asking = tokio::spawn(async move { gateway.learn_eras().await });
    let call = || {
        let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {
        "name": "read", "arguments": {}, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }}});
        let request = app
            .builder("POST")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", "read");
        app.send(request.body(call.to_string().into()).expect("a request"))
    };
    let (status, body) = text(call().await).await;
    assert_eq!(status, 502, "{body}");
    assert!(app.gateway.unhealthy().contains(&"kb"));
    let listener = TcpListener::bind(address).await.expect("it is free");
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(legacy)).await });
    let (status, body) = text(call().await).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(r#""resultType":"complete""#), "{body}");
    assert!(!app.gateway.unhealthy().contains(&"kb"));
    asking.abort();
}
