//! The JSON-RPC envelope of one message (JSON-RPC 2.0 §4, §5; MCP 2026-07-28 basic).

use std::borrow::Cow;

use super::error::RpcError;
use crate::mutation::weakened;
use crate::strict_json::{self, Fault, Scanner, Span, StrictJsonError, differs_only_by_case};

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
    /// Reads one message.
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

/// What has been read so far.
#[derive(Default)]
struct Reading<'a> {
    version: bool,
    id: Option<Id<'a>>,
    method: Option<Cow<'a, str>>,
    params: Params<'a>,
    result: Option<Span>,
    error: Option<Span>,
    refused: Option<&'static str>,
}

impl<'a> Reading<'a> {
    fn member(&mut self, scanner: &mut Scanner<'a>, name: &str) -> Result<(), StrictJsonError> {
        match name {
            "jsonrpc" => {
                let version = scanner.value(2)?;
                self.version = version.span.of(scanner.text()) == "\"2.0\"";
            }
            "id" => {
                let value = scanner.value(2)?;
                let lexeme = value.span.of(scanner.text());
                match value.kind {
                    strict_json::Kind::String | strict_json::Kind::Null => {}
                    strict_json::Kind::Number if is_integer(lexeme) => {}
                    _ => return self.refuse(scanner, "the id must be a string or an integer"),
                }
                self.id = Some(Id {
                    lexeme,
                    span: value.span,
                });
            }
            "method" => self.method = Some(string(scanner)?),
            "params" if scanner.next_byte() == Some(b'{') => {
                let params = &mut self.params;
                let refused = &mut self.refused;
                let span =
                    scanner.members(2, |scanner, name| param(params, refused, scanner, name))?;
                self.params.span = Some(span);
            }
            "params" => return self.refuse(scanner, "params must be an object"),
            "result" => self.result = Some(scanner.value(2)?.span),
            "error" if scanner.next_byte() == Some(b'{') => {
                self.error = Some(scanner.value(2)?.span);
            }
            "error" => return self.refuse(scanner, "error must be an object"),
            _ if weakened("a_103") => drop(scanner.value(2)?),
            _ => {
                return self.refuse(
                    scanner,
                    "a member that no JSON-RPC message has; names are compared exactly",
                );
            }
        }
        Ok(())
    }

    fn refuse(&mut self, scanner: &Scanner<'a>, why: &'static str) -> Result<(), StrictJsonError> {
        self.refused = Some(why);
        Err(scanner.fault(Fault::Shape))
    }

    fn kind(&self) -> Result<Kind, &'static str> {
        if !self.version {
            return Err("jsonrpc must be \"2.0\"");
        }
        let null_id = self.id.is_some_and(|id| id.lexeme == "null");
        match (&self.method, self.id, self.result, self.error) {
            (Some(_), Some(_), None, None) if !null_id => Ok(Kind::Request),
            (Some(_), None, None, None) => Ok(Kind::Notification),
            (None, Some(_), Some(_), None) if !null_id => Ok(Kind::Response),
            (None, _, None, Some(_)) => Ok(Kind::Error),
            _ => Err("neither a request, a notification nor a response"),
        }
    }
}

fn param<'a>(
    params: &mut Params<'a>,
    refused: &mut Option<&'static str>,
    scanner: &mut Scanner<'a>,
    name: &str,
) -> Result<(), StrictJsonError> {
    match name {
        "name" => params.name = text_or_refuse(scanner, refused, "params.name must be a string")?,
        "uri" => params.uri = text_or_refuse(scanner, refused, "params.uri must be a string")?,
        "taskId" => {
            params.task_id = text_or_refuse(scanner, refused, "params.taskId must be a string")?;
        }
        "protocolVersion" => {
            params.protocol_version =
                text_or_refuse(scanner, refused, "params.protocolVersion must be a string")?;
        }
        "arguments" => params.arguments = Some(scanner.value(3)?.span),
        "requestId" => params.request_id = Some(scanner.value(3)?.span),
        "progressToken" => params.progress_token = Some(scanner.value(3)?.span),
        "_meta" if scanner.next_byte() == Some(b'{') => {
            let meta = &mut params.meta;
            let span =
                scanner.members(3, |scanner, name| reserved(meta, refused, scanner, name))?;
            params.meta.span = Some(span);
        }
        "_meta" => return refuse(scanner, refused, "params._meta must be an object"),
        other if differs_only_by_case(other, &PARAMS) && !weakened("a_103") => {
            return refuse(scanner, refused, CASE);
        }
        _ => drop(scanner.value(3)?),
    }
    Ok(())
}

fn reserved<'a>(
    meta: &mut Meta<'a>,
    refused: &mut Option<&'static str>,
    scanner: &mut Scanner<'a>,
    name: &str,
) -> Result<(), StrictJsonError> {
    let Some(key) = name.strip_prefix("io.modelcontextprotocol/") else {
        if name == "progressToken" {
            meta.progress_token = Some(scanner.value(4)?.span);
        } else if differs_only_by_case(name, &META) && !weakened("a_103") {
            return refuse(scanner, refused, CASE);
        } else {
            scanner.value(4)?;
        }
        return Ok(());
    };
    match key {
        "protocolVersion" => {
            let why = "_meta protocolVersion must be a string";
            meta.protocol_version = text_or_refuse(scanner, refused, why)?;
        }
        "clientCapabilities" if scanner.next_byte() == Some(b'{') => {
            meta.client_capabilities = Some(scanner.value(4)?.span);
        }
        "clientCapabilities" => {
            return refuse(
                scanner,
                refused,
                "_meta clientCapabilities must be an object",
            );
        }
        "clientInfo" => meta.client_info = Some(scanner.value(4)?.span),
        "logLevel" => meta.log_level = Some(scanner.value(4)?.span),
        "subscriptionId" => meta.subscription_id = Some(scanner.value(4)?.span),
        _ if differs_only_by_case(name, &META) && !weakened("a_103") => {
            return refuse(scanner, refused, CASE);
        }
        _ => drop(scanner.value(4)?),
    }
    Ok(())
}

fn refuse<T>(
    scanner: &Scanner<'_>,
    refused: &mut Option<&'static str>,
    why: &'static str,
) -> Result<T, StrictJsonError> {
    *refused = Some(why);
    Err(scanner.fault(Fault::Shape))
}

fn string<'a>(scanner: &mut Scanner<'a>) -> Result<Cow<'a, str>, StrictJsonError> {
    scanner.next_byte();
    Ok(scanner.string()?.decode())
}

fn text_or_refuse<'a>(
    scanner: &mut Scanner<'a>,
    refused: &mut Option<&'static str>,
    why: &'static str,
) -> Result<Option<Cow<'a, str>>, StrictJsonError> {
    if scanner.next_byte() != Some(b'"') {
        return refuse(scanner, refused, why);
    }
    string(scanner).map(Some)
}

fn is_integer(lexeme: &str) -> bool {
    !lexeme
        .bytes()
        .any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}

fn invalid(reason: &'static str, id: Option<String>) -> EnvelopeError {
    EnvelopeError {
        reason: Cow::Borrowed(reason),
        code: RpcError::INVALID_REQUEST,
        id,
    }
}

fn fault_error(error: StrictJsonError, id: Option<String>) -> EnvelopeError {
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

const CASE: &str = "a member whose name differs from a known one only by case";

const PARAMS: [&str; 8] = [
    "name",
    "uri",
    "taskId",
    "protocolVersion",
    "arguments",
    "requestId",
    "progressToken",
    "_meta",
];

const META: [&str; 6] = [
    "progressToken",
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/logLevel",
    "io.modelcontextprotocol/subscriptionId",
];

#[cfg(test)]
mod tests;
