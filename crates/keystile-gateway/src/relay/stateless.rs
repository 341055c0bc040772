//! Clients of 2026-07-28: no sessions; one conversation with the server per person and client.

mod call;
mod inbound;
mod mirrors;

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::{HeaderMap, Response};
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
    peer::Peer,
    serve::{Admitted, Inner},
    stateless_bridge::{Bridged, Served},
    upkeep::Slot,
};
use crate::{
    era::{
        json::{Node, quoted},
        message::Message,
        meta, param_headers,
        stateless_to_legacy::Elicitation,
        subscriptions::LISTEN,
    },
    handles::{Handles, Whose},
    refusal::{Code, Refusal},
};
pub(crate) use call::Call;
use inbound::FromStateless;
pub(crate) use inbound::{Routed, ignore_request, log_reader, route};
use mirrors::Mirrors;

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
    mirrors: Arc<Mirrors>,
    /// Until it has to make room.
    pub(crate) slot: Mutex<Option<Slot>>,
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
    headers: &HeaderMap,
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
    Ok(Admitted::Stateless(accepts, param_headers::sent(headers)))
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
        sent: HeaderMap,
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
            Err(failure) => {
                let refusal = Refusal::from(&failure).asked_by(caller);
                return self.refused(refusal, Some(id));
            }
        };
        let (text, handles) = match &child.tongue {
            // Its own to judge: what the bridge hands out is nobody else's.
            Tongue::Bridged(_) => (envelope.text().to_owned(), None),
            Tongue::Same(_) => match self.handles(caller, envelope) {
                Ok((text, handles)) => (text, Some(handles)),
                Err(refusal) => return self.refused(refusal, Some(id)),
            },
        };
        let call = Call {
            inner: Arc::clone(self),
            caller: caller.clone(),
            method: method.into(),
            text,
            handles,
            id: id.into(),
            severity: message
                .meta(meta::LOG_LEVEL)
                .and_then(Node::string)
                .and_then(|level| meta::severity(&level)),
            elicitation,
            streams: accepts.events,
            mirrors: Arc::clone(&child.mirrors),
        };
        // A subscription lasts as long as its token.
        let limit = (method != LISTEN).then_some(self.limits.call());
        self.run(caller, id, accepts, limit, |out| async move {
            let translated = matches!(child.tongue, Tongue::Bridged(_));
            let agree = child.mirrors.check(&call, &sent, child.peer(), translated);
            if let Err(error) = agree.await {
                let refusal = Refusal::rpc(Code::HeaderMismatch, error);
                return out.refuse(refusal.with_id(Some(&call.id))).await;
            }
            match &child.tongue {
                Tongue::Same(peer) if &*call.method == LISTEN => call.listen(peer, out).await,
                Tongue::Same(peer) => call.forward(peer, out).await,
                Tongue::Bridged(bridge) => match bridge.request(&call, &out).await {
                    Served::Answered => {}
                    Served::Forgotten => call.again(&child, &out).await,
                },
            }
        })
        .await
    }

    /// The request with what its client brings back opened.
    fn handles(
        &self,
        caller: &Caller,
        envelope: &Envelope<'_>,
    ) -> Result<(String, Handles), Refusal> {
        let (whose, ports) = (Whose::Caller(caller.clone()), Arc::new(self.ports.clone()));
        let body = envelope.text().to_owned().into();
        let handles = Handles::open(whose, ports, envelope, body)?;
        let text = String::from_utf8_lossy(handles.request()).into_owned();
        Ok((text, handles))
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
                    mirrors: Arc::default(),
                    slot: Mutex::new(Some(slot)),
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

    /// Has the caller's next request begin another conversation; who has a call in this one keeps it.
    fn replace(&self, lost: &Arc<Child>) {
        let is_lost = |cell: &OnceCell<_>| cell.get().is_some_and(|it| Arc::ptr_eq(it, lost));
        self.children.lock().retain(|_, cell| !is_lost(cell));
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

impl Call {
    /// Once more, in a new session: the server has forgotten that of `lost`, and did nothing (2025-11-25, "Session
    /// Management").
    async fn again(&self, lost: &Arc<Child>, out: &Out) {
        let inner = &self.inner;
        inner.replace(lost);
        let limit = inner.limits.first_answer;
        let failure = match inner.child(&self.caller, self.elicitation, limit).await {
            Err(failure) => failure,
            Ok(child) => match &child.tongue {
                Tongue::Same(_) => Failure::Forgotten,
                Tongue::Bridged(bridge) => match bridge.request(self, out).await {
                    Served::Answered => return,
                    Served::Forgotten => Failure::Forgotten,
                },
            },
        };
        self.failed(&failure, out).await;
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

/// For what failed to be named, beyond the time that it had.
const LAST_WORD: Duration = Duration::from_millis(500);
