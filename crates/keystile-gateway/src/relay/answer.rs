//! From what a call produces to an HTTP response: one JSON object, or a stream of events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use tokio::sync::mpsc;

use super::{Caller, Failure, Ports};
use crate::refusal::{Code, Refusal};

/// What a running call hands out.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Before the answer.
    Event(String),
    /// The answer, and the status where it is the whole response.
    Answer(String, StatusCode),
    /// The answers to the requests of a batch.
    Answers(Vec<String>),
    /// Where a client of 2024-11-05 is to post, before anything else.
    Endpoint(String),
    /// The gateway's own answer.
    Refused(Refusal),
}

/// The call's end of the response.
#[derive(Clone)]
pub(crate) struct Out {
    pieces: mpsc::Sender<Piece>,
    /// Whose call it is.
    caller: Arc<Caller>,
}

impl Out {
    pub(crate) fn of(caller: &Caller) -> (Self, mpsc::Receiver<Piece>) {
        Self::shared(Arc::new(caller.clone()))
    }

    /// Another one for the same caller.
    pub(crate) fn another(&self) -> (Self, mpsc::Receiver<Piece>) {
        Self::shared(Arc::clone(&self.caller))
    }

    fn shared(caller: Arc<Caller>) -> (Self, mpsc::Receiver<Piece>) {
        let (pieces, receiver) = mpsc::channel(PIECES);
        (Self { pieces, caller }, receiver)
    }

    /// The failure as the answer to the request with this id (a lexeme).
    pub(crate) async fn fail(&self, failure: &Failure, id: &str) {
        self.refuse(Refusal::from(failure).with_id(Some(id))).await;
    }

    /// A refusal of the gateway's own as the answer.
    pub(crate) async fn refuse(&self, refusal: Refusal) {
        let refusal = refusal.asked_by(&self.caller);
        let _ = self.pieces.send(Piece::Refused(refusal)).await;
    }

    /// Waits while the client is slow; `false` once it is gone.
    pub(crate) async fn event(&self, text: String) -> bool {
        self.pieces.send(Piece::Event(text)).await.is_ok()
    }

    pub(crate) async fn answer(&self, text: String, status: StatusCode) {
        let _ = self.pieces.send(Piece::Answer(text, status)).await;
    }

    pub(crate) async fn answers(&self, texts: Vec<String>) {
        let _ = self.pieces.send(Piece::Answers(texts)).await;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.pieces.is_closed()
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
pub(crate) async fn respond(
    mut pieces: mpsc::Receiver<Piece>,
    accepts: Accepts,
    ports: &Ports,
) -> Response<Body> {
    let patience = tokio::time::sleep(KEEP_ALIVE);
    tokio::pin!(patience);
    loop {
        let piece = tokio::select! {
            piece = pieces.recv() => piece,
            () = &mut patience, if accepts.events => return event_stream(None, pieces, ports),
        };
        match piece {
            // The challenge is the gateway's to make, which knows the resource.
            Some(Piece::Refused(refusal)) if refusal.status() == StatusCode::UNAUTHORIZED => {
                return empty(StatusCode::UNAUTHORIZED);
            }
            Some(Piece::Refused(refusal)) => return refusal.respond(&*ports.rng),
            Some(Piece::Answer(text, status)) if accepts.json => return json(status, text),
            Some(Piece::Answers(texts)) if accepts.json || !accepts.events => {
                return json(StatusCode::OK, format!("[{}]", texts.join(",")));
            }
            Some(piece) if accepts.events => return event_stream(Some(piece), pieces, ports),
            Some(Piece::Answer(text, status)) => return json(status, text),
            // A client that takes no stream does without what comes before the answer.
            Some(Piece::Event(_) | Piece::Answers(_) | Piece::Endpoint(_)) => {}
            // The task of the call is gone without a word: a bug, contained (CHECKLIST A-157).
            None => {
                let refusal = Refusal::new(Code::CallLost, "The gateway failed to answer.");
                return refusal.respond(&*ports.rng);
            }
        }
    }
}

/// A stream that begins with `first`.
pub(crate) fn event_stream(
    first: Option<Piece>,
    pieces: mpsc::Receiver<Piece>,
    ports: &Ports,
) -> Response<Body> {
    let mut response = Response::new(Body::from_stream(frames(first, pieces, ports.clone())));
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
    ports: Ports,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let begun = (first, pieces, ports, false);
    stream::unfold(begun, async |(first, mut pieces, ports, over)| {
        if over {
            return None;
        }
        let piece = match first {
            Some(piece) => Some(piece),
            None => match tokio::time::timeout(KEEP_ALIVE, pieces.recv()).await {
                Ok(piece) => piece,
                Err(_) => {
                    let comment = Bytes::from_static(b":\n\n");
                    return Some((Ok(comment), (None, pieces, ports, false)));
                }
            },
        };
        let over = !matches!(piece, Some(Piece::Event(_) | Piece::Endpoint(_)));
        let frame = match piece? {
            Piece::Event(text) | Piece::Answer(text, _) => frame(&text),
            // Clients of 2025-03-26 read one message from each event.
            Piece::Answers(texts) => texts.iter().map(|text| frame(text)).collect(),
            Piece::Endpoint(uri) => format!("event: endpoint\ndata: {uri}\n\n"),
            Piece::Refused(refusal) => frame(&refusal.tell(&ports)),
        };
        Some((Ok(frame.into()), (None, pieces, ports, over)))
    })
}

/// The text has no line break inside a string; one between tokens becomes a space.
fn frame(text: &str) -> String {
    let mut frame = String::with_capacity(text.len() + 24);
    frame.push_str("event: message\ndata: ");
    if text.contains(['\n', '\r']) {
        frame.push_str(&text.replace(['\n', '\r'], " "));
    } else {
        frame.push_str(text);
    }
    frame.push_str("\n\n");
    frame
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
