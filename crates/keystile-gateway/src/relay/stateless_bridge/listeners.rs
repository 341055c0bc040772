//! Open subscriptions in front of a legacy server, and what else it says on its own account.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::Bridged;
use crate::{
    era::{
        json::{Reshape, quoted},
        message::{self, Message},
        stateless_to_legacy::{self as translate, Elicitation},
        subscriptions::Filter,
    },
    relay::{
        peer::{CallFacts, Event, Inbound, Incoming, Peer, Taken},
        stateless::log_reader,
    },
};

/// Resources subscribed to for one listener; given up with it.
pub(super) struct Subscribed<'a> {
    pub(super) bridge: &'a Bridged,
    pub(super) uris: Vec<String>,
}

impl Subscribed<'_> {
    pub(super) async fn add(&mut self, uri: &str) -> bool {
        let first = {
            let mut uris = self.bridge.uris.lock();
            if uris.len() >= MAX_URIS {
                return false;
            }
            let count = uris.entry(uri.to_owned()).or_default();
            *count += 1;
            *count == 1
        };
        self.uris.push(uri.to_owned());
        if !first {
            return true;
        }
        let params = Reshape::of(None).set("uri", quoted(uri)).finish();
        let text = message::request("0", "resources/subscribe", Some(&params));
        match self
            .bridge
            .peer
            .call(Message::of(&text), CallFacts::default())
            .await
        {
            Ok(exchange) => exchange
                .only_answer()
                .await
                .is_ok_and(|answer| Message::of(&answer).result().is_some()),
            Err(_) => false,
        }
    }
}

impl Drop for Subscribed<'_> {
    fn drop(&mut self) {
        let mut counts = self.bridge.uris.lock();
        for uri in &self.uris {
            let Some(count) = counts.get_mut(uri) else {
                continue;
            };
            *count -= 1;
            if *count > 0 {
                continue;
            }
            counts.remove(uri);
            let params = Reshape::of(None).set("uri", quoted(uri)).finish();
            // Nobody waits for the answer; it is dropped when it comes.
            let number = self.bridge.listeners.number();
            let id = quoted(&format!("unsubscribe-{number}"));
            self.bridge.peer.tell(message::request(
                &id,
                "resources/unsubscribe",
                Some(&params),
            ));
        }
    }
}

/// Open subscriptions of one conversation, and what else the server says on its own account.
pub(super) struct Listeners {
    /// What the client lets the server ask of its user.
    elicitation: Elicitation,
    open: Mutex<HashMap<u64, (Filter, mpsc::Sender<String>)>>,
    count: AtomicU64,
}

impl Listeners {
    pub(super) fn of(elicitation: Elicitation) -> Self {
        Self {
            elicitation,
            open: Mutex::default(),
            count: AtomicU64::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.lock().is_empty()
    }

    fn number(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn join(self: &Arc<Self>, filter: Filter) -> Listener {
        let (sender, messages) = mpsc::channel(CHANGES);
        let number = self.number();
        self.open.lock().insert(number, (filter, sender));
        Listener {
            messages,
            number,
            all: Arc::clone(self),
        }
    }
}

pub(super) struct Listener {
    pub(super) messages: mpsc::Receiver<String>,
    number: u64,
    all: Arc<Listeners>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.all.open.lock().remove(&self.number);
    }
}

impl Inbound for Listeners {
    fn request(&self, peer: &Peer, incoming: Incoming<'_>) {
        let Some(id) = incoming.id else { return };
        match incoming.method {
            "ping" => peer.tell(message::result(id, "{}")),
            // A client is asked only what it declared (2025-11-25, elicitation, "Capabilities").
            "elicitation/create"
                if self.elicitation.allows(Message::of(incoming.text).params()) =>
            {
                // stdio does not say which call it belongs to. Any call of the same person and client will do: the
                // answer goes back under the server's own id. One that waits for its client might wait for ever.
                let may_ask = |parked: bool| {
                    peer.oldest(|waiting| {
                        waiting.parked == parked && translate::may_ask(&waiting.method)
                    })
                };
                let call = incoming.about.or_else(|| may_ask(false));
                let call = call.or_else(|| may_ask(true));
                let params = Message::of(incoming.text)
                    .params()
                    .map(|params| params.text().to_owned());
                let ask = Event::Ask {
                    id: id.into(),
                    method: incoming.method.into(),
                    params,
                };
                if !call.is_some_and(|call| peer.deliver(&call, ask) == Taken::Yes) {
                    peer.decline(id, "no call is there to ask for");
                }
            }
            _ => peer.decline(id, "not bridged to a client of 2026-07-28"),
        }
    }

    fn notification(&self, peer: &Peer, incoming: Incoming<'_>) {
        let message = Message::of(incoming.text);
        if incoming.method == "notifications/message" {
            if let Some(call) = log_reader(peer, message, incoming.about) {
                peer.deliver(&call, Event::Message(incoming.text.to_owned()));
            }
            return;
        }
        for (filter, sender) in self.open.lock().values() {
            if filter.wants(incoming.method, message)
                && sender.try_send(incoming.text.to_owned()).is_err()
            {
                tracing::debug!("a subscriber is too slow; a change notification was dropped");
            }
        }
    }
}

const MAX_URIS: usize = 256;
/// Change notifications that wait for a client to read them.
const CHANGES: usize = 32;
