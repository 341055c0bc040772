//! Streamable HTTP servers that say what the test wants.

use std::sync::Arc;

use async_trait::async_trait;
use axum::{Router, body::Body};
use http::{Request, Response, StatusCode};
use keystile_gateway::HttpUpstream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::http::Bridged;
use crate::support::{Client, world};

/// A server of one era, which shakes hands by itself, and answers every other request as `says`.
pub(crate) async fn scripted(
    era: &'static str,
    says: impl Fn(&Value) -> Response<Body> + Send + Sync + 'static,
) -> HttpUpstream {
    let says = Arc::new(says);
    let router = Router::new().fallback(move |request: Request<Body>| {
        let says = Arc::clone(&says);
        async move {
            let body = axum::body::to_bytes(request.into_body(), 1 << 20).await;
            let message: Value = serde_json::from_slice(&body.unwrap()).unwrap_or_default();
            if message.get("result").or(message.get("error")).is_some() {
                return says(&message);
            }
            if message["id"].is_null() {
                // A GET and a DELETE are none of its things.
                let status = if message.is_null() { 405 } else { 202 };
                return answer(status, "text/plain", "");
            }
            match (era, message["method"].as_str().unwrap()) {
                ("legacy", "initialize") => {
                    let mut response = told(&message, json!({"protocolVersion": "2025-11-25",
                        "capabilities": {"tools": {}, "logging": {}},
                        "serverInfo": {"name": "scripted", "version": "1"}}));
                    let session = "s-1".parse().unwrap();
                    response.headers_mut().insert("mcp-session-id", session);
                    response
                }
                ("stateless", "server/discover") => told(&message, json!({
                    "resultType": "complete", "supportedVersions": ["2026-07-28"],
                    "capabilities": {"tools": {}, "logging": {}}, "ttlMs": 0, "cacheScope": "private"})),
                (_, "initialize" | "server/discover") => error(400, &message, "not initialized"),
                ("legacy", "logging/setLevel") => told(&message, json!({})),
                _ => says(&message),
            }
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    HttpUpstream::new("kb", &url, None).unwrap()
}

/// Behind a gateway.
#[async_trait]
pub(crate) trait Learned {
    /// A client of the gateway, which knows the server's eras.
    async fn learned(self) -> Client;
}

#[async_trait]
impl Learned for HttpUpstream {
    async fn learned(self) -> Client {
        let (_, ports) = world();
        self.bridge(&ports).learn().await;
        let bridged = Bridged {
            upstream: self,
            ports,
        };
        Client::of(Arc::new(bridged), "ada", "editor")
    }
}

/// A response of this media type.
pub(crate) fn answer(status: u16, media: &str, body: impl Into<Body>) -> Response<Body> {
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .header("content-type", media)
        .body(body.into())
        .unwrap()
}

/// A stream of these messages.
pub(crate) fn events(messages: &[Value]) -> Response<Body> {
    let frames: String = messages
        .iter()
        .map(|message| format!("data: {message}\n\n"))
        .collect();
    answer(200, "text/event-stream", frames)
}

/// What a request is answered with.
pub(crate) fn result(request: &Value, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": request["id"], "result": result})
}

/// The same as a JSON response.
pub(crate) fn told(request: &Value, value: Value) -> Response<Body> {
    answer(200, "application/json", result(request, value).to_string())
}

/// An error under this status.
pub(crate) fn error(status: u16, request: &Value, message: &str) -> Response<Body> {
    let error = json!({"jsonrpc": "2.0", "id": request["id"],
        "error": {"code": -32000, "message": message}});
    answer(status, "application/json", error.to_string())
}

/// What a tool says.
pub(crate) fn says(text: &str) -> Value {
    json!({"resultType": "complete", "content": [{"type": "text", "text": text}]})
}
