//! The Streamable HTTP side: which request belongs to which era, and what it gets.

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Response, StatusCode, header, request::Parts};
use keystile_protocol::mcp::{Era, Kind};
use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;
use tokio::{sync::OnceCell, time::Instant};

use super::{
    Connect, Failure,
    answer::{Accepts, Out, empty, respond},
    caller::{Caller, Lasts, Ports},
    channel::Channel,
    eras::{Eras, Known},
    session::Session,
    spare::Spare,
    stateless::{Child, ChildKey, admit_stateless},
    stateless_bridge::Bridged,
    upkeep::{Limits, Slots, upkeep},
};
use crate::{
    era::stateless_to_legacy::Elicitation,
    inspect::{Asked, Content},
    refusal::{Code, Refusal},
};

/// Serves one MCP server to clients of both eras over Streamable HTTP.
pub(crate) struct Relay {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) name: String,
    pub(crate) connect: Box<dyn Connect>,
    pub(crate) ports: Ports,
    pub(crate) limits: Limits,
    pub(crate) eras: Eras,
    pub(crate) spare: Spare,
    pub(crate) slots: Slots,
    /// Of 2025-era clients, by session id.
    pub(crate) sessions: Mutex<HashMap<Box<str>, Arc<Session>>>,
    /// Of clients of 2024-11-05, by the id of their stream.
    pub(crate) channels: Mutex<HashMap<Box<str>, Arc<Channel>>>,
    /// Of stateless clients.
    pub(crate) children: Mutex<HashMap<ChildKey, Arc<OnceCell<Arc<Child>>>>>,
}

impl Relay {
    pub(crate) fn new(
        name: String,
        connect: Box<dyn Connect>,
        ports: Ports,
        limits: Limits,
    ) -> Self {
        let inner = Arc::new(Inner {
            name,
            connect,
            ports,
            limits,
            eras: Eras::default(),
            spare: Spare::default(),
            slots: Slots::default(),
            sessions: Mutex::default(),
            channels: Mutex::default(),
            children: Mutex::default(),
        });
        tokio::spawn(upkeep(Arc::downgrade(&inner)));
        Self { inner }
    }

    /// Looks at a request before anything is done for it.
    ///
    /// # Errors
    /// What it lacks: a session of this caller, a method that its revision has, an answer that the client takes.
    pub(crate) fn admit(
        &self,
        caller: &Caller,
        parts: &Parts,
        asked: &Asked<'_>,
    ) -> Result<Admitted, Refusal> {
        self.inner.admit(caller, parts, asked)
    }

    /// Answers a request that was admitted.
    pub(crate) async fn answer(
        &self,
        caller: &Caller,
        asked: &Asked<'_>,
        admitted: Admitted,
    ) -> Response<Body> {
        self.inner.answer(caller, asked, admitted).await
    }

    /// Admits and answers a request that nobody has looked at yet.
    pub(crate) async fn handle(
        &self,
        caller: &Caller,
        parts: &Parts,
        body: Bytes,
    ) -> Response<Body> {
        let refused = |refusal: Refusal| refusal.respond(&*self.inner.ports.rng);
        let asked = match Asked::read(parts, &body) {
            Ok(asked) => asked,
            Err(refusal) => return refused(refusal),
        };
        match self.admit(caller, parts, &asked) {
            Ok(admitted) => self.answer(caller, &asked, admitted).await,
            Err(refusal) => refused(refusal.with_id(asked.id())),
        }
    }

    /// Holds one conversation to see that the server can be served at all, and learns its eras.
    pub(crate) async fn probe(&self) -> Result<(), Failure> {
        let inner = &self.inner;
        let (now, limit) = (Instant::now(), inner.limits.start_limit);
        // A server that is silent to this may still answer a handshake.
        if inner.is_stateless(now + limit / 2).await? {
            return Ok(());
        }
        let wire = inner.connect.try_out().await?;
        let elicitation = Elicitation::default();
        let shaken = Bridged::start(wire, &inner.ports, elicitation, now + limit).await;
        if let Err(Failure::BadStatus(_)) = shaken {
            // Neither a question nor a handshake: something else answers there, perhaps only for now.
            inner.eras.forget();
        }
        let bridge = shaken?;
        inner.eras.learn_only_legacy();
        bridge.peer.close().await;
        Ok(())
    }

    /// Begins the conversation of the first client, unless there is one already. The one of a probe is not good for it:
    /// a handshake says whom it is for.
    pub(crate) async fn start_spare(&self) -> Result<(), Failure> {
        let inner = &self.inner;
        let unused = inner.sessions.lock().is_empty() && inner.children.lock().is_empty();
        if unused && inner.eras.known().stateless == Some(false) {
            inner.spare.put(inner.connect.connect().await?);
        }
        Ok(())
    }

    /// As [`probe`](Self::probe), and finds out whether the server is spoken to in another way, and whether a stateless one
    /// takes handshakes, too.
    pub(crate) async fn learn(&self) -> Result<(), Failure> {
        let inner = &self.inner;
        if let Err(refused) = self.probe().await {
            let other = inner.connect.fall_back(&refused).await;
            if other != Ok(false) {
                // What answered was no answer to the question.
                inner.eras.forget();
            }
            match other? {
                true => self.probe().await?,
                false => return Err(refused),
            }
        }
        if self.known().stateless == Some(true) {
            inner
                .learn_legacy(Instant::now() + inner.limits.start_limit)
                .await;
        }
        Ok(())
    }

    /// What is known of that so far.
    pub(crate) fn known(&self) -> Known {
        self.inner.eras.known()
    }

    /// Ends every conversation and waits for it.
    pub(crate) async fn shutdown(&self) {
        let mut peers: Vec<_> = self
            .inner
            .sessions
            .lock()
            .drain()
            .map(|(_, session)| session.peer.clone())
            .collect();
        let children = std::mem::take(&mut *self.inner.children.lock());
        peers.extend(
            children
                .values()
                .filter_map(|cell| cell.get())
                .map(|child| child.peer().clone()),
        );
        let closing = peers
            .into_iter()
            .map(|peer| async move { peer.close().await });
        tokio::join!(
            futures_util::future::join_all(closing),
            self.inner.spare.close()
        );
    }
}

impl Inner {
    fn admit(
        &self,
        caller: &Caller,
        parts: &Parts,
        asked: &Asked<'_>,
    ) -> Result<Admitted, Refusal> {
        if let Content::Nothing = asked.content {
            return match parts.method {
                Method::GET => self.admit_stream(caller, parts, asked.era),
                _ => self.admit_end(caller, parts, asked.era),
            };
        }
        let accepts = Accepts::of(&parts.headers);
        if !accepts.json && !accepts.events {
            let sentence = "Accept must take application/json and text/event-stream.";
            return Err(Refusal::new(Code::NotAcceptable, sentence));
        }
        let Some(message) = asked.message() else {
            return self.admit_batch(caller, parts, accepts);
        };
        match (asked.era, message.kind()) {
            (Era::Legacy, _) => self.admit_legacy(caller, parts, message, accepts),
            (Era::Stateless, Kind::Request) => admit_stateless(message, accepts, &parts.headers),
            (Era::Stateless, Kind::Notification) if weakened("n_tr_05") => Ok(Admitted::NotOffered),
            // On HTTP the closed stream is the cancellation; 2026-07-28 defines no other notification.
            (Era::Stateless, _) => Ok(Admitted::Noticed),
        }
    }

    async fn answer(
        self: &Arc<Self>,
        caller: &Caller,
        asked: &Asked<'_>,
        admitted: Admitted,
    ) -> Response<Body> {
        match (admitted, &asked.content) {
            (Admitted::Stateless(accepts, sent), Content::Message(message)) => {
                self.stateless_request(caller, message, accepts, sent).await
            }
            (Admitted::Initialize(accepts), Content::Message(message)) => {
                self.initialize(caller, message, accepts).await
            }
            (Admitted::InSession(session, accepts), Content::Message(message)) => {
                self.in_session(caller, session, message, accepts).await
            }
            (Admitted::InSession(session, accepts), Content::Batch(batch)) => {
                self.batch(caller, session, batch, accepts).await
            }
            (Admitted::Posted(channel), Content::Message(message)) => {
                self.posted(caller, channel, message).await
            }
            (Admitted::Opening(posts_to), _) => self.open_channel(caller, &posts_to),
            (Admitted::Stream(session), _) => self.listen(caller, session),
            (Admitted::End(session), _) => self.end(session),
            (Admitted::Noticed, _) => empty(StatusCode::ACCEPTED),
            (_, _) => not_offered(),
        }
    }

    /// The response to what [`start`](Self::start) runs.
    pub(crate) async fn run<F>(
        self: &Arc<Self>,
        caller: &Caller,
        id: &str,
        accepts: Accepts,
        limit: Option<Duration>,
        call: impl FnOnce(Out) -> F,
    ) -> Response<Body>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (out, pieces) = Out::of(caller);
        self.start(caller, id, limit, out.clone(), call(out));
        respond(pieces, accepts, &self.ports).await
    }

    /// Runs a call in a task of its own, so that whatever happens to it happens to nobody else, and ends it when the
    /// client goes away, the grant is revoked, the process ends or its own limit is reached (CHECKLIST R11, A-118, A-157, N-TR-13).
    pub(crate) fn start(
        self: &Arc<Self>,
        caller: &Caller,
        id: &str,
        limit: Option<Duration>,
        out: Out,
        call: impl Future<Output = ()> + Send + 'static,
    ) {
        let inner = Arc::clone(self);
        let (caller, id) = (caller.clone(), id.to_owned());
        tokio::spawn(async move {
            let lasts = limit.map_or(Lasts::Grant, |limit| Lasts::Until(Instant::now() + limit));
            tokio::select! {
                biased;
                () = out.closed() => {}
                over = inner.ports.over_for(&caller, lasts), if !weakened("a_118") => {
                    if let Some(refusal) = over.refusal() {
                        out.refuse(refusal.with_id(Some(&id))).await;
                    }
                }
                () = call => {}
            }
        });
    }

    /// A refusal as the whole answer.
    pub(crate) fn refused(&self, refusal: Refusal, id: Option<&str>) -> Response<Body> {
        refusal.with_id(id).respond(&*self.ports.rng)
    }
}

/// What is to be done for a request.
pub(crate) enum Admitted {
    /// A request of a stateless client, and those of its headers that mirror parameters.
    Stateless(Accepts, http::HeaderMap),
    /// A session is to begin.
    Initialize(Accepts),
    InSession(Arc<Session>, Accepts),
    /// The session's own stream.
    Stream(Arc<Session>),
    /// The stream of a client of 2024-11-05, which is to post to this path.
    Opening(String),
    /// A message of such a client.
    Posted(Arc<Channel>),
    /// The client says goodbye.
    End(Arc<Session>),
    /// Nothing: the message needs no more than to have come.
    Noticed,
    /// A stream or an end without a session.
    NotOffered,
}

/// MCP 2026-07-28 has neither GET nor DELETE.
fn not_offered() -> Response<Body> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response
        .headers_mut()
        .insert(header::ALLOW, http::HeaderValue::from_static("POST"));
    response
}
