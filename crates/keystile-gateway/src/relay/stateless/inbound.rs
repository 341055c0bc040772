//! Where the messages of a 2026-07-28 server go that are no answers.

use keystile_protocol::mutation::weakened;

use crate::{
    era::{
        json::Node,
        message::Message,
        meta,
        subscriptions::{Filter, LISTEN},
    },
    relay::peer::{CANCELLED, Event, Inbound, Incoming, Peer, Taken, Waiting},
};

/// Where a notification went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Routed {
    Somewhere,
    Nowhere,
}

/// Brings a notification of a 2026-07-28 server to the call or subscription it belongs to.
pub(crate) fn route(peer: &Peer, incoming: Incoming<'_>) -> Routed {
    let message = Message::of(incoming.text);
    let text = || incoming.text.to_owned();
    if let Some(subscription) = message.meta(meta::SUBSCRIPTION_ID) {
        let known = subscription
            .string()
            .is_some_and(|id| peer.deliver(&id, Event::Message(text())) == Taken::Yes);
        return if known {
            Routed::Somewhere
        } else {
            Routed::Nowhere
        };
    }
    let call = match incoming.method {
        // On stdio a server ends a subscription this way, and nothing else.
        CANCELLED => {
            let id = message
                .root
                .path(["params", "requestId"])
                .and_then(Node::string);
            let over = id.is_some_and(|id| peer.deliver(&id, Event::Over) == Taken::Yes);
            return if over {
                Routed::Somewhere
            } else {
                Routed::Nowhere
            };
        }
        "notifications/message" => log_reader(peer, message, incoming.about),
        // Only subscriptions bring changes.
        change if Filter::is_about(change) => None,
        _ => incoming.about,
    };
    match call {
        Some(id) => match peer.deliver(&id, Event::Message(text())) {
            Taken::Yes => Routed::Somewhere,
            Taken::Gone => Routed::Nowhere,
            Taken::Full => {
                peer.tell_strange(incoming.text, &"its client does not read what comes");
                Routed::Somewhere
            }
        },
        None => Routed::Nowhere,
    }
}

/// The call that a log message is for, if that asked for messages as severe as this: the one `about` which it came, or
/// where the carrier does not know, the only one in flight.
pub(crate) fn log_reader(
    peer: &Peer,
    message: Message<'_>,
    about: Option<Box<str>>,
) -> Option<Box<str>> {
    let level = message.params()?.member("level")?.string()?;
    let severity = meta::severity(&level)?;
    let fits = |waiting: &Waiting| waiting.severity.is_some_and(|wanted| severity >= wanted);
    match about {
        Some(id) => (peer.is(&id, fits) || weakened("a_113d")).then_some(id),
        None => peer.only(
            |waiting| &*waiting.method != LISTEN && !waiting.parked,
            fits,
        ),
    }
}

pub(crate) fn ignore_request(peer: &Peer, incoming: &Incoming<'_>) {
    peer.tell_strange(
        incoming.text,
        &"a request, which no server of 2026-07-28 sends",
    );
}

/// A 2026-07-28 server sends no requests (CHECKLIST N-TR-14).
pub(super) struct FromStateless;

impl Inbound for FromStateless {
    fn request(&self, peer: &Peer, incoming: Incoming<'_>) {
        ignore_request(peer, &incoming);
        if let Some(call) = peer.oldest(|_| true).filter(|_| weakened("n_tr_14")) {
            peer.deliver(&call, Event::Message(incoming.text.to_owned()));
        }
    }

    fn notification(&self, peer: &Peer, incoming: Incoming<'_>) {
        let method = incoming.method;
        if route(peer, incoming) == Routed::Nowhere {
            tracing::debug!(method, "a notification belongs to nothing; it was dropped");
        }
    }
}
