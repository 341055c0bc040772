//! An HTTP upstream as a conversation: each message its own POST, the answer's stream read back.
//!
//! Only the era bridge talks to an upstream this way; traffic of one era is forwarded as it is.

mod answers;
mod mirror;

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, BodyStream, Full, Limited};
use hyper::body::Incoming;
use keystile_protocol::mcp::headers;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{Connect, Failure, Link, Outgoing, Received, Strange, Wire, peer::CANCELLED};
use crate::connections::Connections;
use crate::era::{
    json::Node,
    message::{Kind, Message},
    meta,
    param_headers::ParamHeaders,
};
use crate::sse::EventReader;
use answers::Answers;

/// How the upstream is reached.
#[derive(Clone)]
pub(crate) struct Reach {
    pub(crate) uri: Uri,
    pub(crate) host: HeaderValue,
    pub(crate) connections: Connections,
    /// Until an answer begins.
    pub(crate) call_limit: Duration,
    /// Bytes in one message.
    pub(crate) max_message: usize,
    /// What it has sent that is no MCP.
    pub(crate) strange: Arc<Strange>,
}

#[async_trait]
impl Connect for Reach {
    async fn connect(&self) -> Result<Wire, Failure> {
        let (sender, inbox) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared {
            reach: self.clone(),
            inbox: sender,
            session: Mutex::default(),
            params: Mutex::default(),
            stop: CancellationToken::new(),
        });
        let link = HttpLink {
            shared,
            running: Mutex::default(),
            listening: Arc::default(),
        };
        Ok(Wire {
            link: Arc::new(link),
            inbox,
        })
    }
}

struct HttpLink {
    shared: Arc<Shared>,
    /// By upstream id.
    running: Mutex<HashMap<Box<str>, AbortOnDropHandle<()>>>,
    /// The GET stream of a legacy session.
    listening: Arc<Mutex<Option<AbortOnDropHandle<()>>>>,
}

struct Shared {
    reach: Reach,
    inbox: mpsc::Sender<Received>,
    session: Mutex<LegacySession>,
    /// `None` until tools have been listed.
    params: Mutex<Option<ParamHeaders>>,
    stop: CancellationToken,
}

/// What the upstream's answer to `initialize` said.
#[derive(Clone, Default)]
struct LegacySession {
    id: Option<HeaderValue>,
    revision: Option<HeaderValue>,
}

#[async_trait]
impl Link for HttpLink {
    async fn send(&self, message: Outgoing) -> Result<(), Failure> {
        let text = message.text;
        match self.sort(&text) {
            Sorted::Call(id) => self.spawn(id, text),
            Sorted::Cancel(id) if self.stops(&id) => {}
            // In order: what comes next may rely on it.
            Sorted::Cancel(_) | Sorted::Notice => drop(self.shared.post(&text).await?),
        }
        Ok(())
    }

    fn try_send(&self, message: Outgoing) -> bool {
        let text = message.text;
        match self.sort(&text) {
            Sorted::Call(id) => self.spawn(id, text),
            Sorted::Cancel(id) if self.stops(&id) => {}
            Sorted::Cancel(_) | Sorted::Notice => {
                let shared = Arc::clone(&self.shared);
                tokio::spawn(async move { shared.post(&text).await.map(drop) });
            }
        }
        true
    }

    async fn close(&self) {
        self.shared.stop.cancel();
        self.running.lock().clear();
        self.listening.lock().take();
        if self.shared.session.lock().id.is_some() {
            let request = self
                .shared
                .request(Method::DELETE, HeaderMap::new(), Bytes::new());
            let goodbye = self.shared.reach.connections.request(request);
            // The upstream ends its session by itself if it does not hear this.
            let _ = tokio::time::timeout(GOODBYE, goodbye).await;
        }
        let _ = self
            .shared
            .inbox
            .send(Received::Ended(Failure::Closed))
            .await;
    }
}

enum Sorted {
    /// A request, by its upstream id.
    Call(Box<str>),
    /// Of a call, by its upstream id.
    Cancel(Box<str>),
    Notice,
}

impl HttpLink {
    fn sort(&self, text: &str) -> Sorted {
        let message = Message::of(text);
        match message.kind() {
            Some(Kind::Request { id, .. }) => {
                Sorted::Call(Node::root(id).string().unwrap_or_default().into())
            }
            Some(Kind::Notification { method }) if method == CANCELLED => {
                let id = message
                    .root
                    .path(["params", "requestId"])
                    .and_then(Node::string);
                Sorted::Cancel(id.unwrap_or_default().into())
            }
            _ => Sorted::Notice,
        }
    }

    /// Closes the call's stream. In the stateless era that is the cancellation, and there is nothing more to say.
    fn stops(&self, id: &str) -> bool {
        self.running.lock().remove(id);
        self.shared.session.lock().revision.is_none()
    }

    fn spawn(&self, id: Box<str>, text: String) {
        let shared = Arc::clone(&self.shared);
        let listening = Arc::clone(&self.listening);
        let call = id.clone();
        let task = tokio::spawn(async move {
            match shared.call(&call, &text).await {
                Ok(Called::Answered) => {}
                Ok(Called::Initialized) => {
                    let task = tokio::spawn(Arc::clone(&shared).listen());
                    *listening.lock() = Some(AbortOnDropHandle::new(task));
                }
                Err(failure) => {
                    let _ = shared
                        .inbox
                        .send(Received::Failed { id: call, failure })
                        .await;
                }
            }
        });
        let mut running = self.running.lock();
        running.retain(|_, task| !task.is_finished());
        running.insert(id, AbortOnDropHandle::new(task));
    }
}

enum Called {
    Answered,
    Initialized,
}

impl Shared {
    /// One request and everything that comes back for it.
    async fn call(&self, id: &str, text: &str) -> Result<Called, Failure> {
        let method = method_of(text).unwrap_or_default();
        let initializes = method == "initialize";
        if method == "tools/call" && is_stateless(text) {
            self.list_tools_once(text).await;
        }
        let response = self.post(text).await?;
        let session = response.headers().get(headers::SESSION_ID).cloned();
        let mut answers = Answers {
            shared: self,
            id,
            method: &method,
            first: None,
            session,
        };
        if !response.status().is_success() {
            answers.refused(response).await?;
        } else if media(&response) == Some("text/event-stream") {
            self.events(response, &mut answers).await?;
        } else {
            let body = self.whole(response).await?;
            answers.take(body).await?;
        }
        match answers.first {
            Some(initialized) if initializes && initialized => Ok(Called::Initialized),
            Some(_) => Ok(Called::Answered),
            None => Err(Failure::Closed),
        }
    }

    async fn post(&self, text: &str) -> Result<Response<Incoming>, Failure> {
        let headers = self.mirrored(text);
        let request = self.request(Method::POST, headers, Bytes::from(text.to_owned()));
        let sent = self.reach.connections.request(request);
        let response = tokio::select! {
            () = self.stop.cancelled() => return Err(Failure::Closed),
            sent = tokio::time::timeout(self.reach.call_limit, sent) => sent,
        };
        let response = response
            .map_err(|_| Failure::Unreachable("no answer in time".into()))?
            .map_err(|error| Failure::unreachable(&error))?;
        let status = response.status();
        if status == StatusCode::NOT_FOUND && self.session.lock().id.is_some() {
            // The upstream has forgotten the session: the next call opens a new one.
            let _ = self.inbox.send(Received::Ended(Failure::Closed)).await;
            return Err(Failure::Closed);
        }
        Ok(response)
    }

    fn request(&self, method: Method, mut headers: HeaderMap, body: Bytes) -> Request<Full<Bytes>> {
        let accept = if method == Method::GET {
            "text/event-stream"
        } else {
            "application/json, text/event-stream"
        };
        headers.insert(header::HOST, self.reach.host.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        if method == Method::POST {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
        }
        let session = self.session.lock().clone();
        if let Some(id) = session.id {
            headers.insert(headers::SESSION_ID, id);
        }
        if let Some(revision) = session.revision {
            headers.insert(headers::PROTOCOL_VERSION, revision);
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.reach.uri.clone();
        *request.headers_mut() = headers;
        request
    }

    async fn whole(&self, response: Response<Incoming>) -> Result<Vec<u8>, Failure> {
        let cap = self.reach.max_message;
        let body = Limited::new(response.into_body(), cap).collect().await;
        body.map(|body| body.to_bytes().to_vec())
            .map_err(|_| Failure::TooLong(cap))
    }

    async fn events(
        &self,
        response: Response<Incoming>,
        answers: &mut Answers<'_>,
    ) -> Result<(), Failure> {
        let mut body = BodyStream::new(response.into_body());
        let mut reader = EventReader::default();
        while let Some(frame) = body.next().await {
            let frame = frame.map_err(|error| Failure::unreachable(&error))?;
            let Some(chunk) = frame.data_ref() else {
                continue;
            };
            let (cap, mut rest) = (self.reach.max_message, &**chunk);
            let too_long = |_| Failure::TooLong(cap);
            while let Some(event) = reader.next(&mut rest, cap).map_err(too_long)? {
                if let Some(message) = event.into_message() {
                    answers.take(message).await?;
                }
            }
        }
        Ok(())
    }

    /// The session's own stream, for as long as the upstream offers one.
    async fn listen(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let request = self.request(Method::GET, HeaderMap::new(), Bytes::new());
            let Ok(response) = self.reach.connections.request(request).await else {
                return;
            };
            if !response.status().is_success() || media(&response) != Some("text/event-stream") {
                return;
            }
            let mut answers = Answers {
                shared: &self,
                id: "",
                method: "",
                first: None,
                session: None,
            };
            if let Err(Failure::NotMcp | Failure::TooLong(_)) =
                self.events(response, &mut answers).await
            {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }
}

fn method_of(text: &str) -> Option<String> {
    Message::of(text)
        .root
        .member("method")
        .and_then(Node::string)
        .map(String::from)
}

fn media(response: &Response<Incoming>) -> Option<&str> {
    let value = response
        .headers()
        .get(header::CONTENT_TYPE)?
        .to_str()
        .ok()?;
    value.split(';').next().map(str::trim)
}

fn is_stateless(text: &str) -> bool {
    Message::of(text).meta(meta::PROTOCOL_VERSION).is_some()
}

/// Messages of the upstream that wait to be read.
const QUEUE: usize = 32;
const GOODBYE: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(30);
