//! What of the upstream's answers is passed on: MCP, and the statuses that MCP gives a meaning. Its
//! sign-in, its redirects and its error pages are not the client's business.

use axum::body::Body;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;
use keystile_protocol::mcp::headers;

use super::headers::returned;
use crate::refusal::{Code, Refusal};

/// What kind of content an answer says it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    Json,
    Events,
    Other,
    Unsaid,
}

impl Media {
    fn of(headers: &HeaderMap) -> Self {
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

/// Whether the answer to this request may be passed on.
pub(super) fn judge(asked: &Parts, answer: &Response<Incoming>) -> Result<Media, Refusal> {
    let status = answer.status();
    let method = &asked.method;
    let in_session = asked.headers.contains_key(headers::SESSION_ID);
    let media = Media::of(answer.headers());
    let (code, sentence) = match status.as_u16() {
        401 | 403 | 407 => (
            Code::UpstreamRefusedUs,
            "The server behind this gateway wants a sign-in of its own; its operator must give the gateway credentials for it.",
        ),
        100..=199 => (
            Code::UpstreamNotMcp,
            "The server behind this gateway wants to speak another protocol than HTTP, which no MCP server does. Its operator should check the upstream URL.",
        ),
        300..=399 => (
            Code::UpstreamRedirects,
            "The server behind this gateway redirects; its operator must configure the URL that it redirects to.",
        ),
        202 | 204 => return Ok(media),
        200..=299 if media == Media::Other && has_content(answer) && method != Method::DELETE => (
            Code::UpstreamNotMcp,
            "What answers behind this gateway is no MCP server: it sent neither JSON nor an event stream. Its operator should check the upstream URL.",
        ),
        // No session can be gone then, and 2026-07-28 says "no such method" in JSON.
        404 if !in_session && media != Media::Json && method == Method::POST => (
            Code::UpstreamNotMcp,
            "What answers behind this gateway has no MCP endpoint at the configured path. Its operator should check the upstream URL.",
        ),
        200..=299 => return Ok(media),
        // The session is gone; no GET stream or DELETE here (MCP 2025-11-25, transports).
        404 | 405 => return Ok(media),
        _ if media == Media::Json => return Ok(media),
        _ => (
            Code::UpstreamFailed,
            "The server behind this gateway failed; its own log says why.",
        ),
    };
    let said = |name| {
        format!(
            "{:?}",
            answer
                .headers()
                .get(name)
                .map_or(b"".as_ref(), HeaderValue::as_bytes)
                .escape_ascii()
                .to_string()
        )
    };
    let (kind, target) = (said(header::CONTENT_TYPE), said(header::LOCATION));
    let detail = format!("the upstream said {status}, Content-Type {kind}, Location {target}");
    Err(Refusal::new(code, sentence).with_detail(detail))
}

/// The answer with the headers that may pass; `body` makes ours of the upstream's.
pub(super) fn relay(
    answer: Response<Incoming>,
    media: Media,
    body: impl FnOnce(Incoming) -> Body,
) -> Response<Body> {
    let (parts, incoming) = answer.into_parts();
    let passes = parts.status.is_success() || media == Media::Json;
    let mut response = Response::new(if passes {
        body(incoming)
    } else {
        Body::empty()
    });
    *response.status_mut() = parts.status;
    *response.headers_mut() = returned(parts.headers);
    let headers = response.headers_mut();
    if !passes {
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::CONTENT_TYPE);
    }
    if media == Media::Events {
        // N-TR-16: a buffering proxy in front of us would hold events back.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    }
    response
}

fn has_content(answer: &Response<Incoming>) -> bool {
    answer
        .headers()
        .get(header::CONTENT_LENGTH)
        .is_none_or(|length| length != "0")
        && answer.status() != StatusCode::RESET_CONTENT
}
