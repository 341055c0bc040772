//! A conversation over HTTP+SSE, the transport of 2024-11-05: the server says everything on one stream, whose first
//! event names the endpoint that takes our messages.

mod endpoint;
mod stream;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use keystile_protocol::mcp::Envelope;
use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Failure, Link, Outgoing, Received, Wire,
    link::{Calls, Sorted},
    reach::{Reach, media},
};
use stream::{Stream, is_endpoint};

/// Opens the server's stream and waits for its endpoint.
///
/// # Errors
/// [`Failure::NoEndpoint`] and [`Failure::ForeignEndpoint`], beside what stops any request.
pub(super) async fn connect(reach: &Reach) -> Result<Wire, Failure> {
    let deadline = Instant::now() + OPENING;
    let request = reach.request(
        Method::GET,
        reach.uri.clone(),
        HeaderMap::new(),
        Bytes::new(),
    );
    let response = reach.send(request, OPENING).await?;
    match response.status() {
        status if !status.is_success() => return Err(Failure::BadStatus(status.as_u16())),
        _ if media(&response) != Some("text/event-stream") => return Err(Failure::NotMcp),
        _ => {}
    }
    let mut stream = Stream::new(response.into_body());
    let named = timeout_at(deadline, stream.endpoint()).await;
    let named = named.map_err(|_| Failure::NoEndpoint)??;
    let (sender, inbox) = mpsc::channel(QUEUE);
    let shared = Arc::new(Shared {
        reach: reach.clone(),
        endpoint: endpoint::resolve(&reach.uri, &named)?,
        inbox: sender,
        stop: CancellationToken::new(),
    });
    let strange = Arc::clone(&shared.reach.strange);
    let reading = tokio::spawn(Arc::clone(&shared).read(stream));
    let link = SseLink {
        shared,
        calls: Calls::default(),
        reading: Mutex::new(Some(AbortOnDropHandle::new(reading))),
    };
    Ok(Wire {
        link: Arc::new(link),
        inbox,
        strange,
    })
}

struct SseLink {
    shared: Arc<Shared>,
    calls: Calls,
    reading: Mutex<Option<AbortOnDropHandle<()>>>,
}

struct Shared {
    reach: Reach,
    endpoint: Uri,
    inbox: mpsc::Sender<Received>,
    stop: CancellationToken,
}

#[async_trait]
impl Link for SseLink {
    async fn send(&self, message: Outgoing) -> Result<(), Failure> {
        match message.sort() {
            Sorted::Call(id) => self.spawn(id, message.text),
            sorted => {
                self.hang_up(&sorted);
                // In order: what comes next may rely on it.
                self.shared.post(message.text).await?;
            }
        }
        Ok(())
    }

    fn try_send(&self, message: Outgoing) -> bool {
        match message.sort() {
            Sorted::Call(id) => self.spawn(id, message.text),
            sorted => {
                self.hang_up(&sorted);
                let shared = Arc::clone(&self.shared);
                tokio::spawn(async move { shared.post(message.text).await });
            }
        }
        true
    }

    async fn close(&self) {
        self.shared.stop.cancel();
        self.calls.clear();
        let reading = self.reading.lock().take();
        if let Some(reading) = reading {
            // It can't fail, and ends at once.
            let _ = reading.await;
        }
    }
}

impl SseLink {
    /// A server may take its time with the answer to a POST, while what it carries is answered on the stream.
    fn spawn(&self, id: Box<str>, text: String) {
        let shared = Arc::clone(&self.shared);
        let call = id.clone();
        let task = tokio::spawn(async move {
            if let Err(failure) = shared.post(text).await {
                let failed = Received::Failed { id: call, failure };
                let _ = shared.inbox.send(failed).await;
            }
        });
        self.calls.begin(id, task);
    }

    /// A cancelled call need not reach the server any more, and it hears of it all the same.
    fn hang_up(&self, sorted: &Sorted) {
        if let Sorted::Cancel(id) = sorted {
            self.calls.end(id);
        }
    }
}

impl Shared {
    async fn post(&self, text: String) -> Result<(), Failure> {
        let (reach, uri) = (&self.reach, self.endpoint.clone());
        let request = reach.request(Method::POST, uri, HeaderMap::new(), text.into());
        let response = tokio::select! {
            () = self.stop.cancelled() => return Err(Failure::Closed),
            sent = reach.send(request, reach.call_limit) => sent?,
        };
        match response.status() {
            status if status.is_success() => {
                // "Accepted", as a rule. What is read whole leaves a connection that can be used again.
                let body = Limited::new(response.into_body(), ACCEPTED).collect();
                let _ = tokio::time::timeout(MOMENT, body).await;
                Ok(())
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                // It has forgotten the session, and the stream with it.
                self.end(Failure::Closed).await;
                Err(Failure::Closed)
            }
            status => Err(Failure::BadStatus(status.as_u16())),
        }
    }

    /// Everything that the server says.
    async fn read(self: Arc<Self>, mut stream: Stream) {
        let ended = tokio::select! {
            () = self.stop.cancelled() => Failure::Closed,
            failure = self.messages(&mut stream) => failure,
        };
        drop(stream);
        self.end(ended).await;
    }

    /// Why there are no more. What the strict parser refuses ends the stream (CHECKLIST R10).
    async fn messages(&self, stream: &mut Stream) -> Failure {
        loop {
            let event = match stream.next(self.reach.max_message).await {
                Ok(Some(event)) => event,
                Ok(None) => return Failure::Closed,
                Err(failure) => return failure,
            };
            // A place that was named once is not changed (CHECKLIST A-139).
            if is_endpoint(&event) && !weakened("a_139") {
                self.reach.strange.fail(b"", &Failure::SecondEndpoint);
                return Failure::SecondEndpoint;
            }
            let Some(message) = event.into_message() else {
                continue;
            };
            if let Err(error) = Envelope::parse(&message) {
                self.reach.strange.fail(&message, &error);
                return Failure::NotMcp;
            }
            self.reach.strange.fit();
            let Ok(text) = String::from_utf8(message) else {
                return Failure::NotMcp;
            };
            // As over stdio, nothing says which call it belongs to.
            let received = Received::Message { text, about: None };
            if self.inbox.send(received).await.is_err() {
                return Failure::Closed;
            }
        }
    }

    async fn end(&self, why: Failure) {
        self.stop.cancel();
        let _ = self.inbox.send(Received::Ended(why)).await;
    }
}

/// From the request for a stream to its first event.
const OPENING: Duration = Duration::from_secs(10);
/// For the rest of an answer to a POST.
const MOMENT: Duration = Duration::from_secs(1);
/// Bytes of it.
const ACCEPTED: usize = 4096;
/// Messages of the upstream that wait to be read.
const QUEUE: usize = 32;
