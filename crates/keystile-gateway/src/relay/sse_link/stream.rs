//! The server's stream, event by event.

use bytes::{Buf as _, Bytes};
use futures_util::StreamExt as _;
use http_body_util::BodyStream;
use hyper::body::Incoming;

use crate::{
    relay::Failure,
    sse::{Event, EventReader},
};

pub(super) struct Stream {
    body: BodyStream<Incoming>,
    reader: EventReader,
    /// What has come and was not read yet.
    rest: Bytes,
    /// Bytes that may still come before the endpoint; `None` once it is known.
    preamble: Option<usize>,
}

/// The name of the event that says where messages are to be posted.
pub(super) fn is_endpoint(event: &Event) -> bool {
    event.name.as_deref() == Some(b"endpoint")
}

impl Stream {
    pub(super) fn new(body: Incoming) -> Self {
        Self {
            body: BodyStream::new(body),
            reader: EventReader::default(),
            rest: Bytes::new(),
            preamble: Some(PREAMBLE),
        }
    }

    /// The data of the first `endpoint` event. Comments and events that are none of MCP's may stand before it, but not
    /// for long; a message has nobody yet whom it could answer.
    pub(super) async fn endpoint(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            let event = match self.next(PREAMBLE).await {
                Ok(Some(event)) => event,
                Ok(None) | Err(Failure::TooLong(_)) => return Err(Failure::NoEndpoint),
                Err(failure) => return Err(failure),
            };
            if is_endpoint(&event) {
                self.preamble = None;
                return event.data.ok_or(Failure::NoEndpoint);
            }
            if event.into_message().is_some() {
                return Err(Failure::NoEndpoint);
            }
        }
    }

    /// The next event, of at most `cap` bytes; `None` at the end.
    pub(super) async fn next(&mut self, cap: usize) -> Result<Option<Event>, Failure> {
        loop {
            let mut rest = &*self.rest;
            let event = self.reader.next(&mut rest, cap);
            let read = self.rest.len() - rest.len();
            self.rest.advance(read);
            if let Some(event) = event.map_err(|_| Failure::TooLong(cap))? {
                return Ok(Some(event));
            }
            let Some(frame) = self.body.next().await else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| Failure::unreachable(&error))?;
            let Ok(chunk) = frame.into_data() else {
                continue;
            };
            if let Some(left) = &mut self.preamble {
                let less = left.checked_sub(chunk.len());
                *left = less.ok_or(Failure::TooLong(PREAMBLE))?;
            }
            self.rest = chunk;
        }
    }
}

/// Bytes before the endpoint.
const PREAMBLE: usize = 64 * 1024;
