//! What of the upstream's answers is passed on: MCP, and the statuses that MCP gives a meaning. Its
//! sign-in, its redirects and its error pages are not the client's business.

use axum::body::Body;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode, request, response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use keystile_domain::flow::without_query;
use keystile_protocol::mcp::headers;
use keystile_protocol::mutation::weakened;

use super::awaited::{Awaited, Verdict};
use super::headers::returned;
use super::{MAX_MESSAGE, most};
use crate::refusal::{Code, Refusal};
use crate::relay::{Failure, Strange};

/// What kind of content an answer says it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    Json,
    Events,
    Other,
    Unsaid,
}

/// What of an answer's content is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Events,
    /// One message.
    Message,
    Nothing,
}

impl Media {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let Some(media) = headers.get(header::CONTENT_TYPE) else {
            return Self::Unsaid;
        };
        let bytes = media.as_bytes();
        let essence = bytes
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or(bytes)
            .trim_ascii();
        if essence.eq_ignore_ascii_case(b"application/json") {
            Self::Json
        } else if essence.eq_ignore_ascii_case(b"text/event-stream") {
            Self::Events
        } else {
            Self::Other
        }
    }
}

/// Whether the answer to this request may be passed on, and what of it.
pub(super) fn judge(
    asked: &request::Parts,
    awaited: &Awaited,
    answer: &response::Parts,
    media: Media,
) -> Result<Content, Refusal> {
    let method = &asked.method;
    let owes = !awaited.unanswered().is_empty();
    let in_session = asked.headers.contains_key(headers::SESSION_ID);
    let (code, sentence) = match answer.status.as_u16() {
        _ if is_encoded(&answer.headers) && media != Media::Other => (
            Code::UpstreamNotMcp,
            "The server behind this gateway sent a content encoding that nobody asked it for. Its operator should switch that off.",
        ),
        401 | 403 | 407 if !weakened("a_140") => (
            Code::UpstreamRefusedUs,
            "The server behind this gateway wants a sign-in of its own, which the gateway does not have. Its operator should let the gateway in without one.",
        ),
        100..=199 if !weakened("a_137") => (
            Code::UpstreamNotMcp,
            "The server behind this gateway wants to speak another protocol than HTTP, which no MCP server does. Its operator should check the upstream URL.",
        ),
        300..=399 if !weakened("a_138") => (
            Code::UpstreamRedirects,
            "The server behind this gateway redirects; its operator must configure the URL that it redirects to.",
        ),
        202 | 204 if !owes || weakened("n_tr_05c") => return Ok(Content::Nothing),
        202 | 204 => (
            Code::UpstreamNotMcp,
            "The server behind this gateway took a request and gave no answer to it; its own log may say why.",
        ),
        200..=299 if !awaited.takes(media) && (owes || has_content(answer)) => (
            Code::UpstreamNotMcp,
            "What answers behind this gateway is no MCP server: it sent neither JSON nor an event stream. Its operator should check the upstream URL.",
        ),
        // No session can be gone then, and 2026-07-28 says "no such method" in JSON.
        404 if !in_session && media != Media::Json && method == Method::POST => (
            Code::UpstreamNotMcp,
            "What answers behind this gateway has no MCP endpoint at the configured path. Its operator should check the upstream URL.",
        ),
        // Of a session that is gone it would be a 404; where nothing is posted to, MCP has no endpoint.
        405 if media != Media::Json && method == Method::POST => (
            Code::UpstreamNotMcp,
            "What answers behind this gateway takes no messages at the configured path. Its operator should check the upstream URL.",
        ),
        200..=299 if awaited.is_nothing() => return Ok(Content::Nothing),
        200..=299 if media == Media::Events => return Ok(Content::Events),
        200..=299 if media == Media::Json => return Ok(Content::Message),
        200..=299 => return Ok(Content::Nothing),
        400..=599 if media == Media::Json => return Ok(Content::Message),
        // The session is gone; no GET stream or DELETE here (MCP 2025-11-25, transports).
        404 | 405 => return Ok(Content::Nothing),
        _ if weakened("a_137") || weakened("a_138") || weakened("a_140") => {
            return Ok(Content::Nothing);
        }
        429 | 503 => (
            Code::UpstreamFailed,
            "The server behind this gateway is too busy; try again in a while.",
        ),
        _ => (
            Code::UpstreamFailed,
            "The server behind this gateway failed; its own log says why.",
        ),
    };
    let status = answer.status;
    let refusal = Refusal::new(code, sentence).with_detail(said(answer));
    Err(match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let seconds = answer.headers.get(header::RETRY_AFTER);
            let seconds = seconds.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
            refusal.with_status(status).with_retry_after(seconds)
        }
        _ => refusal,
    })
}

/// What an answer was like, for the operator: where it redirects without the query, which may be a secret.
fn said(answer: &response::Parts) -> String {
    let value = |name| {
        let value = answer.headers.get(name)?.as_bytes().escape_ascii();
        Some(value.map(char::from).take(LONGEST_SAID).collect::<String>())
    };
    let media = value(header::CONTENT_TYPE).unwrap_or_else(|| "none".to_owned());
    let target = value(header::LOCATION);
    let target = target.map(|uri| format!(", Location '{}'", without_query(&uri)));
    let target = target.unwrap_or_default();
    let status = answer.status;
    format!("the upstream said {status}, Content-Type '{media}'{target}")
}

/// The most characters of a header that the operator is shown.
const LONGEST_SAID: usize = 100;

/// The bytes of a JSON answer, as they came.
///
/// # Errors
/// It breaks off, or has more than [`MAX_MESSAGE`].
pub(super) async fn whole(mut body: Incoming) -> Result<Bytes, Failure> {
    let cap = most(MAX_MESSAGE);
    let too_long = Err(Failure::TooLong(cap));
    if body.size_hint().lower() > cap as u64 {
        return too_long;
    }
    // Most answers come in one piece, which is not copied. What is too long is not put together at all.
    let (mut pieces, mut length) = (Vec::with_capacity(1), 0);
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else {
            break;
        };
        let frame = frame.map_err(|error| Failure::unreachable(&error))?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        length += piece.len();
        if length > cap {
            return too_long;
        }
        pieces.push(piece);
    }
    Ok(match pieces.len() {
        0 | 1 => pieces.pop().unwrap_or_default(),
        _ => pieces.concat().into(),
    })
}

/// The answer that is awaited, and nothing else (CHECKLIST R1, R10).
pub(super) fn awaited_in(
    text: Bytes,
    awaited: &mut Awaited,
    strange: &Strange,
) -> Result<Bytes, Failure> {
    match awaited.read(&text) {
        Ok(verdict @ (Verdict::Answers | Verdict::AnswersAs(_))) => {
            strange.fit();
            return Ok(match verdict {
                Verdict::AnswersAs(named) => named.into(),
                _ => text,
            });
        }
        Ok(Verdict::Dropped(why)) => strange.tell(&text, &why),
        Ok(Verdict::Belongs) => strange.tell(&text, &"no answer to what was asked"),
        Err(error) => strange.tell(&text, &error),
    }
    Err(Failure::NotMcp)
}

/// The answer with the headers that may pass.
pub(super) fn relay(answer: response::Parts, content: Content, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = returned(answer.headers);
    let headers = response.headers_mut();
    if content == Content::Nothing {
        headers.remove(header::CONTENT_TYPE);
    }
    if content == Content::Events && !weakened("n_tr_16") {
        // N-TR-16: a buffering proxy in front of us would hold events back.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    }
    response
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(header::CONTENT_ENCODING);
    let mut encodings = encodings.iter().map(HeaderValue::as_bytes);
    encodings.any(|encoding| !encoding.eq_ignore_ascii_case(b"identity"))
}

fn has_content(answer: &response::Parts) -> bool {
    let length = answer.headers.get(header::CONTENT_LENGTH);
    length.is_none_or(|length| length != "0") && answer.status != StatusCode::RESET_CONTENT
}
