//! Many calls over one conversation: who waits for which answer.
//!
//! Request ids and progress tokens are rewritten to ids that nobody else uses and nobody can guess, so that no answer
//! can reach another caller (CHECKLIST A-113), and put back as the client's own lexeme.

mod backlog;
mod exchange;
mod pump;

use std::{
    collections::HashMap,
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use keystile_domain::ports::Rng;
use keystile_protocol::{mcp::RpcError, mutation::weakened};
use parking_lot::Mutex;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{Failure, Link, Outgoing, Strange, Wire};
use crate::era::{
    json::{Node, quoted},
    message::{self, Message, id_key},
};
pub(crate) use backlog::{Events, Taken};
use backlog::{Giver, backlog};
use exchange::Ticket;
pub(crate) use exchange::{Exchange, Step};
use pump::pump;

/// One end of a conversation. Clones share it; when the last one goes, the conversation ends.
#[derive(Clone)]
pub(crate) struct Peer {
    shared: Arc<Shared>,
}

struct Shared {
    link: Arc<dyn Link>,
    strange: Arc<Strange>,
    /// 64 random bits; the other 64 bits of an id count.
    prefix: u64,
    count: AtomicU64,
    state: Mutex<State>,
    ended: CancellationToken,
}

struct State {
    waiting: HashMap<Box<str>, Waiting>,
    failure: Option<Failure>,
    used: Instant,
}

/// A call in flight.
pub(crate) struct Waiting {
    order: u64,
    pub(crate) method: Box<str>,
    /// What the client's id is compared by.
    client: Option<Box<str>>,
    /// The lexeme of the client's progress token.
    token: Option<Box<str>>,
    /// The client asked for log messages of this severity and above.
    pub(crate) severity: Option<u8>,
    /// The client takes events before the answer.
    pub(crate) streams: bool,
    /// A call of our own that may stay open for ever.
    pub(crate) background: bool,
    /// The server has asked, and the client is yet to come back: whatever the server says now is about another call.
    pub(crate) parked: bool,
    events: Giver,
    answer: Option<oneshot::Sender<Result<String, Failure>>>,
}

/// What comes for a call before its answer.
#[derive(Debug)]
pub(crate) enum Event {
    /// To be passed on.
    Message(String),
    /// A request of the server, to be answered by the client of this call.
    Ask {
        id: Box<str>,
        method: Box<str>,
        params: Option<String>,
    },
    /// The server ended a subscription.
    Over,
}

/// What the server sends on its own account.
pub(crate) struct Incoming<'a> {
    pub(crate) text: &'a str,
    pub(crate) method: &'a str,
    /// The lexeme; none for a notification.
    pub(crate) id: Option<&'a str>,
    /// The upstream id of the call on whose stream it came, where the carrier knows it.
    pub(crate) about: Option<Box<str>>,
}

/// Decides where messages go that are no answers. It is called by the one task that reads, and must not block.
pub(crate) trait Inbound: Send + Sync {
    fn request(&self, peer: &Peer, incoming: Incoming<'_>);
    fn notification(&self, peer: &Peer, incoming: Incoming<'_>);
    fn ended(&self) {}
}

/// How a call is made.
#[derive(Debug, Default)]
pub(crate) struct CallFacts {
    /// The client's id (lexeme), where a second call with the same id must be refused (CHECKLIST A-158).
    pub(crate) client_id: Option<Box<str>>,
    pub(crate) severity: Option<u8>,
    pub(crate) streams: bool,
    /// The server is told when nobody waits any more.
    pub(crate) cancels: bool,
    /// A call of our own that may stay open for ever: it does not keep the conversation busy.
    pub(crate) background: bool,
}

/// Why a call was not made.
#[derive(Debug)]
pub(crate) enum NotCalled {
    /// A call with this id is in flight.
    Duplicate,
    Failed(Failure),
}

impl Peer {
    /// Starts to read what the server says.
    pub(crate) fn start(wire: Wire, inbound: Arc<dyn Inbound>, rng: &dyn Rng) -> Self {
        let mut prefix = [0; 8];
        rng.fill(&mut prefix);
        let peer = Self {
            shared: Arc::new(Shared {
                link: wire.link,
                strange: wire.strange,
                prefix: u64::from_ne_bytes(prefix),
                count: AtomicU64::new(0),
                state: Mutex::new(State {
                    waiting: HashMap::new(),
                    failure: None,
                    used: Instant::now(),
                }),
                ended: CancellationToken::new(),
            }),
        };
        tokio::spawn(pump(Arc::downgrade(&peer.shared), wire.inbox, inbound));
        peer
    }

    /// Sends the client's request under an id of ours.
    pub(crate) async fn call(
        &self,
        request: Message<'_>,
        facts: CallFacts,
    ) -> Result<Exchange, NotCalled> {
        let order = self.shared.count.fetch_add(1, Ordering::Relaxed);
        let mut id: Box<str> = format!("{:016x}{order:016x}", self.shared.prefix).into();
        if weakened("a_113") {
            id = request.root.member("id").map_or("", Node::text).into();
        }
        let lexeme = quoted(&id);
        let method = request
            .root
            .member("method")
            .and_then(Node::string)
            .unwrap_or_default();
        let token = request
            .meta("progressToken")
            .map(|token| token.text().into());
        let mut text = request.with_id(&lexeme);
        if let Some(node) = Message::of(&text).meta("progressToken") {
            text = Message::of(&text).with(node, &lexeme);
        }

        let (events, events_of_it) = backlog();
        let (answer, answer_of_it) = oneshot::channel();
        let client = facts.client_id.as_deref().map(id_key);
        {
            let mut state = self.shared.state.lock();
            if let Some(failure) = &state.failure {
                return Err(NotCalled::Failed(failure.clone()));
            }
            let duplicate =
                client.is_some() && state.waiting.values().any(|other| other.client == client);
            if duplicate && !weakened("a_158") {
                return Err(NotCalled::Duplicate);
            }
            state.used = Instant::now();
            let waiting = Waiting {
                order,
                method: (&*method).into(),
                client,
                token,
                severity: facts.severity,
                streams: facts.streams,
                background: facts.background,
                parked: false,
                events,
                answer: Some(answer),
            };
            state.waiting.insert(id.clone(), waiting);
        }
        let ticket = Ticket {
            id,
            peer: self.clone(),
            cancels: facts.cancels,
        };
        if let Err(failure) = self.shared.link.send(Outgoing { text }).await {
            return Err(NotCalled::Failed(self.reason(failure).await));
        }
        Ok(Exchange {
            events: events_of_it,
            answer: answer_of_it,
            ticket,
        })
    }

    /// Why it takes no more messages: the reason of its end is known a moment after its pipe broke.
    async fn reason(&self, told: Failure) -> Failure {
        if told == Failure::Closed {
            drop(tokio::time::timeout(END_IS_KNOWN, self.shared.ended.cancelled()).await);
        }
        self.failure().unwrap_or(told)
    }

    /// The answer to the first request of a conversation, for which somebody waits until then.
    pub(crate) async fn first_answer(
        &self,
        request: Message<'_>,
        deadline: Instant,
    ) -> Result<String, Failure> {
        let answer = async {
            match self.call(request, CallFacts::default()).await {
                Ok(exchange) => exchange.only_answer().await,
                Err(NotCalled::Failed(failure)) => Err(failure),
                Err(NotCalled::Duplicate) => Err(Failure::Closed),
            }
        };
        match timeout_at(deadline, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(self.shared.link.given_up()),
        }
    }

    /// Sends a message that needs no answer.
    pub(crate) async fn send(&self, text: String) -> Result<(), Failure> {
        self.shared.state.lock().used = Instant::now();
        self.shared.link.send(Outgoing { text }).await
    }

    /// Sends without waiting: for answers and notices of our own.
    pub(crate) fn tell(&self, text: String) {
        if !self.shared.link.try_send(Outgoing { text }) {
            tracing::debug!("the server is too slow or gone; a message of the gateway was dropped");
        }
    }

    /// Refuses a request of the server.
    pub(crate) fn decline(&self, id: &str, why: &'static str) {
        self.tell(
            RpcError::new(RpcError::METHOD_NOT_FOUND, why)
                .with_id(Some(id))
                .to_json(),
        );
    }

    /// Gives an event to a call in flight.
    pub(crate) fn deliver(&self, id: &str, event: Event) -> Taken {
        let state = self.shared.state.lock();
        let waiting = state.waiting.get(id);
        waiting.map_or(Taken::Gone, |waiting| waiting.events.give(event))
    }

    /// Names in the log what the server sent and nobody gets.
    pub(crate) fn tell_strange(&self, sent: &str, why: &dyn Display) {
        self.shared.strange.tell(sent.as_bytes(), why);
    }

    /// Whether this call is in flight and fits.
    pub(crate) fn is(&self, id: &str, fits: impl Fn(&Waiting) -> bool) -> bool {
        self.shared.state.lock().waiting.get(id).is_some_and(fits)
    }

    /// The oldest call in flight that fits.
    pub(crate) fn oldest(&self, fits: impl Fn(&Waiting) -> bool) -> Option<Box<str>> {
        let state = self.shared.state.lock();
        let oldest = state.waiting.iter().filter(|(_, waiting)| fits(waiting));
        oldest
            .min_by_key(|(_, waiting)| waiting.order)
            .map(|(id, _)| id.clone())
    }

    /// The call in flight that fits, if it is the only one of its kind.
    pub(crate) fn only(
        &self,
        kind: impl Fn(&Waiting) -> bool,
        fits: impl Fn(&Waiting) -> bool,
    ) -> Option<Box<str>> {
        let state = self.shared.state.lock();
        let mut of_kind = state.waiting.iter().filter(|(_, waiting)| kind(waiting));
        match (of_kind.next(), of_kind.next()) {
            (Some((id, waiting)), None) if fits(waiting) => Some(id.clone()),
            _ => None,
        }
    }

    /// The upstream id of the client's call with this id (lexeme).
    pub(crate) fn called(&self, client_id: &str) -> Option<Box<str>> {
        let key = id_key(client_id);
        self.oldest(|waiting| waiting.client.as_ref() == Some(&key))
    }

    /// Ends a call whose client no longer wants an answer, and tells the server.
    pub(crate) fn cancel(&self, id: &str, reason: Option<&str>) {
        let waiting = self.shared.state.lock().waiting.remove(id);
        let Some(waiting) = waiting else { return };
        let reason = reason
            .map(|reason| format!(r#","reason":{reason}"#))
            .unwrap_or_default();
        let params = format!(r#"{{"requestId":{}{reason}}}"#, quoted(id));
        self.tell(message::notification(CANCELLED, Some(&params)));
        if let Some(answer) = waiting.answer {
            let error = RpcError::new(
                RpcError::INVALID_REQUEST,
                "The request was cancelled by its client.",
            );
            let _ = answer.send(Ok(error.to_json()));
        }
    }

    /// The client waits under another progress token now (lexeme).
    pub(crate) fn retoken(&self, id: &str, token: Option<Box<str>>) {
        if let (Some(waiting), Some(token)) = (self.shared.state.lock().waiting.get_mut(id), token)
        {
            waiting.token = Some(token);
        }
    }

    /// Whether a call waits for its client.
    pub(crate) fn park(&self, id: &str, parked: bool) {
        if let Some(waiting) = self.shared.state.lock().waiting.get_mut(id) {
            waiting.parked = parked;
        }
    }

    /// Calls in flight.
    pub(crate) fn busy(&self) -> bool {
        self.shared
            .state
            .lock()
            .waiting
            .values()
            .any(|waiting| !waiting.background)
    }

    /// When something was last sent to it.
    pub(crate) fn used(&self) -> Instant {
        self.shared.state.lock().used
    }

    /// Why it ended; `None` while it lives.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.shared.state.lock().failure.clone()
    }

    /// Resolves when it has ended.
    pub(crate) fn ended(&self) -> CancellationToken {
        self.shared.ended.clone()
    }

    /// Ends it with the carrier's grace. Some servers first finish what they work on, a subscription for one, which never
    /// ends by itself: they are told that nobody waits for it.
    pub(crate) async fn close(&self) {
        let unfinished: Vec<_> = {
            let state = self.shared.state.lock();
            let waiting = state.waiting.iter();
            // The handshake can't be cancelled.
            waiting
                .filter(|(_, waiting)| &*waiting.method != "initialize")
                .map(|(id, _)| id.clone())
                .collect()
        };
        for id in unfinished {
            self.tell_cancelled(&id, "the conversation ends");
        }
        self.shared.fail(Failure::Closed);
        self.shared.link.close().await;
    }
}

pub(crate) const CANCELLED: &str = "notifications/cancelled";

/// An end takes the grace of a child, two seconds, until its reason is known.
const END_IS_KNOWN: std::time::Duration = std::time::Duration::from_secs(5);

#[cfg(test)]
mod tests;
