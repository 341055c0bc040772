//! Several messages in one body (MCP 2025-03-26, basic, "Batching"; JSON-RPC 2.0 §6). No other revision has it.

use std::collections::HashSet;

use super::envelope::{Envelope, EnvelopeError, Kind, fault_error, invalid};
use crate::mutation::weakened;
use crate::strict_json::{Fault, Scanner};

/// Messages in one batch: each is looked at, and on record, by itself.
pub const MAX_BATCH: usize = 64;

/// The messages of a batch, each of which passed the strict reading. They borrow the body.
///
/// ```
/// use keystile_protocol::mcp::Batch;
///
/// let body = br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}, {"jsonrpc":"2.0","id":2,"method":"tools/list"}]"#;
/// let batch = Batch::parse(body)?;
/// assert_eq!(batch.messages()[1].method(), Some("tools/list"));
/// # Ok::<(), keystile_protocol::mcp::EnvelopeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    messages: Vec<Envelope<'a>>,
}

impl<'a> Batch<'a> {
    /// Whether a body is meant as a batch: its first token opens an array.
    #[must_use]
    pub fn is_one(body: &[u8]) -> bool {
        body.trim_ascii_start().first() == Some(&b'[')
    }

    /// Reads a batch: of requests and notifications, or of responses (MCP 2025-03-26, transports).
    ///
    /// # Errors
    /// What makes one of its messages unfit, which the reason names by its place; none or more than
    /// [`MAX_BATCH`] of them; two requests with one id; `initialize`; requests among responses.
    pub fn parse(body: &'a [u8]) -> Result<Self, EnvelopeError> {
        let mut scanner = Scanner::new(body).map_err(|fault| fault_error(fault, None))?;
        let text = scanner.text();
        let mut messages = Vec::new();
        let mut refused = None;
        let read = scanner.elements(1, |scanner| {
            if messages.len() == MAX_BATCH && !weakened("a_101b") {
                let reason = "a batch of more messages than are taken at once";
                refused = Some(invalid(reason, None));
                return Err(scanner.fault(Fault::Shape));
            }
            let value = scanner.value(2);
            let message = value
                .map_err(|fault| fault_error(fault, None))
                .and_then(|value| Envelope::parse(value.span.of(text).as_bytes()));
            match message {
                Ok(message) => messages.push(message),
                Err(error) => {
                    refused = Some(named(error, messages.len()));
                    return Err(scanner.fault(Fault::Shape));
                }
            }
            Ok(())
        });
        if let Some(error) = refused {
            return Err(error);
        }
        read.and_then(|_| scanner.end())
            .map_err(|fault| fault_error(fault, None))?;
        Self::of(messages)
    }

    fn of(messages: Vec<Envelope<'a>>) -> Result<Self, EnvelopeError> {
        if messages.is_empty() {
            return Err(invalid("a batch without a message", None));
        }
        let answers =
            |message: &Envelope<'_>| matches!(message.kind(), Kind::Response | Kind::Error);
        let all_alike = messages.iter().all(answers) || !messages.iter().any(answers);
        if !all_alike {
            return Err(invalid("a batch of both requests and responses", None));
        }
        let mut ids = HashSet::new();
        for (place, message) in messages.iter().enumerate() {
            // "The initialize request MUST NOT be part of a JSON-RPC batch" (2025-03-26, lifecycle).
            if message.method() == Some("initialize") {
                let reason = "initialize is never part of a batch";
                return Err(named(invalid(reason, None), place));
            }
            let fresh = message.id().is_none_or(|id| ids.insert(key(id.lexeme)));
            if !fresh && !weakened("a_101c") {
                let reason = "another message of the batch has the same id";
                return Err(named(invalid(reason, None), place));
            }
        }
        Ok(Self { messages })
    }

    /// In the order of the batch; never none.
    #[must_use]
    pub fn messages(&self) -> &[Envelope<'a>] {
        &self.messages
    }
}

/// What two ids are compared by. Looser than JSON-RPC on purpose: some peer takes `1` and `"1"` for one.
fn key(lexeme: &str) -> String {
    match serde_json::from_str(lexeme) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => lexeme.to_owned(),
    }
}

/// The error with the place of its message, counted from one.
fn named(error: EnvelopeError, place: usize) -> EnvelopeError {
    EnvelopeError {
        reason: format!("message {} of the batch: {}", place + 1, error.reason).into(),
        ..error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        let error = Batch::parse(body.as_bytes()).expect_err(body);
        format!("{} {}", error.code, error.reason)
    }

    const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

    #[test]
    fn a_batch_is_read_message_by_message() {
        let body = format!(
            "\n [ {PING} ,{},\t{}]\n",
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","id":"a","method":"tools/c\u0061ll","params":{"name":"read"}}"#
        );
        assert!(Batch::is_one(body.as_bytes()) && !Batch::is_one(PING.as_bytes()));
        let batch = Batch::parse(body.as_bytes()).unwrap();
        let [ping, initialized, call] = batch.messages() else {
            panic!("{batch:?}")
        };
        assert_eq!((ping.text(), ping.id().unwrap().lexeme), (PING, "1"));
        assert_eq!(initialized.kind(), Kind::Notification);
        assert_eq!(call.method(), Some("tools/call"));
        assert_eq!(call.params().name.as_deref(), Some("read"));
    }

    #[test]
    fn what_is_no_batch_of_2025_03_26_is_refused_and_says_where() {
        let answer = r#"{"jsonrpc":"2.0","id":2,"result":{}}"#;
        let initialize = r#"{"jsonrpc":"2.0","id":2,"method":"initialize"}"#;
        for (body, says) in [
            ("[]".to_owned(), "-32600 a batch without a message"),
            (format!("[{PING}"), "-32700"),
            (format!("[{PING}]]"), "-32700"),
            (format!("[{PING},]"), "-32700"),
            (format!("[{PING},[{PING}]]"), "message 2"),
            (format!("[[{PING}]]"), "message 1"),
            (format!("[{PING},1]"), "message 2"),
            (
                format!(r#"[{PING},{{"jsonrpc":"2.0","id":2,"Method":"x"}}]"#),
                "message 2",
            ),
            (
                format!(r#"[{PING},{{"a":1,"a":2}}]"#),
                "two members of one object",
            ),
            (format!("[{PING},{answer}]"), "both requests and responses"),
            (
                format!("[{PING},{initialize}]"),
                "-32600 message 2 of the batch: initialize",
            ),
        ] {
            assert!(refused(&body).contains(says), "{body}: {}", refused(&body));
        }
        assert!(Batch::parse(format!("[{answer}]").as_bytes()).is_ok());
    }

    #[test]
    fn a_101_a_batch_is_bounded() {
        let of = |count: usize| {
            let pings = (0..count).map(|id| PING.replace('1', &id.to_string()));
            format!("[{}]", pings.collect::<Vec<_>>().join(","))
        };
        assert_eq!(
            Batch::parse(of(MAX_BATCH).as_bytes())
                .unwrap()
                .messages()
                .len(),
            MAX_BATCH
        );
        for count in [MAX_BATCH + 1, 10_000] {
            assert!(refused(&of(count)).contains("more messages"));
        }
    }

    #[test]
    fn a_101_two_messages_of_a_batch_have_two_ids() {
        for id in ["1", "\"1\"", "\"\\u0031\""] {
            let second = PING.replace(":1,", &format!(":{id},"));
            assert!(
                refused(&format!("[{PING},{second}]")).contains("message 2"),
                "{id}"
            );
        }
    }
}
