//! Clients of 2026-07-28: no sessions; one conversation with the server per person and client.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::{Response, StatusCode};
use keystile_protocol::mcp::{Envelope, Revision, RpcError, method};
use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout_at},
};

use super::{
    Failure,
    answer::{Accepts, Out},
    caller::{Caller, Owner},
    legacy::not_called,
    peer::{CANCELLED, CallFacts, Event, Inbound, Incoming, Peer, Step},
    serve::{Admitted, Inner},
    stateless_bridge::Bridged,
    upkeep::Slot,
};
use crate::{
    era::{
        json::{Node, Reshape, quoted},
        message::{self, Message},
        meta,
        stateless_to_legacy::Elicitation,
        subscriptions::{ACKNOWLEDGED, Filter, LISTEN},
    },
    refusal::{Code, Refusal},
};

/// Whose conversation it is, and for a legacy server what it was told about the client: that is fixed by its
/// handshake, while a stateless client says it anew with each request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ChildKey {
    pub(crate) owner: Owner,
    bridged: Option<Elicitation>,
}

/// A conversation of a stateless client.
pub(crate) struct Child {
    /// The caller as last seen; the conversation ends when its grant is revoked.
    pub(crate) caller: Mutex<Caller>,
    tongue: Tongue,
    _slot: Slot,
}

enum Tongue {
    /// The server speaks 2026-07-28 itself.
    Same(Peer),
    Bridged(Arc<Bridged>),
}

impl Child {
    pub(crate) fn peer(&self) -> &Peer {
        match &self.tongue {
            Tongue::Same(peer) => peer,
            Tongue::Bridged(bridge) => &bridge.peer,
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        match &self.tongue {
            Tongue::Same(peer) => !peer.busy(),
            Tongue::Bridged(bridge) => !bridge.busy(),
        }
    }

    pub(crate) fn sweep(&self, now: Instant) {
        if let Tongue::Bridged(bridge) = &self.tongue {
            bridge.sweep(now);
        }
    }
}

/// What 2026-07-28 wants of a request, beyond what its headers and body say of each other.
pub(super) fn admit_stateless(
    message: &Envelope<'_>,
    accepts: Accepts,
) -> Result<Admitted, Refusal> {
    let named = message.params().meta.protocol_version.as_deref();
    if let Some(version) = named.filter(|named| *named != Revision::V2026_07_28.as_str()) {
        return Err(unsupported(version));
    }
    let method = message.method().unwrap_or_default();
    if !exists(method) && !weakened("n_tr_12") {
        // 404, with the error that tells it from a wrong address.
        return Err(Refusal::new(Code::UnknownMethod, "Method not found"));
    }
    if method == LISTEN && !accepts.events {
        let sentence = "Accept must take text/event-stream.";
        return Err(Refusal::new(Code::NotAcceptable, sentence));
    }
    Ok(Admitted::Stateless(accepts))
}

fn unsupported(requested: &str) -> Refusal {
    let supported = quoted(Revision::V2026_07_28.as_str());
    let sentence = "Unsupported protocol version";
    let error = RpcError::new(RpcError::UNSUPPORTED_VERSION, sentence).with_data(format!(
        r#"{{"supported":[{supported}],"requested":{}}}"#,
        quoted(requested)
    ));
    Refusal::rpc(Code::UnsupportedVersion, error)
}

impl Inner {
    pub(crate) async fn stateless_request(
        self: &Arc<Self>,
        caller: &Caller,
        envelope: &Envelope<'_>,
        accepts: Accepts,
    ) -> Response<Body> {
        let id = envelope.id().map_or("null", |id| id.lexeme);
        let method = envelope.method().unwrap_or_default();
        let message = Message::of(envelope.text());
        let elicitation = Elicitation::declared(message);
        let limit = self.limits.first_answer;
        let limit = match method {
            "server/discover" => limit.min(DISCOVER),
            _ => limit,
        };
        let child = match self.child(caller, elicitation, limit).await {
            Ok(child) => child,
            Err(failure) => return self.refused(Refusal::from(&failure), Some(id)),
        };
        let call = Call {
            inner: Arc::clone(self),
            caller: caller.clone(),
            method: method.into(),
            text: envelope.text().to_owned(),
            id: id.into(),
            severity: message
                .meta(meta::LOG_LEVEL)
                .and_then(Node::string)
                .and_then(|level| meta::severity(&level)),
            elicitation,
            streams: accepts.events,
        };
        self.run(caller, id, accepts, |out| async move {
            match &child.tongue {
                Tongue::Same(peer) if &*call.method == LISTEN => call.listen(peer, out).await,
                Tongue::Same(peer) => call.forward(peer, out).await,
                Tongue::Bridged(bridge) => bridge.request(&call, out).await,
            }
        })
        .await
    }

    /// The caller's conversation with the server; made on first use and again after it died.
    async fn child(
        self: &Arc<Self>,
        caller: &Caller,
        elicitation: Elicitation,
        limit: Duration,
    ) -> Result<Arc<Child>, Failure> {
        let now = Instant::now();
        let deadline = now + limit;
        // A server that is silent to this may still answer a handshake.
        let same = self.is_stateless(now + limit / 2).await?;
        let key = ChildKey {
            owner: caller.owner(),
            bridged: (!same).then_some(elicitation),
        };
        loop {
            let cell = Arc::clone(self.children.lock().entry(key.clone()).or_default());
            if cell
                .get()
                .is_some_and(|child| child.peer().failure().is_some())
            {
                self.forget(&key, &cell);
                continue;
            }
            let made = cell.get_or_try_init(|| async {
                let slot = self.slot(&key.owner)?;
                let wire = self.wire().await?;
                let tongue = if same {
                    let inbound = Arc::new(FromStateless);
                    Tongue::Same(Peer::start(wire, inbound, &*self.ports.rng))
                } else {
                    let bridge = Bridged::start(wire, &self.ports, elicitation, deadline).await?;
                    self.eras.learn_only_legacy();
                    Tongue::Bridged(Arc::new(bridge))
                };
                Ok(Arc::new(Child {
                    caller: Mutex::new(caller.clone()),
                    tongue,
                    _slot: slot,
                }))
            });
            // Somebody else may be making it. Whoever does knows best why it came to nothing, and gets a moment to say so.
            return match timeout_at(deadline + LAST_WORD, made).await {
                Ok(Ok(child)) => {
                    *child.caller.lock() = caller.clone();
                    Ok(Arc::clone(child))
                }
                Err(_) => Err(Failure::HandshakeTimeout),
                Ok(Err(failure)) => {
                    self.forget(&key, &cell);
                    Err(failure)
                }
            };
        }
    }

    fn forget(&self, key: &ChildKey, cell: &Arc<OnceCell<Arc<Child>>>) {
        let mut children = self.children.lock();
        if children
            .get(key)
            .is_some_and(|current| Arc::ptr_eq(current, cell))
        {
            children.remove(key);
        }
    }
}

/// One request of a stateless client.
pub(crate) struct Call {
    pub(crate) inner: Arc<Inner>,
    pub(crate) caller: Caller,
    pub(crate) method: Box<str>,
    pub(crate) text: String,
    /// The lexeme.
    pub(crate) id: Box<str>,
    pub(crate) severity: Option<u8>,
    pub(crate) elicitation: Elicitation,
    pub(crate) streams: bool,
}

impl Call {
    pub(crate) fn facts(&self) -> CallFacts {
        CallFacts {
            // Two programs of one person may share a client id and count from 1 both: ids need not differ.
            client_id: None,
            severity: self.severity,
            streams: self.streams,
            cancels: true,
            background: false,
        }
    }

    pub(crate) async fn answer(&self, text: &str, out: &Out) {
        let message = Message::of(text);
        out.answer(message.with_id(&self.id), status(message)).await;
    }

    pub(crate) async fn failed(&self, failure: &Failure, out: &Out) {
        out.fail(failure, &self.id).await;
    }

    pub(crate) async fn refuse(&self, code: i32, why: &'static str, out: &Out) {
        self.answer(&RpcError::new(code, why).to_json(), out).await;
    }

    async fn forward(&self, peer: &Peer, out: Out) {
        let mut exchange = match peer.call(Message::of(&self.text), self.facts()).await {
            Ok(exchange) => exchange,
            Err(why) => return not_called(why, &self.id, &out).await,
        };
        loop {
            match exchange.next().await {
                Step::Event(Event::Message(text)) => {
                    out.event(text).await;
                }
                Step::Event(Event::Ask { .. } | Event::Over) => {}
                Step::Answer(Ok(text)) => return self.answer(&text, &out).await,
                Step::Answer(Err(failure)) => return self.failed(&failure, &out).await,
            }
        }
    }

    /// A subscription: acknowledged first, only what was asked for, under the client's own id, and no longer than
    /// the token lives (CHECKLIST N-TR-15, R11).
    async fn listen(&self, peer: &Peer, out: Out) {
        let Some(filter) = Filter::read(Message::of(&self.text)) else {
            return self.no_filter(&out).await;
        };
        let mut exchange = match peer.call(Message::of(&self.text), self.facts()).await {
            Ok(exchange) => exchange,
            Err(why) => return not_called(why, &self.id, &out).await,
        };
        let mut acknowledged = false;
        loop {
            let step = tokio::select! {
                step = exchange.next() => step,
                () = self.inner.ports.expired(&self.caller) => return self.over(&out).await,
            };
            match step {
                Step::Event(Event::Message(text)) => {
                    let message = Message::of(&text);
                    let method = message
                        .root
                        .member("method")
                        .and_then(Node::string)
                        .unwrap_or_default();
                    let is_acknowledgement = method == ACKNOWLEDGED;
                    let wanted =
                        is_acknowledgement || (acknowledged && filter.wants(&method, message));
                    acknowledged |= is_acknowledgement;
                    if let Some(tag) = message.meta(meta::SUBSCRIPTION_ID)
                        && (wanted || weakened("n_tr_15"))
                    {
                        out.event(message.with(tag, &self.id)).await;
                    }
                }
                Step::Event(Event::Over) => return self.over(&out).await,
                Step::Event(Event::Ask { .. }) => {}
                Step::Answer(Ok(text)) if Message::of(&text).result().is_some() => {
                    return self.over(&out).await;
                }
                Step::Answer(Ok(text)) => return self.answer(&text, &out).await,
                Step::Answer(Err(failure)) => return self.failed(&failure, &out).await,
            }
        }
    }

    pub(crate) async fn no_filter(&self, out: &Out) {
        let error = RpcError::new(
            RpcError::INVALID_PARAMS,
            "params.notifications is missing or malformed.",
        );
        out.answer(error.with_id(Some(&self.id)).to_json(), StatusCode::OK)
            .await;
    }

    /// `SubscriptionsListenResult`: the subscription has ended in an orderly way.
    pub(crate) async fn over(&self, out: &Out) {
        let meta = Reshape::of(None)
            .set(meta::SUBSCRIPTION_ID, &*self.id)
            .finish();
        let result = Reshape::of(None)
            .set("resultType", "\"complete\"")
            .set("_meta", meta)
            .finish();
        out.answer(message::result(&self.id, &result), StatusCode::OK)
            .await;
    }
}

/// Clients that try which era we speak (rmcp for one) give up on this after 10 s, and would not read why.
const DISCOVER: Duration = Duration::from_secs(9);

/// Methods that 2026-07-28 took away are unknown to it.
fn exists(name: &str) -> bool {
    let removed = matches!(
        name,
        "initialize"
            | "ping"
            | "logging/setLevel"
            | "resources/subscribe"
            | "resources/unsubscribe"
            | "tasks/list"
            | "tasks/result"
    );
    method::is_request(name) && !removed
}

/// The status that 2026-07-28 gives an answer that is one JSON object.
fn status(message: Message<'_>) -> StatusCode {
    let code = message
        .error_code()
        .and_then(|code| i32::try_from(code).ok());
    match code {
        Some(RpcError::METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
        Some(
            RpcError::HEADER_MISMATCH
            | RpcError::MISSING_CAPABILITY
            | RpcError::UNSUPPORTED_VERSION,
        ) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}

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
            .is_some_and(|id| peer.deliver(&id, Event::Message(text())));
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
            let over = id.is_some_and(|id| peer.deliver(&id, Event::Over));
            return if over {
                Routed::Somewhere
            } else {
                Routed::Nowhere
            };
        }
        // Only for a call that asked for log messages; with one in flight it is clear which.
        "notifications/message" => incoming.about.or_else(|| log_reader(peer, message)),
        _ => incoming.about,
    };
    match call {
        Some(id) if peer.deliver(&id, Event::Message(text())) => Routed::Somewhere,
        _ => Routed::Nowhere,
    }
}

/// The one call in flight, if it asked for log messages as severe as this.
pub(crate) fn log_reader(peer: &Peer, message: Message<'_>) -> Option<Box<str>> {
    let level = message.params()?.member("level")?.string()?;
    let severity = meta::severity(&level)?;
    peer.only(
        |waiting| &*waiting.method != LISTEN,
        |waiting| waiting.severity.is_some_and(|wanted| severity >= wanted),
    )
}

pub(crate) fn ignore_request(method: &str) {
    tracing::warn!(method, "a 2026-07-28 server sent a request; it was dropped");
}

/// A 2026-07-28 server sends no requests (CHECKLIST N-TR-14).
struct FromStateless;

impl Inbound for FromStateless {
    fn request(&self, peer: &Peer, incoming: Incoming<'_>) {
        ignore_request(incoming.method);
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

/// For what failed to be named, beyond the time that it had.
const LAST_WORD: Duration = Duration::from_millis(500);
