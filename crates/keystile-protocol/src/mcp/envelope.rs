//! The JSON-RPC envelope of one message (JSON-RPC 2.0 §4, §5; MCP 2026-07-28 basic).

mod reading;

use std::borrow::Cow;

use super::error::RpcError;
use crate::strict_json::{Fault, Scanner, Span, StrictJsonError};
use reading::Reading;

/// What kind of message this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `method` and `id`.
    Request,
    /// `method` without `id`.
    Notification,
    /// `result` and `id`.
    Response,
    /// `error`, with an `id` where the failing request was known.
    Error,
}

/// A message that passed the strict reading. It borrows the message's bytes.
///
/// ```
/// use keystile_protocol::mcp::{Envelope, Kind};
///
/// let body = br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read"}}"#;
/// let message = Envelope::parse(body)?;
/// assert_eq!(message.kind(), Kind::Request);
/// assert_eq!(message.method(), Some("tools/call"));
/// assert_eq!(message.params().name.as_deref(), Some("read"));
/// let id = message.id().unwrap();
/// assert_eq!(message.replaced(id.span, "\"ks-1\""), body
///     .to_vec().iter().map(|b| *b as char).collect::<String>().replace(":7,", ":\"ks-1\",").into_bytes());
/// # Ok::<(), keystile_protocol::mcp::EnvelopeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Envelope<'a> {
    text: &'a str,
    kind: Kind,
    id: Option<Id<'a>>,
    method: Option<Cow<'a, str>>,
    params: Params<'a>,
    result: Option<Span>,
    error: Option<Span>,
}

/// A request id, as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id<'a> {
    /// The JSON text of the id: `7`, `"a"`, or `null` in an error.
    pub lexeme: &'a str,
    /// Where it stands, so that it can be replaced.
    pub span: Span,
}

/// The members of `params` on which somebody decides. Strings are unescaped.
#[derive(Debug, Clone, Default)]
pub struct Params<'a> {
    /// The whole object.
    pub span: Option<Span>,
    /// `params.name` (`tools/call`, `prompts/get`).
    pub name: Option<Cow<'a, str>>,
    /// `params.uri` (`resources/read`).
    pub uri: Option<Cow<'a, str>>,
    /// `params.taskId` (`tasks/*`, SEP-2663).
    pub task_id: Option<Cow<'a, str>>,
    /// Where [`task_id`](Self::task_id) stands, so that it can be replaced.
    pub task_id_span: Option<Span>,
    /// `params.requestState` (2026-07-28, a retry of what ended with `input_required`).
    pub request_state: Option<Span>,
    /// `params.protocolVersion` (`initialize`).
    pub protocol_version: Option<Cow<'a, str>>,
    /// `params.arguments`.
    pub arguments: Option<Span>,
    /// `params.requestId` (`notifications/cancelled`).
    pub request_id: Option<Span>,
    /// `params.progressToken` (`notifications/progress`).
    pub progress_token: Option<Span>,
    /// `params._meta`.
    pub meta: Meta<'a>,
}

/// The members of `params._meta` that the protocol reserves.
#[derive(Debug, Clone, Default)]
pub struct Meta<'a> {
    /// The whole object.
    pub span: Option<Span>,
    /// `progressToken`.
    pub progress_token: Option<Span>,
    /// `io.modelcontextprotocol/protocolVersion` (2026-07-28).
    pub protocol_version: Option<Cow<'a, str>>,
    /// `io.modelcontextprotocol/clientCapabilities` (2026-07-28), an object.
    pub client_capabilities: Option<Span>,
    /// `io.modelcontextprotocol/clientInfo` (2026-07-28). Never decide on it (CHECKLIST N-RS-22).
    pub client_info: Option<Span>,
    /// `io.modelcontextprotocol/logLevel` (2026-07-28).
    pub log_level: Option<Span>,
    /// `io.modelcontextprotocol/subscriptionId` (2026-07-28, notifications).
    pub subscription_id: Option<Span>,
}

/// Why a message was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct EnvelopeError {
    /// What is wrong, in a sentence that may be shown.
    pub reason: Cow<'static, str>,
    /// −32700 when it is no JSON, −32600 when it is no message (JSON-RPC 2.0 §5.1).
    pub code: i32,
    /// The id, when it was read before the fault: JSON text.
    pub id: Option<String>,
}

impl<'a> Envelope<'a> {
    /// Reads one message; [`Batch`](super::Batch) reads several.
    ///
    /// # Errors
    /// Anything of CHECKLIST R1, a batch, or an object that is none of the four kinds.
    pub fn parse(body: &'a [u8]) -> Result<Self, EnvelopeError> {
        let mut reading = Reading::default();
        let mut scanner = Scanner::new(body).map_err(|fault| fault_error(fault, None))?;
        if scanner.next_byte() == Some(b'[') {
            return Err(invalid("a batch; send one message per request", None));
        }
        let text = scanner.text();
        let read = scanner
            .members(1, |scanner, name| reading.member(scanner, name))
            .and_then(|_| scanner.end());
        let id = || reading.id.map(|id| id.lexeme.to_owned());
        if let Some(reason) = reading.refused {
            return Err(invalid(reason, id()));
        }
        read.map_err(|fault| fault_error(fault, id()))?;
        match reading.kind() {
            Ok(kind) => Ok(Self {
                text,
                kind,
                id: reading.id,
                method: reading.method,
                params: reading.params,
                result: reading.result,
                error: reading.error,
            }),
            Err(reason) => Err(invalid(reason, id())),
        }
    }

    /// The message itself.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Which of the four kinds it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The id: always there in requests and responses, never in notifications.
    #[must_use]
    pub fn id(&self) -> Option<Id<'a>> {
        self.id
    }

    /// The method, unescaped: always there in requests and notifications.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// What stands in `params`.
    #[must_use]
    pub fn params(&self) -> &Params<'a> {
        &self.params
    }

    /// The value of `result`.
    #[must_use]
    pub fn result(&self) -> Option<Span> {
        self.result
    }

    /// The object of `error`.
    #[must_use]
    pub fn error(&self) -> Option<Span> {
        self.error
    }

    /// The JSON text of a part of this message.
    #[must_use]
    pub fn slice(&self, span: Span) -> &'a str {
        span.of(self.text)
    }

    /// The message with one part replaced by other JSON text; all other bytes stay.
    #[must_use]
    pub fn replaced(&self, span: Span, json: &str) -> Vec<u8> {
        self.edited(&mut [(span, json)])
    }

    /// The message with several parts replaced. The parts must not overlap.
    #[must_use]
    pub fn edited(&self, edits: &mut [(Span, &str)]) -> Vec<u8> {
        edits.sort_by_key(|(span, _)| span.start);
        let added: usize = edits.iter().map(|(_, json)| json.len()).sum();
        let mut out = Vec::with_capacity(self.text.len() + added);
        let mut copied = 0;
        for (span, json) in edits {
            out.extend_from_slice(
                Span {
                    start: copied,
                    end: span.start,
                }
                .of(self.text)
                .as_bytes(),
            );
            out.extend_from_slice(json.as_bytes());
            copied = span.end;
        }
        out.extend_from_slice(
            Span {
                start: copied,
                end: self.text.len(),
            }
            .of(self.text)
            .as_bytes(),
        );
        out
    }
}

pub(super) fn invalid(reason: &'static str, id: Option<String>) -> EnvelopeError {
    EnvelopeError {
        reason: Cow::Borrowed(reason),
        code: RpcError::INVALID_REQUEST,
        id,
    }
}

pub(super) fn fault_error(error: StrictJsonError, id: Option<String>) -> EnvelopeError {
    let code = match error.fault {
        Fault::Syntax | Fault::InvalidUtf8 | Fault::LoneSurrogate | Fault::TrailingData => {
            RpcError::PARSE_ERROR
        }
        Fault::NumberTooLarge
        | Fault::DuplicateMember
        | Fault::ControlInMember
        | Fault::TooDeep
        | Fault::TooManyMembers
        | Fault::Shape => RpcError::INVALID_REQUEST,
    };
    EnvelopeError {
        reason: error.to_string().into(),
        code,
        id,
    }
}

#[cfg(test)]
mod tests;
