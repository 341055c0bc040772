//! A client that speaks HTTP+SSE of 2024-11-05.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt as _;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{App, anonymous};

/// Where its stream is.
pub(crate) const SSE: &str = "/kb/mcp/sse";

/// A stream, and where its client posts.
pub(crate) struct OldClient<'a> {
    app: &'a App,
    pub(crate) token: String,
    pub(crate) events: BodyDataStream,
    read: String,
    pub(crate) endpoint: String,
}

pub(crate) fn bearer(method: &str, path: &str, token: &str) -> http::request::Builder {
    anonymous(method, path).header("authorization", format!("Bearer {token}"))
}

pub(crate) fn get(path: &str, token: &str) -> http::Request<Body> {
    let request = bearer("GET", path, token).body(Body::empty());
    request.expect("works in a test")
}

pub(crate) fn post(path: &str, token: &str, message: &Value) -> http::Request<Body> {
    let request = bearer("POST", path, token).header("content-type", "application/json");
    let request = request.body(Body::from(message.to_string()));
    request.expect("works in a test")
}

pub(crate) fn request(id: u64, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

pub(crate) fn initialize() -> Value {
    let params = json!({"protocolVersion": "2024-11-05", "capabilities": {"elicitation": {}},
        "clientInfo": {"name": "old", "version": "1"}});
    request(0, "initialize", params)
}

pub(crate) fn tool(id: u64, name: &str) -> Value {
    let params = json!({"name": name, "arguments": {}, "_meta": {"progressToken": "mine"}});
    request(id, "tools/call", params)
}

impl<'a> OldClient<'a> {
    /// Opens the stream.
    pub(crate) async fn connect(app: &'a App, token: String) -> Self {
        let response = app.send(get(SSE, &token)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        let mut client = Self {
            app,
            token,
            events: response.into_body().into_data_stream(),
            read: String::new(),
            endpoint: String::new(),
        };
        let (name, endpoint) = client.event().await.expect("the first event");
        assert_eq!(name, "endpoint");
        client.endpoint = endpoint;
        client
    }

    /// Opens the stream and shakes hands.
    pub(crate) async fn ready(app: &'a App) -> Self {
        let mut client = Self::connect(app, app.token()).await;
        client.post(&initialize()).await;
        let answer = client.next().await;
        assert_eq!(answer["id"], 0, "{answer}");
        assert!(answer["result"]["serverInfo"].is_object(), "{answer}");
        client
            .post(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await;
        client
    }

    /// Name and data; `None` at the end.
    pub(crate) async fn event(&mut self) -> Option<(String, String)> {
        let event = tokio::time::timeout(Duration::from_secs(10), self.read_event());
        event.await.expect("it did not happen in time")
    }

    async fn read_event(&mut self) -> Option<(String, String)> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                let found = field("event: ").zip(field("data: "));
                let found = found.map(|(name, data)| (name.to_owned(), data.to_owned()));
                self.read = rest.to_owned();
                if found.is_some() {
                    return found;
                }
                continue;
            }
            let chunk = self.events.next().await?.expect("works in a test");
            self.read
                .push_str(str::from_utf8(&chunk).expect("it is text"));
        }
    }

    pub(crate) async fn next(&mut self) -> Value {
        let (name, data) = self.event().await.expect("the stream goes on");
        assert_eq!(name, "message");
        serde_json::from_str(&data).expect("it is JSON")
    }

    pub(crate) async fn post_to(&self, endpoint: &str, message: &Value) -> Response<Body> {
        self.app.send(post(endpoint, &self.token, message)).await
    }

    pub(crate) async fn post(&self, message: &Value) {
        let answer = self.post_to(&self.endpoint, message).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED, "{message}");
    }
}
