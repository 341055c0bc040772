//! What a server may say beside its answer (MCP 2026-07-28 and 2025-11-25, "Progress" and "Logging").

use keystile_protocol::mcp::{Envelope, Era};

use crate::era::json::Node;
use crate::era::message::{Message, id_key};
use crate::era::meta::severity;
use crate::era::subscriptions::Filter;
use crate::inspect::Asked;

/// What the requests of one POST asked to hear beside their answers.
#[derive(Default)]
pub(super) struct Asides {
    /// Their progress tokens (JSON text).
    progress: Vec<Box<str>>,
    /// Log messages of this severity and above (2026-07-28).
    severity: Option<u8>,
}

impl Asides {
    pub(super) fn of(asked: &Asked<'_>) -> Self {
        let token = |message: &Envelope<'_>| {
            let token = message.params().meta.progress_token?;
            Some(message.slice(token).into())
        };
        let level = asked.message().and_then(|message| {
            let level = message.params().meta.log_level?;
            serde_json::from_str::<String>(message.slice(level)).ok()
        });
        Self {
            progress: asked.messages().iter().filter_map(token).collect(),
            severity: level.and_then(|level| severity(&level)),
        }
    }

    /// Why this notification has no place beside the answers, if so. Earlier revisions set the level of a whole session,
    /// and say of changes only that they should come elsewhere.
    pub(super) fn refuse(&self, message: &Envelope<'_>, era: Era) -> Option<&'static str> {
        let stateless = era == Era::Stateless;
        match message.method().unwrap_or_default() {
            "notifications/progress" if !self.is_theirs(message) => {
                Some("progress of something else than what was asked")
            }
            "notifications/message" if stateless && !self.is_severe(message) => {
                Some("a log message that was not asked for")
            }
            method if stateless && Filter::is_about(method) => {
                Some("a change, which only subscriptions bring")
            }
            _ => None,
        }
    }

    fn is_theirs(&self, message: &Envelope<'_>) -> bool {
        let token = message.params().progress_token;
        let mut known = self.progress.iter();
        token.is_some_and(|token| known.any(|known| is_same(message.slice(token), known)))
    }

    fn is_severe(&self, message: &Envelope<'_>) -> bool {
        let params = Message::of(message.text()).params();
        let level = params.and_then(|params| params.member("level"));
        let level = level.and_then(Node::string);
        let severity = level.and_then(|level| severity(&level));
        matches!((severity, self.severity), (Some(is), Some(wanted)) if is >= wanted)
    }
}

/// Whether two ids or tokens (JSON text) are one.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    one == other || id_key(one) == id_key(other)
}
