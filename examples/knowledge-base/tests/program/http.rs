use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
};

use crate::program;

struct Running {
    child: Child,
    url: String,
    client: Client<HttpConnector, Full<Bytes>>,
    _state: tempfile::TempDir,
}

impl Running {
    /// Starts the program and waits for the line that names its address.
    async fn start(more: &[&str]) -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut arguments = vec![
            "--http",
            "127.0.0.1:0",
            "--state",
            state.path().to_str().unwrap(),
        ];
        arguments.extend(more);
        let mut child = program(arguments).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready: Value =
            serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
        let url = ready["mcp_url"].as_str().unwrap().to_owned();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            child,
            url,
            client,
            _state: state,
        }
    }

    async fn post(&self, headers: &[(&str, &str)], message: Value) -> (StatusCode, String) {
        let mut request = Request::post(&self.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self
            .client
            .request(request.body(Full::from(message.to_string())).unwrap())
            .await
            .unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.into()).unwrap())
    }

    async fn initialize(&self, headers: &[(&str, &str)]) -> (StatusCode, String) {
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        });
        self.post(
            headers,
            json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }),
        )
        .await
    }

    async fn stateless(&self, method: &str) -> (StatusCode, String) {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let message =
            json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": { "_meta": meta } });
        self.post(
            &[
                ("mcp-protocol-version", "2026-07-28"),
                ("mcp-method", method),
            ],
            message,
        )
        .await
    }
}

#[tokio::test]
async fn both_eras_are_served_over_http() {
    let running = Running::start(&[]).await;
    let (status, body) = running.initialize(&[]).await;
    assert!(
        status.is_success() && body.contains("\"protocolVersion\":\"2025-11-25\""),
        "{body}"
    );
    let (status, body) = running.stateless("server/discover").await;
    assert!(status.is_success() && body.contains("2026-07-28"), "{body}");
    let (status, body) = running.stateless("tools/list").await;
    assert!(status.is_success() && body.contains("add_note"), "{body}");
}

#[tokio::test]
async fn a_2026_only_server_refuses_initialize_over_http() {
    let running = Running::start(&["--only", "2026"]).await;
    let (_, body) = running.initialize(&[]).await;
    assert!(body.contains("-32022"), "{body}");
    let (status, body) = running
        .post(
            &[("mcp-protocol-version", "2025-11-25")],
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }),
        )
        .await;
    assert!(status.is_client_error(), "{status} {body}");
    let (status, body) = running.stateless("tools/list").await;
    assert!(status.is_success() && body.contains("add_note"), "{body}");
}

#[tokio::test]
async fn a_2025_only_server_refuses_stateless_requests_over_http() {
    let running = Running::start(&["--only", "2025"]).await;
    let (status, body) = running.initialize(&[]).await;
    assert!(
        status.is_success() && body.contains("\"protocolVersion\":\"2025-11-25\""),
        "{body}"
    );
    for method in ["server/discover", "tools/list"] {
        let (_, body) = running.stateless(method).await;
        assert!(
            body.contains("-32022") && !body.contains("add_note"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn pages_in_a_browser_and_foreign_names_are_refused() {
    let running = Running::start(&[]).await;
    for (name, value) in [("origin", "https://evil.example"), ("host", "evil.example")] {
        let (status, body) = running.initialize(&[(name, value)]).await;
        assert!(status.is_client_error(), "{name}: {status} {body}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn it_ends_cleanly_when_told_to_although_a_stream_is_open() {
    let mut running = Running::start(&[]).await;
    let request = Request::post(&running.url)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream")
        .body(Full::from(json!({
            "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": { "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } },
        }).to_string()))
        .unwrap();
    let response = running.client.request(request).await.unwrap();
    let session = response.headers()["mcp-session-id"].clone();
    let stream = Request::get(&running.url)
        .header(header::ACCEPT, "text/event-stream")
        .header("mcp-session-id", session)
        .header("mcp-protocol-version", "2025-11-25")
        .body(Full::default())
        .unwrap();
    let stream = running.client.request(stream).await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    let told = std::process::Command::new("kill")
        .arg(running.child.id().unwrap().to_string())
        .status();
    assert!(told.unwrap().success());
    assert_eq!(running.child.wait().await.unwrap().code(), Some(0));
    drop(stream);
}
