//! A conversation over Streamable HTTP: each message its own POST, the answer's stream read back.
//!
//! Only what stands between the eras and between transports talks to an upstream this way; traffic of one era is
//! forwarded as it is.

mod answers;
mod mirror;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, BodyStream, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use keystile_protocol::mcp::headers;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Failure, Link, Outgoing, Received, Wire,
    link::{Calls, Sorted},
    listing::Listing,
    reach::{Reach, media},
};
use crate::era::{json::Node, message::Message, meta, param_headers::ParamHeaders};
use crate::sse::EventReader;
use answers::Answers;

/// A conversation with the upstream; nothing is sent for it yet.
pub(super) fn connect(reach: &Reach) -> Wire {
    let (sender, inbox) = mpsc::channel(QUEUE);
    let shared = Arc::new(Shared {
        reach: reach.clone(),
        inbox: sender,
        session: Mutex::default(),
        params: Mutex::default(),
        listing: Listing::default(),
        stop: CancellationToken::new(),
    });
    let strange = Arc::clone(&reach.strange);
    let link = HttpLink {
        shared,
        calls: Calls::default(),
        listening: Arc::default(),
    };
    Wire {
        link: Arc::new(link),
        inbox,
        strange,
    }
}

struct HttpLink {
    shared: Arc<Shared>,
    calls: Calls,
    /// The GET stream of a legacy session.
    listening: Arc<Mutex<Option<AbortOnDropHandle<()>>>>,
}

struct Shared {
    reach: Reach,
    inbox: mpsc::Sender<Received>,
    session: Mutex<LegacySession>,
    /// `None` until tools have been listed.
    params: Mutex<Option<ParamHeaders>>,
    listing: Listing,
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
        let sorted = message.sort();
        let text = message.text;
        match sorted {
            Sorted::Call(id) => self.spawn(id, text),
            Sorted::Cancel(id) if self.stops(&id) => {}
            // In order: what comes next may rely on it.
            Sorted::Cancel(_) | Sorted::Notice => self.shared.notify(&text).await?,
        }
        Ok(())
    }

    fn try_send(&self, message: Outgoing) -> bool {
        let sorted = message.sort();
        let text = message.text;
        match sorted {
            Sorted::Call(id) => self.spawn(id, text),
            Sorted::Cancel(id) if self.stops(&id) => {}
            Sorted::Cancel(_) | Sorted::Notice => {
                let shared = Arc::clone(&self.shared);
                tokio::spawn(async move { shared.notify(&text).await });
            }
        }
        true
    }

    async fn close(&self) {
        self.shared.stop.cancel();
        self.calls.clear();
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

impl HttpLink {
    /// Closes the call's stream. In the stateless era that is the cancellation, and there is nothing more to say.
    fn stops(&self, id: &str) -> bool {
        self.calls.end(id);
        self.shared.session.lock().revision.is_none()
    }

    fn spawn(&self, id: Box<str>, text: String) {
        let shared = Arc::clone(&self.shared);
        let listening = Arc::clone(&self.listening);
        let call = id.clone();
        let task = tokio::spawn(async move {
            let called = shared.call(&call, &text).await;
            shared.mark(called.as_ref().err());
            match called {
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
        self.calls.begin(id, task);
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
            foreign: false,
            session,
        };
        if !response.status().is_success() {
            answers.refused(response).await?;
        } else {
            let media = media(&response).unwrap_or_default().to_ascii_lowercase();
            match &*media {
                "text/event-stream" => self.events(response, &mut answers).await?,
                "application/json" => answers.take(self.whole(response).await?).await?,
                // A page, or nothing.
                _ => {
                    self.tell(media.as_bytes(), &"the media type of no answer");
                    return Err(Failure::NotMcp);
                }
            }
        }
        match answers.first {
            Some(initialized) if initializes && initialized => Ok(Called::Initialized),
            Some(_) => Ok(Called::Answered),
            None if answers.foreign => Err(Failure::NotMcp),
            None => Err(Failure::Unreachable(
                "it hung up before it answered".to_owned(),
            )),
        }
    }

    /// What needs no answer. There is nobody to begin a new session for it.
    async fn notify(&self, text: &str) -> Result<(), Failure> {
        let posted = self.post(text).await.map(drop);
        if posted == Err(Failure::Forgotten) {
            self.end().await;
        }
        posted
    }

    async fn end(&self) {
        let _ = self.inbox.send(Received::Ended(Failure::Closed)).await;
    }

    async fn post(&self, text: &str) -> Result<Response<Incoming>, Failure> {
        let headers = self.mirrored(text);
        let request = self.request(Method::POST, headers, Bytes::from(text.to_owned()));
        let sent = self.reach.send(request, self.reach.call_limit);
        let response = tokio::select! {
            () = self.stop.cancelled() => return Err(Failure::Closed),
            sent = sent => sent?,
        };
        let status = response.status();
        if status == StatusCode::NOT_FOUND && self.session.lock().id.is_some() {
            return Err(Failure::Forgotten);
        }
        Ok(response)
    }

    fn request(&self, method: Method, mut headers: HeaderMap, body: Bytes) -> Request<Full<Bytes>> {
        let session = self.session.lock().clone();
        if let Some(id) = session.id {
            headers.insert(headers::SESSION_ID, id);
        }
        if let Some(revision) = session.revision {
            headers.insert(headers::PROTOCOL_VERSION, revision);
        }
        let uri = self.reach.uri.clone();
        self.reach.request(method, uri, headers, body)
    }

    /// Remembers whether the server answered as it should. What it refuses may be that call's fault.
    fn mark(&self, failure: Option<&Failure>) {
        match failure {
            None => self.reach.strange.fit(),
            Some(
                failure @ (Failure::NotMcp
                | Failure::TooLong(_)
                | Failure::Unreachable(_)
                | Failure::BadStatus(300..=399 | 401 | 403 | 407 | 500..)),
            ) => self.reach.strange.unfit(failure),
            Some(_) => {}
        }
    }

    /// Names in the log what the server sent and nobody gets.
    fn tell(&self, sent: &[u8], why: &dyn std::fmt::Display) {
        self.reach.strange.tell(sent, why);
    }

    async fn whole(&self, response: Response<Incoming>) -> Result<Vec<u8>, Failure> {
        let cap = self.reach.max_message;
        let body = Limited::new(response.into_body(), cap).collect().await;
        match body {
            Ok(body) => Ok(body.to_bytes().to_vec()),
            Err(error) if error.is::<LengthLimitError>() => Err(Failure::TooLong(cap)),
            Err(error) => Err(Failure::unreachable(&*error)),
        }
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
            if response.status() == StatusCode::NOT_FOUND && self.session.lock().id.is_some() {
                return self.end().await;
            }
            if !response.status().is_success() || media(&response) != Some("text/event-stream") {
                return;
            }
            let mut answers = Answers {
                shared: &self,
                id: "",
                method: "",
                first: None,
                foreign: false,
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

fn is_stateless(text: &str) -> bool {
    Message::of(text).meta(meta::PROTOCOL_VERSION).is_some()
}

/// Messages of the upstream that wait to be read.
const QUEUE: usize = 32;
const GOODBYE: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(30);
