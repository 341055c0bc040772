//! A gateway, and a real hyper server behind it that remembers what it was sent.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use keystile_domain::audit::Event;
use keystile_domain::flow::FlowBook;
use keystile_domain::ports::{AuditFailed, AuditSink};
use keystile_domain::secrets::Secrets;
use keystile_domain::secrets::session_id::SessionOwner;
use keystile_domain::time::Timestamp;
use keystile_gateway::relay::Ports;
use keystile_gateway::{Gateway, HttpUpstream, Phase, Settings, Upstream};
use keystile_protocol::issuer::Issuer;
use keystile_protocol::jwt::{AccessTokenClaims, KeySet, SigningKey};
use keystile_protocol::resource::ResourceTable;
use keystile_resource::Verifier;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::world::{FakeClock, FakeRevocations, world};

pub(crate) const NOW: u64 = 1_800_000_000;
/// Until then a session lasts that begins now.
pub(crate) const LATER: Timestamp = Timestamp((NOW as i64 + 30 * 24 * 3600) * 1000);
pub(crate) const ORIGIN: &str = "http://localhost:7717";
pub(crate) const PERSON: &str = "0198c0de-7f3a-7bcd-8e21-5a1f0c9d2b44";
pub(crate) const GRANT: &str = "0198c0de-7f3a-7bcd-8e21-5a1f0c9d2b45";

/// What the upstream was sent.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) parts: Parts,
    pub(crate) body: Bytes,
}

type Answer = Arc<dyn Fn(&Seen) -> Response<Body> + Send + Sync>;

/// A server on loopback. Each request is in `seen` before its answer begins.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    pub(crate) connections: Arc<AtomicU64>,
}

impl Server {
    pub(crate) async fn start(
        answer: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("works in a test");
        let address = listener.local_addr().expect("works in a test");
        let (seen, connections) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(AtomicU64::new(0)),
        );
        let answer: Answer = Arc::new(answer);
        let (all, count) = (Arc::clone(&seen), Arc::clone(&connections));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("works in a test");
                count.fetch_add(1, Ordering::SeqCst);
                let (answer, all) = (Arc::clone(&answer), Arc::clone(&all));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (answer, all) = (Arc::clone(&answer), Arc::clone(&all));
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.expect("works in a test").to_bytes();
                        let seen = Seen { parts, body };
                        all.lock().push(seen.clone());
                        Ok::<_, Infallible>(answer(&seen))
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self {
            address,
            seen,
            connections,
        }
    }

    /// How many requests came.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().len()
    }

    pub(crate) fn last(&self) -> Seen {
        self.seen.lock().last().expect("a request came").clone()
    }
}

pub(crate) fn json_answer(body: &str) -> Response<Body> {
    Response::builder()
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .expect("works in a test")
}

/// The answer of a server that has nothing to say: an empty result for a request, an empty stream for GET.
pub(crate) fn empty_result(seen: &Seen) -> Response<Body> {
    if seen.parts.method == http::Method::GET {
        return events("");
    }
    let said: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
    let answer = |message: &Value| {
        message.get("method")?;
        let id = message.get("id")?;
        Some(json!({"jsonrpc": "2.0", "id": id, "result": {}}))
    };
    let answer = match &said {
        Value::Array(batch) => {
            let answers: Vec<_> = batch.iter().filter_map(answer).collect();
            (!answers.is_empty()).then(|| answers.into())
        }
        message => answer(message),
    };
    answer.map_or_else(accepted, |answer| json_answer(&answer.to_string()))
}

fn accepted() -> Response<Body> {
    let mut accepted = Response::new(Body::empty());
    *accepted.status_mut() = StatusCode::ACCEPTED;
    accepted
}

/// A whole event stream.
pub(crate) fn events(stream: impl Into<Body>) -> Response<Body> {
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(stream.into())
        .expect("works in a test")
}

/// An event stream that the test feeds. It ends when the sender is dropped; `closed()` of the
/// sender resolves when nobody reads it any more.
pub(crate) fn event_stream() -> (mpsc::Sender<&'static str>, Response<Body>) {
    let (sender, receiver) = mpsc::channel(8);
    let events = futures_util::stream::unfold(receiver, |mut receiver| async move {
        let event: &'static str = receiver.recv().await?;
        Some((
            Ok::<_, Infallible>(Bytes::from_static(event.as_bytes())),
            receiver,
        ))
    });
    let response = Response::builder().header("content-type", "text/event-stream");
    (
        sender,
        response
            .body(Body::from_stream(events))
            .expect("works in a test"),
    )
}

#[derive(Default)]
pub(crate) struct FakeAudit {
    pub(crate) events: Mutex<Vec<Value>>,
    pub(crate) full: AtomicBool,
}

impl FakeAudit {
    fn keep(&self, event: &Event<'_>) -> Result<(), AuditFailed> {
        if self.full.load(Ordering::SeqCst) {
            return Err(AuditFailed("the disk is full".to_owned()));
        }
        self.events
            .lock()
            .push(serde_json::to_value(event).expect("works in a test"));
        Ok(())
    }
}

#[async_trait]
impl AuditSink for FakeAudit {
    async fn record(&self, event: &Event<'_>) -> Result<(), AuditFailed> {
        self.keep(event)
    }

    fn append(&self, event: &Event<'_>) -> Result<(), AuditFailed> {
        self.keep(event)
    }
}

/// A gateway with two servers, `kb` and `git`, both of which are `server`.
pub(crate) struct App {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) server: Server,
    pub(crate) key: SigningKey,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) revocations: Arc<FakeRevocations>,
    pub(crate) audit: Arc<FakeAudit>,
    /// The end of the process.
    pub(crate) end: watch::Sender<Phase>,
    pub(crate) flows: Arc<FlowBook>,
}

impl App {
    pub(crate) async fn new(
        answer: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let server = Server::start(answer).await;
        let url = format!("http://{}/upstream/mcp", server.address);
        Self::in_front_of(server, &url, |upstream| upstream)
    }

    /// An upstream that answers every request with an empty result.
    pub(crate) async fn echo() -> Self {
        Self::new(empty_result).await
    }

    pub(crate) fn in_front_of(
        server: Server,
        url: &str,
        tune: impl Fn(HttpUpstream) -> HttpUpstream,
    ) -> Self {
        Self::with(server, |_| {
            Upstream::Http(tune(
                HttpUpstream::new("kb", url, None).expect("works in a test"),
            ))
        })
    }

    /// A gateway whose two servers are what this makes.
    pub(crate) fn with(server: Server, upstream: impl Fn(&Ports) -> Upstream) -> Self {
        let public = Issuer::parse(ORIGIN).expect("works in a test");
        let table = ResourceTable::new(&public, &["kb".to_owned(), "git".to_owned()]);
        let key = SigningKey::generate_es256().expect("works in a test");
        let mut keys = KeySet::new();
        keys.insert(key.kid(), key.verification_key())
            .expect("works in a test");
        let (world, mut ports) = world();
        let (end, ending) = watch::channel(Phase::Serving);
        ports.ending = ending.into();
        let audit = Arc::new(FakeAudit::default());
        let served = table.iter();
        let settings = Settings {
            public,
            loopback_ports: vec![7717],
            origins: vec!["https://app.example".to_owned()],
            served: served
                .map(|served| (served.clone(), upstream(&ports)))
                .collect(),
        };
        let verifier = Arc::new(Verifier::new(ORIGIN, keys));
        let (trail, secrets) = (Arc::clone(&audit), Arc::clone(&ports.secrets));
        let flows = Arc::clone(&ports.flows);
        let gateway = Gateway::new(settings, verifier, trail, ports);
        Self {
            gateway: Arc::new(gateway),
            secrets,
            server,
            key,
            clock: world.clock,
            revocations: world.revoked,
            audit,
            end,
            flows,
        }
    }

    /// Ends the grant of its tokens.
    pub(crate) fn revoke(&self) {
        self.revocations
            .revoke(GRANT.parse().expect("works in a test"));
    }

    pub(crate) fn claims(&self) -> AccessTokenClaims {
        AccessTokenClaims {
            iss: ORIGIN.to_owned(),
            sub: PERSON.to_owned(),
            aud: format!("{ORIGIN}/kb/mcp"),
            client_id: "client-1".to_owned(),
            scope: "kb:call".to_owned(),
            iat: NOW - 1,
            exp: NOW + 599,
            nbf: None,
            jti: "0198c0de-7f3a-7bcd-8e21-5a1f0c9d2b46".to_owned(),
            sid: Some(GRANT.to_owned()),
        }
    }

    pub(crate) fn token_with(&self, change: impl FnOnce(&mut AccessTokenClaims)) -> String {
        let mut claims = self.claims();
        change(&mut claims);
        self.key.sign(&claims).expect("works in a test")
    }

    pub(crate) fn token(&self) -> String {
        self.token_with(|_| {})
    }

    /// What the client of [`token`](Self::token) knows the upstream's session `id` as, on `kb`.
    pub(crate) fn session(&self, id: &str) -> String {
        self.bound(|secrets, owner| secrets.bind_session_id(owner, id, LATER))
    }

    /// What it knows the event `id` of that session as.
    pub(crate) fn event(&self, session: &str, id: &str) -> String {
        let session = session.as_bytes();
        self.bound(|secrets, owner| secrets.bind_event_id(owner, session, id))
    }

    fn bound(&self, bind: impl Fn(&Secrets, SessionOwner<'_>) -> String) -> String {
        let resource = format!("{ORIGIN}/kb/mcp");
        let owner = SessionOwner {
            resource: &resource,
            person: PERSON,
            client: "client-1",
            revision: None,
        };
        bind(&self.secrets, owner)
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.gateway.handle(request).await
    }

    /// A `tools/call` with a good token.
    pub(crate) fn call(&self) -> Request<Body> {
        self.post(TOOL_CALL)
    }

    pub(crate) fn post(&self, body: impl Into<Body>) -> Request<Body> {
        self.builder("POST")
            .header("content-type", "application/json")
            .body(body.into())
            .expect("works in a test")
    }

    pub(crate) fn builder(&self, method: &str) -> http::request::Builder {
        anonymous(method, "/kb/mcp").header("authorization", format!("Bearer {}", self.token()))
    }
}

pub(crate) const TOOL_CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read","arguments":{"n":1.0}}}"#;

/// A request with the right `Host` and no token.
pub(crate) fn anonymous(method: &str, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost:7717")
        .header("accept", "application/json, text/event-stream")
}

/// Status and text of an answer.
pub(crate) async fn text(response: Response<Body>) -> (StatusCode, String) {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("works in a test").to_bytes();
    (
        parts.status,
        String::from_utf8(body.to_vec()).expect("works in a test"),
    )
}

/// Status and the code of a JSON-RPC error, and the stable word in its data.
pub(crate) async fn refusal(response: Response<Body>) -> (u16, i64, String) {
    let (status, text) = text(response).await;
    let body: Value = serde_json::from_str(&text).unwrap_or(json!(null));
    let word = body["error"]["data"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (
        status.as_u16(),
        body["error"]["code"].as_i64().unwrap_or_default(),
        word,
    )
}

pub(crate) fn challenge(response: &Response<Body>) -> &str {
    response
        .headers()
        .get("www-authenticate")
        .map_or("", |value| value.to_str().expect("works in a test"))
}
