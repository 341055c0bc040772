//! Servers that speak HTTP+SSE, the transport of 2024-11-05, and nothing newer.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    process::Stdio,
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::{Router, body::Body};
use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response, StatusCode};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::watch,
};

/// The stdio fixture, one process for each stream.
pub(crate) struct FixtureOverSse {
    pub(crate) url: String,
    /// Streams that are open now.
    pub(crate) open: watch::Receiver<usize>,
}

type Inputs = Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<ChildStdin>>>>>;

/// Ends its session when it goes.
struct Session {
    id: String,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
    inputs: Inputs,
    open: watch::Sender<usize>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.inputs.lock().remove(&self.id);
        self.open.send_modify(|open| *open -= 1);
    }
}

impl FixtureOverSse {
    pub(crate) async fn start(era: &'static str) -> Self {
        let (open, opened) = watch::channel(0);
        let (inputs, count) = (Inputs::default(), Arc::new(AtomicUsize::new(0)));
        let router = Router::new().fallback(move |request: Request<Body>| {
            let (inputs, open) = (Arc::clone(&inputs), open.clone());
            let id = count.fetch_add(1, Ordering::SeqCst).to_string();
            async move {
                match (request.method(), request.uri().path()) {
                    (&Method::GET, "/app/sse") => stream_of(open_session(era, id, inputs, open)),
                    (&Method::POST, "/app/messages") => post(request, &inputs).await,
                    _ => status(StatusCode::METHOD_NOT_ALLOWED),
                }
            }
        });
        let address = serve(router).await;
        let url = format!("http://{address}/app/sse");
        Self { url, open: opened }
    }
}

fn open_session(
    era: &str,
    id: String,
    inputs: Inputs,
    open: watch::Sender<usize>,
) -> (String, Session) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stdio-fixture"))
        .arg(era)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the fixture starts");
    let input = child.stdin.take().expect("it is piped");
    let output = child.stdout.take().expect("it is piped");
    let input = Arc::new(tokio::sync::Mutex::new(input));
    inputs.lock().insert(id.clone(), input);
    open.send_modify(|open| *open += 1);
    let endpoint = format!(": hello\n\nevent: endpoint\ndata: messages?session_id={id}\n\n");
    let session = Session {
        id,
        lines: BufReader::new(output).lines(),
        _child: child,
        inputs,
        open,
    };
    (endpoint, session)
}

fn stream_of((endpoint, session): (String, Session)) -> Response<Body> {
    let begun = (Some(endpoint), session);
    let events = stream::unfold(begun, |(first, mut session)| async move {
        let event = match first {
            Some(first) => first,
            None => {
                let line = session.lines.next_line().await.ok()??;
                format!("event: message\r\ndata: {line}\r\n\r\n")
            }
        };
        Some((Ok::<_, Infallible>(Bytes::from(event)), (None, session)))
    });
    events_of(Body::from_stream(events))
}

async fn post(request: Request<Body>, inputs: &Inputs) -> Response<Body> {
    let id = request.uri().query().unwrap_or_default();
    let id = id.strip_prefix("session_id=").unwrap_or_default();
    let Some(input) = inputs.lock().get(id).cloned() else {
        return status(StatusCode::NOT_FOUND);
    };
    assert_eq!(request.headers()["content-type"], "application/json");
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await;
    let mut line = body.expect("it is whole").to_vec();
    line.push(b'\n');
    let written = input.lock().await.write_all(&line).await;
    written.expect("the fixture reads");
    let mut response = Response::new(Body::from("Accepted"));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

pub(crate) fn events_of(body: Body) -> Response<Body> {
    let response = Response::builder().header("content-type", "text/event-stream; charset=utf-8");
    response.body(body).expect("it is well formed")
}

pub(crate) fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
