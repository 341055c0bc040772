//! A session of a 2025-era client: one conversation with the server of its own.

use std::sync::Arc;

use keystile_protocol::mcp::Revision;
use parking_lot::Mutex;

use super::{
    caller::{Caller, Owner},
    legacy_bridge::Bridge,
    outbox::{Asked, Asker, Outbox},
    peer::{CANCELLED, Event, Inbound, Incoming, Peer, Taken},
    upkeep::Slot,
};
use crate::era::{
    json::Node,
    message::{Message, result},
};

/// Bound to its owner, never to the bytes of a token (CHECKLIST R4, A-115).
pub(crate) struct Session {
    pub(crate) id: Box<str>,
    pub(crate) owner: Owner,
    /// The caller as last seen; the session ends when its grant is revoked.
    pub(crate) caller: Mutex<Caller>,
    pub(crate) peer: Peer,
    pub(crate) inbox: Arc<Inbox>,
    /// What client and server agreed on.
    pub(crate) revision: Option<Revision>,
    /// For a server of the stateless era.
    pub(crate) bridge: Option<Bridge>,
    /// Until it has to make room.
    pub(crate) slot: Mutex<Option<Slot>>,
}

impl Session {
    /// Nobody would miss it.
    pub(crate) fn is_idle(&self) -> bool {
        !self.peer.busy() && !self.inbox.outbox.is_attached()
    }
}

/// What the server sent on its own account, and who must answer it.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) asked: Asked,
}

impl Inbox {
    /// On the stream of the call it belongs to, else on the session's own.
    fn route(&self, peer: &Peer, call: Option<Box<str>>, incoming: &Incoming<'_>) {
        let text = incoming.text;
        let deliver = |id: Box<str>| peer.deliver(&id, Event::Message(text.to_owned()));
        let dropped = match call.map_or(Taken::Gone, deliver) {
            Taken::Yes => None,
            Taken::Gone => self.outbox.put(text.to_owned()),
            // It would not be read elsewhere either.
            Taken::Full => {
                peer.tell_strange(text, &"its client does not read what comes");
                incoming.id.map(Box::from)
            }
        };
        if let Some(id) = dropped
            && let Some(Asker::Server) = self.asked.take(&id)
        {
            peer.decline(&id, "the client does not read what it is asked");
        }
    }
}

impl Inbound for Inbox {
    fn request(&self, peer: &Peer, incoming: Incoming<'_>) {
        let Some(id) = incoming.id else { return };
        if incoming.method == "ping" && !self.outbox.is_attached() {
            peer.tell(result(id, "{}"));
            return;
        }
        if !self.asked.insert(id, Asker::Server) {
            peer.decline(id, "too many requests wait for the client");
            return;
        }
        let call = incoming.about.clone().or_else(|| {
            peer.oldest(|waiting| waiting.streams && !waiting.method.starts_with("initialize"))
        });
        self.route(peer, call, &incoming);
    }

    fn notification(&self, peer: &Peer, incoming: Incoming<'_>) {
        let message = Message::of(incoming.text);
        let call = match incoming.method {
            CANCELLED => {
                if let Some(id) = message
                    .params()
                    .and_then(|params| params.member("requestId"))
                {
                    self.asked.take(id.text());
                }
                incoming.about.clone()
            }
            // stdio does not say which call a log message belongs to; with one in flight it is clear.
            "notifications/message" => incoming
                .about
                .clone()
                .or_else(|| peer.only(|_| true, |waiting| waiting.streams)),
            _ => incoming.about.clone(),
        };
        self.route(peer, call, &incoming);
    }
}

/// What a client's answer to a request of the server is about.
pub(crate) fn answered_id(message: Message<'_>) -> Option<&str> {
    message.root.member("id").map(Node::text)
}

/// The revision in an answer to `initialize`.
pub(crate) fn agreed(answer: &str) -> Option<Revision> {
    let agreed = Message::of(answer).root.path(["result", "protocolVersion"]);
    Revision::parse(&agreed.and_then(Node::string)?)
}
