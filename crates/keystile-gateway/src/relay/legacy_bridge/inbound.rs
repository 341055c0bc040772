//! Where the messages of a 2026-07-28 server go that are no answers, for a session of 2025.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use crate::{
    era::{json::Node, message::Message, meta},
    relay::{
        peer::{Inbound, Incoming, Peer},
        session::Inbox,
        stateless::{Routed, ignore_request, route},
    },
};

/// Log messages of this severity and above are for the client; none until it says so.
#[derive(Clone)]
pub(super) struct Level(Arc<AtomicU8>);

impl Default for Level {
    fn default() -> Self {
        Self(Arc::new(AtomicU8::new(u8::MAX)))
    }
}

impl Level {
    pub(super) fn set(&self, severity: u8) {
        self.0.store(severity, Ordering::Relaxed);
    }
}

/// A 2026-07-28 server sends no requests; its notifications belong to calls or subscriptions.
pub(super) struct FromStateless {
    inbox: Arc<Inbox>,
    level: Level,
}

impl FromStateless {
    pub(super) fn new(inbox: &Arc<Inbox>, level: &Level) -> Self {
        Self {
            inbox: Arc::clone(inbox),
            level: level.clone(),
        }
    }

    /// Whether the session asked for log messages as severe as this.
    fn logs(&self, message: Message<'_>) -> bool {
        let level = message.params().and_then(|params| params.member("level"));
        let severity = level
            .and_then(Node::string)
            .and_then(|level| meta::severity(&level));
        severity.is_some_and(|severity| severity >= self.level.0.load(Ordering::Relaxed))
    }
}

impl Inbound for FromStateless {
    fn request(&self, peer: &Peer, incoming: Incoming<'_>) {
        ignore_request(peer, &incoming);
    }

    fn notification(&self, peer: &Peer, incoming: Incoming<'_>) {
        let text = incoming.text;
        let is_log = incoming.method == "notifications/message";
        if route(peer, incoming) == Routed::Nowhere && is_log && self.logs(Message::of(text)) {
            self.inbox.outbox.put(text.to_owned());
        }
    }
}
