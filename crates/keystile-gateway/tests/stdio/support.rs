//! A pool with real children, and a client in front of it.

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, Request, Response, StatusCode, request::Parts};
use http_body_util::BodyExt;
use keystile_domain::{
    flow::{FlowBook, Noted},
    ids::GrantId,
    time::Timestamp,
};
use keystile_gateway::{
    Phase,
    relay::Caller,
    stdio::{Pool, StdioConfig},
};
use serde_json::{Value, json};
use tokio::sync::watch;

pub(crate) use crate::world::{NOW, World, world};

/// The fixture's command line.
pub(crate) fn config(arguments: &[&str]) -> StdioConfig {
    let argv =
        std::iter::once(env!("CARGO_BIN_EXE_stdio-fixture")).chain(arguments.iter().copied());
    let env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    let mut config = StdioConfig::new("fixture", argv.map(Into::into).collect(), env);
    config.start_limit = Duration::from_secs(20);
    config
}

/// What answers a client: a pool, or a bridge in front of an HTTP upstream.
#[async_trait]
pub(crate) trait Endpoint: Send + Sync {
    async fn handle(&self, caller: &Caller, parts: &Parts, body: Bytes) -> Response<Body>;
}

#[async_trait]
impl Endpoint for Pool {
    async fn handle(&self, caller: &Caller, parts: &Parts, body: Bytes) -> Response<Body> {
        Pool::handle(self, caller, parts, body).await
    }
}

/// A pool and one client of it.
pub(crate) struct App {
    pub(crate) pool: Arc<Pool>,
    pub(crate) world: World,
    pub(crate) flows: Arc<FlowBook>,
    /// The end of the process.
    pub(crate) end: watch::Sender<Phase>,
}

impl App {
    pub(crate) fn of(arguments: &[&str]) -> Self {
        Self::with(config(arguments))
    }

    pub(crate) fn with(config: StdioConfig) -> Self {
        let (world, mut ports) = world();
        let (end, ending) = watch::channel(Phase::Serving);
        ports.ending = ending.into();
        Self {
            flows: Arc::clone(&ports.flows),
            pool: Arc::new(Pool::new(config, ports)),
            world,
            end,
        }
    }

    pub(crate) fn client(&self, person: &str, client: &str) -> Client {
        Client::of(Arc::clone(&self.pool) as _, person, client)
    }
}

impl Client {
    pub(crate) fn of(pool: Arc<dyn Endpoint>, person: &str, client: &str) -> Self {
        let grant = GrantId::from_bytes(id_of(&format!("{person}/{client}")));
        let caller = Caller {
            resource: "http://localhost:7717/kb/mcp".into(),
            person: person.into(),
            client: client.into(),
            grant,
            issued_at: Timestamp(NOW),
            expires_at: Timestamp(NOW + 600_000),
        };
        Self {
            pool,
            caller,
            session: None,
            elicits: false,
        }
    }
}

fn id_of(text: &str) -> [u8; 16] {
    let mut id = [0; 16];
    for (index, byte) in text.bytes().enumerate() {
        id[index % 16] ^= byte;
    }
    id
}

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) pool: Arc<dyn Endpoint>,
    pub(crate) caller: Caller,
    pub(crate) session: Option<String>,
    /// Declares elicitation with each stateless request.
    pub(crate) elicits: bool,
}

impl Client {
    pub(crate) async fn send(
        &self,
        method: http::Method,
        headers: &[(&str, &str)],
        body: String,
    ) -> Response<Body> {
        let mut request = Request::builder()
            .method(method)
            .uri("/s/mcp")
            .header("content-type", "application/json");
        if !headers.iter().any(|(name, _)| *name == "accept") {
            request = request.header("accept", "application/json, text/event-stream");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let body = Bytes::from(body);
        let response = self.pool.handle(&self.caller, &parts, body).await;
        // As the gateway does with each answer, but in a book of its own.
        if let Some(noted) = response.extensions().get::<Noted>() {
            FlowBook::default().refused(noted.clone(), self.caller.issued_at);
        }
        response
    }

    /// A message of the legacy era, with the session if there is one.
    pub(crate) async fn legacy(&self, message: Value) -> Response<Body> {
        self.legacy_text(message.to_string()).await
    }

    pub(crate) async fn legacy_text(&self, text: String) -> Response<Body> {
        let mut headers = vec![("mcp-protocol-version", "2025-11-25")];
        if let Some(session) = &self.session {
            headers.push(("mcp-session-id", session));
        }
        self.send(http::Method::POST, &headers, text).await
    }

    /// A request of 2026-07-28.
    pub(crate) async fn stateless(&self, id: Value, method: &str, params: Value) -> Response<Body> {
        self.stateless_text(method, self.envelope(id, method, params))
            .await
    }

    pub(crate) fn envelope(&self, id: Value, method: &str, mut params: Value) -> Value {
        let capabilities = if self.elicits {
            json!({"elicitation": {}})
        } else {
            json!({})
        };
        let meta = &mut params["_meta"];
        meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        if meta
            .get("io.modelcontextprotocol/clientCapabilities")
            .is_none()
        {
            meta["io.modelcontextprotocol/clientCapabilities"] = capabilities;
        }
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
    }

    pub(crate) async fn stateless_text(&self, method: &str, message: Value) -> Response<Body> {
        let mut headers = vec![
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", method),
        ];
        let params = &message["params"];
        let named = matches!(
            method,
            "tools/call" | "prompts/get" | "resources/read" | "tasks/get"
        );
        let name = params["name"]
            .as_str()
            .or(params["uri"].as_str())
            .or(params["taskId"].as_str())
            .filter(|_| named);
        if let Some(name) = name {
            headers.push(("mcp-name", name));
        }
        self.send(http::Method::POST, &headers, message.to_string())
            .await
    }

    /// Opens a session; the result of `initialize`.
    pub(crate) async fn initialize(&mut self, capabilities: Value) -> Value {
        let response = self.legacy(initialize(capabilities)).await;
        assert_eq!(response.status(), StatusCode::OK);
        let session = response.headers()["mcp-session-id"]
            .to_str()
            .unwrap()
            .to_owned();
        self.session = Some(session);
        let answer = body(response).await;
        let ready = self
            .legacy(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await;
        assert_eq!(ready.status(), StatusCode::ACCEPTED);
        answer["result"].clone()
    }

    /// A tool's text, parsed.
    pub(crate) async fn tool(&self, name: &str) -> Value {
        let params = json!({"name": name, "arguments": {}});
        let response = if self.session.is_some() {
            self.legacy(json!({"jsonrpc": "2.0", "id": format!("{name}-1"), "method": "tools/call", "params": params}))
                .await
        } else {
            self.stateless(json!(1), "tools/call", params).await
        };
        let answer = body(response).await;
        told(&answer)
    }

    /// The session's GET stream.
    pub(crate) async fn stream(&self) -> Response<Body> {
        let session = self.session.clone().unwrap_or_default();
        self.send(
            http::Method::GET,
            &[("mcp-session-id", &session)],
            String::new(),
        )
        .await
    }
}

pub(crate) fn initialize(capabilities: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": capabilities,
        "clientInfo": {"name": "test", "version": "1"},
    }})
}

/// What a tool said in its first text.
pub(crate) fn told(answer: &Value) -> Value {
    let text = answer["result"]["content"][0]["text"].as_str();
    serde_json::from_str(text.unwrap_or_else(|| panic!("no text in {answer}"))).unwrap()
}

/// The one JSON object of a response; from a stream, its last message.
pub(crate) async fn body(response: Response<Body>) -> Value {
    if is_stream(response.headers()) {
        return messages(response)
            .await
            .pop()
            .expect("a stream ends with the answer");
    }
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"))
}

pub(crate) fn is_stream(headers: &HeaderMap) -> bool {
    headers["content-type"] == "text/event-stream"
}

/// All messages of a stream, to its end.
pub(crate) async fn messages(response: Response<Body>) -> Vec<Value> {
    let mut stream = Events::of(response);
    let mut all = Vec::new();
    while let Some(message) = stream.next().await {
        all.push(message);
    }
    all
}

/// The messages of an open stream, one by one.
pub(crate) struct Events {
    body: BodyDataStream,
    buffer: String,
}

impl Events {
    pub(crate) fn of(response: Response<Body>) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert!(
            is_stream(response.headers()),
            "no stream: {:?}",
            response.headers()
        );
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self {
            body: response.into_body().into_data_stream(),
            buffer: String::new(),
        }
    }

    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let data = event
                    .lines()
                    .find_map(|line| line.strip_prefix("data: "))
                    .map(str::to_owned);
                self.buffer = rest.to_owned();
                match data {
                    Some(data) => return Some(serde_json::from_str(&data).unwrap()),
                    None => continue,
                }
            }
            let chunk = self.body.next().await?.unwrap();
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

/// Waits until nothing is left of a process. Polls, because nobody tells us about grandchildren.
pub(crate) async fn gone(pid: u64) {
    let alive = || {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
    };
    while alive() {
        tokio::task::yield_now().await;
    }
}

/// What must happen soon: a second by the checklist, a few for a busy machine.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), what)
        .await
        .expect("it did not happen in time")
}
