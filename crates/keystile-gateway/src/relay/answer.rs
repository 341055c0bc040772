//! From what a call produces to an HTTP response: one JSON object, or a stream of events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use keystile_domain::{ports::Rng, secrets::reference::Reference};
use keystile_protocol::mcp::RpcError;
use tokio::sync::mpsc;

use super::Failure;

/// What a running call hands out.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Before the answer.
    Event(String),
    /// The answer, and the status where it is the whole response.
    Answer(String, StatusCode),
}

/// The call's end of the response.
#[derive(Clone)]
pub(crate) struct Out {
    pieces: mpsc::Sender<Piece>,
    rng: Arc<dyn Rng>,
}

impl Out {
    /// `rng` makes the references of what fails.
    pub(crate) fn new(rng: &Arc<dyn Rng>) -> (Self, mpsc::Receiver<Piece>) {
        let (pieces, receiver) = mpsc::channel(PIECES);
        let rng = Arc::clone(rng);
        (Self { pieces, rng }, receiver)
    }

    /// The failure as the answer to the request with this id (a lexeme).
    pub(crate) async fn fail(&self, failure: &Failure, id: &str) {
        let text = failure.tell(Some(id), &*self.rng);
        self.answer(text, failure.status()).await;
    }

    /// A refusal of the gateway's own as the answer.
    pub(crate) async fn refuse(&self, status: StatusCode, code: &str, error: RpcError<'_>) {
        let text = referenced(&*self.rng, code, error).to_json();
        self.answer(text, status).await;
    }

    /// Waits while the client is slow; `false` once it is gone.
    pub(crate) async fn event(&self, text: String) -> bool {
        self.pieces.send(Piece::Event(text)).await.is_ok()
    }

    pub(crate) async fn answer(&self, text: String, status: StatusCode) {
        let _ = self.pieces.send(Piece::Answer(text, status)).await;
    }

    /// Resolves when the client is gone.
    pub(crate) async fn closed(&self) {
        self.pieces.closed().await;
    }
}

/// What the client's `Accept` takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepts {
    pub(crate) json: bool,
    pub(crate) events: bool,
}

impl Accepts {
    /// A missing header takes everything (RFC 9110 §12.5.1).
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut ranges = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|range| {
                range
                    .split(';')
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_ascii_lowercase()
            })
            .peekable();
        if ranges.peek().is_none() {
            return Self {
                json: true,
                events: true,
            };
        }
        let mut accepts = Self {
            json: false,
            events: false,
        };
        for range in ranges {
            accepts.json |= matches!(&*range, "*/*" | "application/*" | "application/json");
            accepts.events |= matches!(&*range, "*/*" | "text/*" | "text/event-stream");
        }
        accepts
    }
}

/// The response of a call. It becomes a stream when something comes before the answer, or when the answer takes long
/// enough that somebody on the way would hang up.
pub(crate) async fn respond(mut pieces: mpsc::Receiver<Piece>, accepts: Accepts) -> Response<Body> {
    let patience = tokio::time::sleep(KEEP_ALIVE);
    tokio::pin!(patience);
    loop {
        let piece = tokio::select! {
            piece = pieces.recv() => piece,
            () = &mut patience, if accepts.events => return event_stream(None, pieces),
        };
        match piece {
            Some(Piece::Answer(text, status)) if accepts.json => return json(status, text),
            Some(piece) if accepts.events => return event_stream(Some(piece), pieces),
            Some(Piece::Answer(text, status)) => return json(status, text),
            // A client that takes no stream does without what comes before the answer.
            Some(Piece::Event(_)) => {}
            None => return broken(),
        }
    }
}

/// A stream that begins with `first`.
pub(crate) fn event_stream(first: Option<Piece>, pieces: mpsc::Receiver<Piece>) -> Response<Body> {
    let mut response = Response::new(Body::from_stream(frames(first, pieces)));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-transform"),
    );
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

fn frames(
    first: Option<Piece>,
    pieces: mpsc::Receiver<Piece>,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((first, pieces, false), async |(first, mut pieces, over)| {
        if over {
            return None;
        }
        let piece = match first {
            Some(piece) => Some(piece),
            None => match tokio::time::timeout(KEEP_ALIVE, pieces.recv()).await {
                Ok(piece) => piece,
                Err(_) => return Some((Ok(Bytes::from_static(b":\n\n")), (None, pieces, false))),
            },
        };
        match piece? {
            Piece::Event(text) => Some((Ok(frame(&text)), (None, pieces, false))),
            Piece::Answer(text, _) => Some((Ok(frame(&text)), (None, pieces, true))),
        }
    })
}

/// The text has no line break inside a string; one between tokens becomes a space.
fn frame(text: &str) -> Bytes {
    let mut frame = String::with_capacity(text.len() + 24);
    frame.push_str("event: message\ndata: ");
    if text.contains(['\n', '\r']) {
        frame.push_str(&text.replace(['\n', '\r'], " "));
    } else {
        frame.push_str(text);
    }
    frame.push_str("\n\n");
    frame.into()
}

/// One JSON object.
pub(crate) fn json(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// No body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An error that the gateway answers itself, with a stable code and a reference that the log has too.
pub(crate) fn refusal(
    rng: &dyn Rng,
    status: StatusCode,
    code: &str,
    error: RpcError<'_>,
) -> Response<Body> {
    json(status, referenced(rng, code, error).to_json())
}

/// What the protocol itself puts into `data` stays as it is.
fn referenced<'a>(rng: &dyn Rng, code: &str, mut error: RpcError<'a>) -> RpcError<'a> {
    let reference = Reference::new(rng);
    tracing::info!(
        gateway.code = code,
        reference = %reference,
        "refused: {}",
        error.message
    );
    if error.data.is_none() {
        let data = serde_json::json!({ "code": code, "reference": reference.as_str() });
        error.data = Some(data.to_string().into());
    }
    error
}

/// The task of the call is gone without a word: a bug, contained (CHECKLIST A-157).
fn broken() -> Response<Body> {
    tracing::error!("a call ended without an answer");
    let error = RpcError::new(RpcError::INTERNAL_ERROR, "The gateway failed to answer.");
    json(StatusCode::INTERNAL_SERVER_ERROR, error.to_json())
}

/// Silence after which a comment is sent, and after which a JSON answer becomes a stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Pieces that wait for the client to read.
const PIECES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_is_read_by_its_ranges() {
        let of = |value: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(header::ACCEPT, HeaderValue::from_static(value));
            }
            let accepts = Accepts::of(&headers);
            (accepts.json, accepts.events)
        };
        assert_eq!(of(None), (true, true));
        assert_eq!(
            of(Some("application/json, text/event-stream")),
            (true, true)
        );
        assert_eq!(of(Some("text/event-stream;q=0.5")), (false, true));
        assert_eq!(of(Some("Application/JSON")), (true, false));
        assert_eq!(of(Some("*/*")), (true, true));
        assert_eq!(of(Some("text/html")), (false, false));
    }
}
