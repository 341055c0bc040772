//! The members of a message as they are met (CHECKLIST A-103: compared exactly).

use std::borrow::Cow;

use super::{Id, Kind, Meta, Params};
use crate::mutation::weakened;
use crate::strict_json::{self, Fault, Scanner, Span, StrictJsonError, differs_only_by_case};

/// What has been read so far.
#[derive(Default)]
pub(super) struct Reading<'a> {
    pub(super) version: bool,
    pub(super) id: Option<Id<'a>>,
    pub(super) method: Option<Cow<'a, str>>,
    pub(super) params: Params<'a>,
    pub(super) result: Option<Span>,
    pub(super) error: Option<Span>,
    pub(super) refused: Option<&'static str>,
}

impl<'a> Reading<'a> {
    pub(super) fn member(
        &mut self,
        scanner: &mut Scanner<'a>,
        name: &str,
    ) -> Result<(), StrictJsonError> {
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

    pub(super) fn kind(&self) -> Result<Kind, &'static str> {
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
            let start = scanner.next_at();
            params.task_id = text_or_refuse(scanner, refused, "params.taskId must be a string")?;
            params.task_id_span = Some(scanner.since(start));
        }
        "requestState" => params.request_state = Some(scanner.value(3)?.span),
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

const CASE: &str = "a member whose name differs from a known one only by case";

const PARAMS: [&str; 9] = [
    "name",
    "uri",
    "taskId",
    "requestState",
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
