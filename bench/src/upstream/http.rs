//! Streamable HTTP: sessions for those who begin one, streams for everybody.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{AbortHandle, JoinHandle};

use super::{CANCELLED, Eras, Out, Server, is_stateless};

const SESSION: &str = "mcp-session-id";

/// A server with its sessions.
struct Words {
    server: Arc<Server>,
    sessions: Mutex<HashMap<String, Session>>,
    /// Under session and id, or the id alone.
    running: Mutex<HashMap<String, AbortHandle>>,
}

struct Session {
    news: Out,
    /// What was said before somebody listened, and then what the last one left.
    unheard: Arc<tokio::sync::Mutex<UnboundedReceiver<String>>>,
    /// The stream that is open.
    listener: Option<AbortHandle>,
}

/// Serves on a free port of loopback, as long as this runs.
///
/// # Errors
/// There is no port.
pub async fn serve(eras: Eras) -> Result<SocketAddr> {
    let words = Arc::new(Words {
        server: Server::new(eras),
        sessions: Mutex::default(),
        running: Mutex::default(),
    });
    let routes = post(message).get(listen).delete(end);
    let router = Router::new().route("/mcp", routes).with_state(words);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn message(State(words): State<Arc<Words>>, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(message) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let stateless = is_stateless(&message);
    let begins = message["method"] == "initialize";
    let known = session(&headers).and_then(|id| {
        let sessions = locked(&words.sessions);
        sessions.get(id).map(|session| session.news.clone())
    });
    if !stateless && !begins && known.is_none() {
        return match session(&headers) {
            Some(_) => StatusCode::NOT_FOUND.into_response(),
            None => StatusCode::BAD_REQUEST.into_response(),
        };
    }
    let of = session(&headers).unwrap_or_default().to_owned();
    if message["method"] == CANCELLED {
        let call = format!("{of} {}", message["params"]["requestId"]);
        let cancelled = locked(&words.running).remove(&call);
        cancelled.inspect(AbortHandle::abort);
    }
    if message["method"].is_null() || message["id"].is_null() {
        return StatusCode::ACCEPTED.into_response();
    }
    let (out, messages) = unbounded_channel();
    let news = known.unwrap_or_else(|| out.clone());
    let streams = message["method"] == "subscriptions/listen"
        || message["params"]["arguments"]["steps"].as_u64() > Some(0);
    let call = format!("{of} {}", message["id"]);
    let server = Arc::clone(&words.server);
    let task = tokio::spawn(async move { server.answer(&message, &out, &news).await });
    if streams && !stateless {
        let mut running = locked(&words.running);
        running.retain(|_, task| !task.is_finished());
        running.insert(call, task.abort_handle());
    }
    let task = Running(task);
    match streams {
        true => events(messages, task, !stateless),
        false => whole(&words, messages, begins).await,
    }
}

/// One message as the whole answer.
async fn whole(words: &Words, mut messages: UnboundedReceiver<String>, begins: bool) -> Response {
    let text = messages.recv().await.unwrap_or_default();
    let refused = text.contains(r#""error":"#);
    let mut response = ([(CONTENT_TYPE, "application/json")], text).into_response();
    if refused {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    } else if begins {
        let id = words.begin();
        let id = id.parse().expect("visible ASCII");
        response.headers_mut().insert(SESSION, id);
    }
    response
}

/// The session's own stream.
async fn listen(State(words): State<Arc<Words>>, headers: HeaderMap) -> Response {
    let id = session(&headers).unwrap_or_default().to_owned();
    let (out, messages) = unbounded_channel();
    let mut sessions = locked(&words.sessions);
    let Some(session) = sessions.get_mut(&id) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if let Some(last) = session.listener.take() {
        last.abort();
    }
    let unheard = Arc::clone(&session.unheard);
    let task = tokio::spawn(async move {
        let mut unheard = unheard.lock().await;
        while let Some(text) = unheard.recv().await {
            if out.send(text).is_err() {
                return;
            }
        }
    });
    session.listener = Some(task.abort_handle());
    drop(sessions);
    events(messages, Running(task), true)
}

async fn end(State(words): State<Arc<Words>>, headers: HeaderMap) -> StatusCode {
    let ended = session(&headers).and_then(|id| locked(&words.sessions).remove(id));
    match ended {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}

impl Words {
    fn begin(&self) -> String {
        let (news, unheard) = unbounded_channel();
        let mut sessions = locked(&self.sessions);
        let id = format!("session-{}-{}", sessions.len(), fresh());
        let session = Session {
            news,
            unheard: Arc::new(tokio::sync::Mutex::new(unheard)),
            listener: None,
        };
        sessions.insert(id.clone(), session);
        id
    }
}

/// The task behind a stream; it ends with it.
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Messages as they come. Before 2026-07-28 each has an id: the same ones in every stream.
fn events(messages: UnboundedReceiver<String>, task: Running, ids: bool) -> Response {
    let begun = (messages, task, 0_u64);
    let events = stream::unfold(begun, move |(mut messages, task, number)| async move {
        let text = messages.recv().await?;
        let id = if ids {
            format!("id: {number}\n")
        } else {
            String::new()
        };
        let event = Ok::<_, Infallible>(format!("{id}data: {text}\n\n"));
        Some((event, (messages, task, number + 1)))
    });
    let media = [(CONTENT_TYPE, "text/event-stream")];
    (media, Body::from_stream(events)).into_response()
}

fn session(headers: &HeaderMap) -> Option<&str> {
    headers.get(SESSION)?.to_str().ok()
}

/// Never given twice.
fn fresh() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
