//! Clients of 2025-03-26 to 2025-11-25: sessions over Streamable HTTP.

use std::sync::Arc;

use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Response, StatusCode, request::Parts};
use keystile_protocol::mcp::{Envelope, Era, Kind, headers};
use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    Failure,
    answer::{Accepts, Out, Piece, empty, event_stream, json},
    caller::{Caller, Lasts},
    legacy_bridge::Bridge,
    outbox::Asker,
    peer::{CANCELLED, CallFacts, Event, NotCalled, Peer, Step},
    serve::{Admitted, Inner},
    session::{Inbox, Session, agreed, answered_id},
};
use crate::{
    era::{json::Node, message::Message},
    refusal::{Code, Refusal},
};

impl Inner {
    /// Of a POST: a session of the caller's, or the beginning of one.
    pub(super) fn admit_legacy(
        &self,
        caller: &Caller,
        parts: &Parts,
        message: &Envelope<'_>,
        accepts: Accepts,
    ) -> Result<Admitted, Refusal> {
        let Some(id) = session_id(&parts.headers) else {
            return match (message.kind(), message.method()) {
                (Kind::Request, Some("initialize")) => Ok(Admitted::Initialize(accepts)),
                _ => Err(no_session_named()),
            };
        };
        let session = self.session(caller, id).ok_or_else(unknown_session)?;
        Ok(Admitted::InSession(session, accepts))
    }

    /// Of a GET.
    pub(super) fn admit_stream(
        &self,
        caller: &Caller,
        parts: &Parts,
        era: Era,
    ) -> Result<Admitted, Refusal> {
        let Some(id) = session_id(&parts.headers).filter(|_| has_sessions(era)) else {
            return Ok(Admitted::NotOffered);
        };
        let session = self.session(caller, id).ok_or_else(unknown_session)?;
        if !Accepts::of(&parts.headers).events {
            let sentence = "Accept must take text/event-stream.";
            return Err(Refusal::new(Code::NotAcceptable, sentence));
        }
        Ok(Admitted::Stream(session))
    }

    /// Of a DELETE.
    pub(super) fn admit_end(
        &self,
        caller: &Caller,
        parts: &Parts,
        era: Era,
    ) -> Result<Admitted, Refusal> {
        let Some(id) = session_id(&parts.headers).filter(|_| has_sessions(era)) else {
            return Ok(Admitted::NotOffered);
        };
        let session = self.session(caller, id).ok_or_else(unknown_session)?;
        Ok(Admitted::End(session))
    }

    pub(super) async fn in_session(
        self: &Arc<Self>,
        caller: &Caller,
        session: Arc<Session>,
        envelope: &Envelope<'_>,
        accepts: Accepts,
    ) -> Response<Body> {
        let text = envelope.text();
        match envelope.kind() {
            Kind::Request => {
                let id = envelope.id().map_or("null", |id| id.lexeme).to_owned();
                let text = text.to_owned();
                let streams = accepts.events;
                let limit = Some(self.limits.call());
                self.run(caller, &id, accepts, limit, |out| {
                    let id = id.clone();
                    async move { request(&session, &text, &id, streams, out).await }
                })
                .await
            }
            Kind::Notification => self.notification(&session, text).await,
            Kind::Response | Kind::Error => self.client_answer(&session, text).await,
        }
    }

    /// The GET stream: what the server sends on its own account. It ends with the token (CHECKLIST R11).
    pub(super) fn listen(
        self: &Arc<Self>,
        caller: &Caller,
        session: Arc<Session>,
    ) -> Response<Body> {
        // Taken before the response begins, so that of two streams exactly one is refused.
        let Some(attached) = session.inbox.outbox.attach() else {
            let sentence = "This session has a stream already.";
            return self.refused(Refusal::new(Code::SecondStream, sentence), None);
        };
        let (out, pieces) = Out::of(caller);
        let (inner, caller) = (Arc::clone(self), caller.clone());
        tokio::spawn(async move {
            let (weak, lasts) = (weakened("a_118"), Lasts::Token(caller.expires_at));
            let ended = session.peer.ended();
            tokio::select! {
                () = out.closed() => {}
                _ = inner.ports.over_for(&caller, lasts), if !weak => {}
                () = ended.cancelled() => {}
                () = attached.pass_to(&out) => {}
            }
        });
        event_stream(None, pieces, &self.ports)
    }

    /// DELETE: the client says goodbye.
    pub(super) fn end(&self, session: Arc<Session>) -> Response<Body> {
        self.sessions.lock().remove(&session.id);
        tokio::spawn(async move { session.peer.close().await });
        empty(StatusCode::NO_CONTENT)
    }

    /// The caller's session with this id. A session of somebody else is as unknown as none (CHECKLIST N-RS-16).
    pub(super) fn session(&self, caller: &Caller, id: &str) -> Option<Arc<Session>> {
        let mut sessions = self.sessions.lock();
        let session = sessions.get(id)?;
        if session.peer.failure().is_some() {
            sessions.remove(id);
            return None;
        }
        let own = session.owner == caller.owner();
        let stolen = !own && !weakened("n_tr_18");
        let renewed = session.caller.lock().issued_at != caller.issued_at && weakened("a_115");
        if stolen || renewed {
            return None;
        }
        *session.caller.lock() = caller.clone();
        Some(Arc::clone(session))
    }

    pub(super) async fn initialize(
        self: &Arc<Self>,
        caller: &Caller,
        envelope: &Envelope<'_>,
        accepts: Accepts,
    ) -> Response<Body> {
        let id = envelope.id().map_or("null", |id| id.lexeme);
        let (session, answer) = match self.open(caller, Message::of(envelope.text())).await {
            Ok(opened) => opened,
            Err(NotOpened::Refused(answer)) => {
                return json(StatusCode::OK, Message::of(&answer).with_id(id));
            }
            Err(NotOpened::Failed(failure)) => {
                let refusal = Refusal::from(&failure).asked_by(caller);
                return self.refused(refusal, Some(id));
            }
        };
        let answer = Message::of(&answer).with_id(id);
        let mut response = if accepts.json {
            json(StatusCode::OK, answer)
        } else {
            event_stream(
                Some(Piece::Answer(answer, StatusCode::OK)),
                Out::of(caller).1,
                &self.ports,
            )
        };
        let value = HeaderValue::from_str(&session.id).expect("a session id is visible ASCII");
        response.headers_mut().insert(headers::SESSION_ID, value);
        self.sessions.lock().insert(session.id.clone(), session);
        response
    }

    /// A conversation for a new session: in the client's own era if the server speaks it, else over a bridge.
    pub(super) async fn open(
        self: &Arc<Self>,
        caller: &Caller,
        initialize: Message<'_>,
    ) -> Result<(Arc<Session>, String), NotOpened> {
        let deadline = Instant::now() + self.limits.first_answer;
        let slot = self.slot(&caller.owner())?;
        let session = |peer, inbox, bridge, answer: &str| {
            Arc::new(Session {
                revision: agreed(answer),
                id: self.session_id(),
                owner: caller.owner(),
                caller: Mutex::new(caller.clone()),
                peer,
                inbox,
                bridge,
                slot: Mutex::new(Some(slot)),
            })
        };
        if self.eras.known().legacy != Some(false) {
            let inbox = Arc::new(Inbox::default());
            match self.handshake(initialize, &inbox, deadline).await {
                Ok((peer, answer)) => {
                    self.eras.learn_legacy(true);
                    return Ok((session(peer, inbox, None, &answer), answer));
                }
                Err(refused) => {
                    let known = self.eras.known();
                    let hopeless = known.legacy == Some(true)
                        || Instant::now() >= deadline
                        || !self.is_stateless(deadline).await.unwrap_or(false);
                    if hopeless {
                        return Err(refused);
                    }
                    self.eras.learn_legacy(false);
                }
            }
        }
        let wire = self.wire().await?;
        let (peer, inbox, bridge, answer) =
            Bridge::open(wire, &self.ports, initialize, deadline).await?;
        Ok((session(peer, inbox, Some(bridge), &answer), answer))
    }

    async fn handshake(
        &self,
        initialize: Message<'_>,
        inbox: &Arc<Inbox>,
        deadline: Instant,
    ) -> Result<(Peer, String), NotOpened> {
        let wire = self.wire().await?;
        let peer = Peer::start(wire, Arc::clone(inbox) as _, &*self.ports.rng);
        let answer = peer.first_answer(initialize, deadline).await?;
        if Message::of(&answer).result().is_none() {
            return Err(NotOpened::Refused(answer));
        }
        Ok((peer, answer))
    }

    /// 192 random bits as visible ASCII (MCP 2025-11-25, "Session Management").
    pub(super) fn session_id(&self) -> Box<str> {
        let mut bytes = [0; 24];
        self.ports.rng.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes).into()
    }
}

/// Why there is no session.
pub(crate) enum NotOpened {
    /// The server answered `initialize` with this error.
    Refused(String),
    Failed(Failure),
}

impl From<Failure> for NotOpened {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

pub(super) async fn request(session: &Session, text: &str, id: &str, streams: bool, out: Out) {
    if let Some(bridge) = &session.bridge {
        return bridge.request(session, text, id, streams, out).await;
    }
    let message = Message::of(text);
    if message
        .root
        .member("method")
        .and_then(Node::string)
        .as_deref()
        == Some("initialize")
    {
        return second_initialize(id, &out).await;
    }
    let facts = CallFacts {
        client_id: Some(id.into()),
        streams,
        cancels: true,
        ..CallFacts::default()
    };
    let mut exchange = match session.peer.call(message, facts).await {
        Ok(exchange) => exchange,
        Err(why) => return not_called(why, id, &out).await,
    };
    loop {
        match exchange.next().await {
            Step::Event(Event::Message(text)) => {
                out.event(text).await;
            }
            Step::Event(Event::Ask { .. } | Event::Over) => {}
            Step::Answer(Ok(text)) => {
                return out
                    .answer(Message::of(&text).with_id(id), StatusCode::OK)
                    .await;
            }
            Step::Answer(Err(failure)) => {
                if failure == Failure::Forgotten {
                    // Its client has to begin another one.
                    session.peer.end();
                }
                return out.fail(&failure, id).await;
            }
        }
    }
}

/// Says why a call was not made.
pub(crate) async fn not_called(why: NotCalled, id: &str, out: &Out) {
    match why {
        NotCalled::Failed(failure) => out.fail(&failure, id).await,
        NotCalled::Duplicate => {
            out.refuse(Refusal::id_in_flight().with_id(Some(id))).await;
        }
    }
}

pub(crate) async fn second_initialize(id: &str, out: &Out) {
    let sentence = "This session is initialized already.";
    let refusal = Refusal::new(Code::SecondInitialize, sentence);
    out.refuse(refusal.with_id(Some(id))).await;
}

impl Inner {
    pub(super) async fn notification(&self, session: &Session, text: &str) -> Response<Body> {
        let message = Message::of(text);
        let method = message
            .root
            .member("method")
            .and_then(Node::string)
            .unwrap_or_default();
        if method == CANCELLED {
            // Under the client's id; the server knows the call by ours.
            let params = message.params();
            let called = params.and_then(|params| params.member("requestId"));
            if let Some(id) = called.and_then(|id| session.peer.called(id.text())) {
                let reason = params
                    .and_then(|params| params.member("reason"))
                    .map(Node::text);
                session.peer.cancel(&id, reason);
            }
            return empty(StatusCode::ACCEPTED);
        }
        if let Some(bridge) = &session.bridge {
            bridge.notification(session, &method).await;
            return empty(StatusCode::ACCEPTED);
        }
        match session.peer.send(text.to_owned()).await {
            Ok(()) => empty(StatusCode::ACCEPTED),
            Err(failure) => self.refused(Refusal::from(&failure), None),
        }
    }

    /// The client's answer to a request of the server. Only one that was asked for passes.
    pub(super) async fn client_answer(&self, session: &Session, text: &str) -> Response<Body> {
        let asker = answered_id(Message::of(text)).and_then(|id| session.inbox.asked.take(id));
        match asker {
            Some(Asker::Server) => match session.peer.send(text.to_owned()).await {
                Ok(()) => empty(StatusCode::ACCEPTED),
                Err(failure) => self.refused(Refusal::from(&failure), None),
            },
            Some(Asker::Bridge(waiting)) => {
                // The call that asked may be over.
                let _ = waiting.send(text.to_owned());
                empty(StatusCode::ACCEPTED)
            }
            None => {
                let sentence = "No request with this id waits for an answer.";
                self.refused(Refusal::new(Code::NotAsked, sentence), None)
            }
        }
    }
}

pub(super) fn no_session_named() -> Refusal {
    let sentence = "Mcp-Session-Id is missing. Send initialize first, or name the revision of a stateless request in _meta.";
    Refusal::new(Code::NoSessionNamed, sentence)
}

/// MCP 2025-11-25, "Session Management".
pub(super) fn unknown_session() -> Refusal {
    let sentence = "There is no such session. Send initialize again.";
    Refusal::new(Code::UnknownSession, sentence)
}

pub(super) fn session_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(headers::SESSION_ID)?.to_str().ok()
}

fn has_sessions(era: Era) -> bool {
    era == Era::Legacy || weakened("n_tr_17")
}
