//! An HTTP upstream as a conversation: each message its own POST, the answer's stream read back.
//!
//! Only the era bridge talks to an upstream this way; traffic of one era is forwarded as it is.

mod mirror;

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, BodyStream, Full, Limited};
use hyper::body::Incoming;
use keystile_protocol::mcp::{Envelope, Kind as EnvelopeKind, headers};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Connect, Failure, Link, Outgoing, Received, Strange, Wire, peer::CANCELLED, sse::EventReader,
};
use crate::connections::Connections;
use crate::era::{
    json::{Node, Reshape, quoted},
    message::{Kind, Message},
    meta,
    param_headers::ParamHeaders,
};

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
            let cap = self.reach.max_message;
            for data in reader.push(chunk, cap).map_err(|_| Failure::TooLong(cap))? {
                answers.take(data).await?;
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

/// Takes the messages of one response.
struct Answers<'a> {
    shared: &'a Shared,
    /// Of the request; empty for the session's own stream.
    id: &'a str,
    /// The answer came, and it is a result.
    first: Option<bool>,
    /// Of the request.
    method: &'a str,
    session: Option<HeaderValue>,
}

impl Answers<'_> {
    /// One message. What the strict parser refuses ends the stream (CHECKLIST R10).
    async fn take(&mut self, body: Vec<u8>) -> Result<(), Failure> {
        let kind = match Envelope::parse(&body) {
            Ok(message) => message.kind(),
            Err(error) => {
                let reach = &self.shared.reach;
                let host = String::from_utf8_lossy(reach.host.as_bytes());
                reach.strange.tell(&host, &body, &error);
                return Err(Failure::NotMcp);
            }
        };
        let mut text = String::from_utf8(body).map_err(|_| Failure::NotMcp)?;
        if matches!(kind, EnvelopeKind::Response | EnvelopeKind::Error) {
            if self.id.is_empty() {
                return Ok(());
            }
            self.first = Some(kind == EnvelopeKind::Response);
            // Whatever id it carries: it came as the answer to this request and to no other.
            let id = quoted(self.id);
            text = Reshape::of(Some(Node::root(&text))).set("id", id).finish();
            match self.method {
                "initialize" => self.learn(&text),
                "tools/list" => self.shared.learn_params(&text),
                _ => {}
            }
        }
        let about = Some(self.id).filter(|id| !id.is_empty()).map(Into::into);
        let received = Received::Message { text, about };
        self.shared
            .inbox
            .send(received)
            .await
            .map_err(|_| Failure::Closed)
    }

    fn learn(&mut self, text: &str) {
        let revision = Message::of(text)
            .result()
            .and_then(|result| result.member("protocolVersion"));
        let revision = revision
            .and_then(Node::string)
            .and_then(|date| HeaderValue::from_str(&date).ok());
        if revision.is_some() {
            *self.shared.session.lock() = LegacySession {
                id: self.session.take(),
                revision,
            };
        }
    }

    /// A status that is no success, with a JSON-RPC error in the body or without.
    async fn refused(&mut self, response: Response<Incoming>) -> Result<(), Failure> {
        let status = response.status();
        let is_json = media(&response) == Some("application/json");
        if status.is_client_error() && !matches!(status.as_u16(), 401 | 403) && is_json {
            let body = self.shared.whole(response).await?;
            if Envelope::parse(&body).is_ok_and(|message| message.kind() == EnvelopeKind::Error) {
                return self.take(body).await;
            }
        }
        Err(Failure::BadStatus(status.as_u16()))
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
