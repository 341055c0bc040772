//! The body of a POST: read whole, parsed once and strictly, in agreement with its headers.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use keystile_protocol::mcp::{
    Batch, Envelope, EnvelopeError, Era, Kind, McpHeaders, Revision, RpcError, method,
};
use keystile_protocol::mutation::weakened;

use crate::refusal::{Code, Refusal};

/// A message may have 4 MiB (CHECKLIST A-151).
pub(crate) const MAX_BODY: usize = 4 * 1024 * 1024;

/// A body that does not come within this time is given up.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Takes the body, or refuses it and leaves what it did not read: 415 for another media type, 413 for another size.
pub(crate) async fn read(parts: &Parts, body: &mut Body) -> Result<Bytes, Refusal> {
    if !is_json(&parts.headers) && !weakened("a_110") {
        let sentence = "The body must be application/json in UTF-8, without content encoding.";
        return Err(Refusal::new(Code::UnsupportedMediaType, sentence));
    }
    let limit = if weakened("a_109") {
        usize::MAX
    } else {
        MAX_BODY
    };
    if declared_length(&parts.headers).is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut taken = std::mem::take(body);
    match tokio::time::timeout(BODY_TIME, Limited::new(&mut taken, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            *body = taken;
            Err(too_large())
        }
        Ok(Err(error)) => {
            let sentence = "The body broke off.";
            Err(Refusal::new(Code::BodyUnreadable, sentence).with_detail(error))
        }
        Err(_) => Err(Refusal::new(
            Code::BodyUnreadable,
            "The body did not come in time.",
        )),
    }
}

/// What a request asks, once it is understood.
pub(crate) struct Asked<'a> {
    pub(crate) content: Content<'a>,
    pub(crate) era: Era,
}

/// What a request carries.
#[expect(
    clippy::large_enum_variant,
    reason = "one for each request, on the stack; nearly all are a message"
)]
pub(crate) enum Content<'a> {
    /// GET and DELETE.
    Nothing,
    Message(Envelope<'a>),
    /// Of 2025-03-26, as far as its headers say. Whether its session is, the session knows.
    Batch(Batch<'a>),
}

impl<'a> Asked<'a> {
    /// Parses the body of a POST and compares it with the headers, which must make sense without a body as well.
    pub(crate) fn read(parts: &Parts, body: &'a [u8]) -> Result<Self, Refusal> {
        if parts.method == Method::POST {
            return inspect(&parts.headers, body);
        }
        let read = McpHeaders::read(&parts.headers)
            .map_err(|error| Refusal::rpc(Code::HeaderMismatch, error))?;
        Ok(Self {
            content: Content::Nothing,
            era: read.era(),
        })
    }

    /// As [`read`](Self::read), of a client of 2024-11-05: no header says anything of a message, and what is wrong with a
    /// request is said on its stream.
    pub(crate) fn of_2024(parts: &Parts, body: &'a [u8]) -> Result<Self, Refusal> {
        let content = match parts.method {
            Method::POST => Content::Message(Envelope::parse(body).map_err(not_a_message)?),
            _ => Content::Nothing,
        };
        let era = Era::Legacy;
        Ok(Self { content, era })
    }

    /// All that is asked; each message is to be allowed, and put on record.
    pub(crate) fn messages(&self) -> &[Envelope<'a>] {
        match &self.content {
            Content::Nothing => &[],
            Content::Message(message) => std::slice::from_ref(message),
            Content::Batch(batch) => batch.messages(),
        }
    }

    /// The only message.
    pub(crate) fn message(&self) -> Option<&Envelope<'a>> {
        match &self.content {
            Content::Message(message) => Some(message),
            Content::Nothing | Content::Batch(_) => None,
        }
    }

    pub(crate) fn is_batch(&self) -> bool {
        matches!(self.content, Content::Batch(_))
    }

    /// The ids of all that wants an answer, as JSON text.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &'a str> {
        let messages = self.messages().iter();
        let requests = messages.filter(|message| message.kind() == Kind::Request);
        requests.filter_map(Envelope::id).map(|id| id.lexeme)
    }

    /// The request's id, as JSON text.
    pub(crate) fn id(&self) -> Option<&'a str> {
        let id = self.message().and_then(Envelope::id);
        id.map(|id| id.lexeme)
    }
}

fn inspect<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Asked<'a>, Refusal> {
    if Batch::is_one(body) {
        return inspect_batch(headers, body);
    }
    let message = Envelope::parse(body).map_err(not_a_message)?;
    let id = message.id().map(|id| id.lexeme);
    let read = McpHeaders::agree(headers, &message)
        .map_err(|error| Refusal::rpc(Code::HeaderMismatch, error).with_id(id))?;
    let era = match message.params().meta.protocol_version {
        Some(_) => Era::Stateless,
        None => read.era(),
    };
    if message.method().is_some() {
        if !has_known_method(&message) {
            let refusal = Refusal::new(Code::UnknownMethod, UNKNOWN_METHOD).with_id(id);
            // Before 2026-07-28 a 404 means that the session is gone, and clients start over.
            return Err(match era {
                Era::Stateless => refusal,
                Era::Legacy if message.kind() == Kind::Request => {
                    refusal.with_status(StatusCode::OK)
                }
                Era::Legacy => refusal.with_status(StatusCode::BAD_REQUEST),
            });
        }
    } else if era == Era::Stateless && !weakened("n_tr_04") {
        // MCP 2026-07-28, streamable HTTP: clients send requests and notifications only.
        let sentence = "This revision has no requests of the server that a client could answer.";
        return Err(Refusal::new(Code::NotAMessage, sentence).with_id(id));
    }
    Ok(Asked {
        content: Content::Message(message),
        era,
    })
}

/// MCP 2025-03-26, transports: the one revision with batches. A client of it sends no header that says so; one that
/// says another revision has no batches.
fn inspect_batch<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Asked<'a>, Refusal> {
    let read =
        McpHeaders::of_batch(headers).map_err(|error| Refusal::rpc(Code::HeaderMismatch, error))?;
    if !matches!(read.revision, None | Some(Revision::V2025_03_26)) {
        return Err(Refusal::no_batches());
    }
    let batch = Batch::parse(body).map_err(not_a_message)?;
    for (place, message) in batch.messages().iter().enumerate() {
        let refused = if message.params().meta.protocol_version.is_some() {
            (Code::NotAMessage, "2026-07-28 has no batches.")
        } else if message.method().is_some() && !has_known_method(message) {
            (Code::UnknownMethod, UNKNOWN_METHOD)
        } else {
            continue;
        };
        let sentence = format!("{}{}", in_batch(place), refused.1);
        return Err(Refusal::new(refused.0, sentence).with_status(StatusCode::BAD_REQUEST));
    }
    Ok(Asked {
        content: Content::Batch(batch),
        era: Era::Legacy,
    })
}

/// Which of its messages a batch is refused for.
pub(crate) fn in_batch(place: usize) -> String {
    format!("Message {} of the batch: ", place + 1)
}

/// Whether any revision has it.
pub(crate) fn has_known_method(message: &Envelope<'_>) -> bool {
    let known = match message.kind() {
        Kind::Notification => method::is_notification,
        _ => method::is_request,
    };
    message.method().is_some_and(known) || weakened("n_tr_12")
}

fn not_a_message(error: EnvelopeError) -> Refusal {
    let rpc = RpcError::new(error.code, error.reason);
    Refusal::rpc(Code::NotAMessage, rpc).with_id(error.id.as_deref())
}

/// Exactly `application/json`, in UTF-8 if it says so, and as it is (CHECKLIST A-110).
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(first), None) = (types.next(), types.next()) else {
        return false;
    };
    let Ok(text) = first.to_str() else {
        return false;
    };
    if text != "application/json" {
        let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
        let utf8 = |parameter: &str| {
            let (name, value) = parameter.trim().split_once('=').unwrap_or((parameter, ""));
            name.trim().eq_ignore_ascii_case("charset")
                && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        };
        let parameters = parameters.trim();
        let fine = parameters.is_empty() || utf8(parameters);
        if !essence.trim().eq_ignore_ascii_case("application/json") || !fine {
            return false;
        }
    }
    let encodings = headers.get_all(header::CONTENT_ENCODING);
    encodings
        .iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn too_large() -> Refusal {
    let sentence = format!("A message may have at most {} MiB.", MAX_BODY / 1024 / 1024);
    Refusal::new(Code::BodyTooLarge, sentence)
}

pub(crate) const UNKNOWN_METHOD: &str =
    "This method is in no revision of MCP; names are compared exactly.";
