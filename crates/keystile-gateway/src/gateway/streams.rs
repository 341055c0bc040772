//! How many streams a person may hold open (CHECKLIST A-159).

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use http::request::Parts;
use http::{Method, Response};
use http_body_util::BodyExt as _;
use keystile_protocol::mcp::Envelope;
use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;

use crate::admit::Permit;
use crate::era::subscriptions::LISTEN;
use crate::inspect::Asked;
use crate::refusal::{Code, Refusal};

/// Of all servers together, for each person with any.
#[derive(Default)]
pub(super) struct Streams(Mutex<HashMap<Box<str>, usize>>);

/// One of a person's streams; it is given back when this goes.
pub(super) struct Stream {
    streams: Arc<Streams>,
    person: Box<str>,
}

impl Streams {
    /// Of the person's, if this is to be one.
    ///
    /// # Errors
    /// 429 for a person who has [`MOST`].
    pub(super) fn open(
        self: &Arc<Self>,
        permit: &Permit,
        parts: &Parts,
        asked: &Asked<'_>,
    ) -> Result<Option<Stream>, Refusal> {
        let method = asked.message().and_then(Envelope::method);
        if parts.method != Method::GET && method != Some(LISTEN) {
            return Ok(None);
        }
        let person = permit.person();
        let mut open = self.0.lock();
        let count = open.entry(person.into()).or_default();
        if *count >= MOST && !weakened("a_159") {
            let sentence = format!("You have {MOST} open streams; close some.");
            return Err(Refusal::new(Code::TooManyRequests, sentence));
        }
        *count += 1;
        Ok(Some(Stream {
            streams: Arc::clone(self),
            person: person.into(),
        }))
    }
}

impl Stream {
    /// The response that it is open as long as.
    pub(super) fn of(self, response: Response<Body>) -> Response<Body> {
        response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _open = &self;
                frame
            }))
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock();
        if let Some(count) = open.get_mut(&*self.person) {
            *count -= 1;
            if *count == 0 {
                open.remove(&*self.person);
            }
        }
    }
}

/// One person's share of the connections that there are at all.
const MOST: usize = 512;
