//! An audit trail in memory, that can be made to fail.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use keystile_domain::audit::Event;
use keystile_domain::ports::{AuditFailed, AuditSink};
use serde_json::Value;

/// Keeps every event as the JSON that would be written.
#[derive(Debug, Default)]
pub struct CollectedAudit {
    events: Mutex<Vec<Value>>,
    full: AtomicBool,
}

impl CollectedAudit {
    /// Every event so far.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        self.events
            .lock()
            .expect("no test panics while it holds this")
            .clone()
    }

    /// `action outcome reason` of every event so far.
    #[must_use]
    pub fn summary(&self) -> Vec<String> {
        let word = |event: &Value, name: &str| event[name].as_str().unwrap_or("-").to_owned();
        let line = |event: &Value| {
            ["action", "outcome", "reason"]
                .map(|name| word(event, name))
                .join(" ")
        };
        self.events().iter().map(line).collect()
    }

    /// From now on nothing can be written, as on a full disk.
    pub fn fill_up(&self) {
        self.full.store(true, Ordering::SeqCst);
    }

    fn keep(&self, event: &Event<'_>) -> Result<(), AuditFailed> {
        if self.full.load(Ordering::SeqCst) {
            return Err(AuditFailed("the disk is full".to_owned()));
        }
        let event = serde_json::to_value(event).expect("an event is plain data");
        self.events
            .lock()
            .expect("no test panics while it holds this")
            .push(event);
        Ok(())
    }
}

#[async_trait]
impl AuditSink for CollectedAudit {
    async fn record(&self, event: &Event<'_>) -> Result<(), AuditFailed> {
        self.keep(event)
    }

    fn append(&self, event: &Event<'_>) -> Result<(), AuditFailed> {
        self.keep(event)
    }
}
