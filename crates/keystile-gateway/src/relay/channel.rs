//! Clients of 2024-11-05 (HTTP+SSE): everything is said to them on one stream, whose first event names where they post.
//!
//! The stream's id is in an address, and addresses leak: it finds a stream, and opens nothing. Each message that is
//! posted needs a token of its own, for the person and the client whose stream it is (CHECKLIST A-112, R4).

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use http::{Response, StatusCode, request::Parts};
use keystile_protocol::mcp::{Envelope, Kind};
use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    Ports, Relay,
    answer::{Accepts, Out, Piece, empty, event_stream},
    caller::{Caller, Lasts, Owner},
    legacy::{NotOpened, request, second_initialize},
    serve::{Admitted, Inner},
    session::Session,
};
use crate::{
    era::message::Message,
    inspect::{UNKNOWN_METHOD, has_known_method},
    refusal::{Code, Refusal},
};

/// A client's stream, and its session once it has shaken hands.
pub(crate) struct Channel {
    id: Box<str>,
    owner: Owner,
    /// With the token that it lasts as long as: the latest one of the grant that opened it.
    caller: Mutex<Caller>,
    out: Out,
    session: OnceLock<Arc<Session>>,
    /// Calls without an answer yet.
    calls: watch::Sender<usize>,
    /// The server has nothing more to say.
    ended: CancellationToken,
    /// What belongs to no call is said no longer.
    quiet: CancellationToken,
}

impl Relay {
    /// Of a GET; `posts_to` is the path of the endpoint that the stream will name.
    ///
    /// # Errors
    /// 406 where no stream is taken, 429 where there are too many.
    pub(crate) fn admit_channel(
        &self,
        caller: &Caller,
        parts: &Parts,
        posts_to: String,
    ) -> Result<Admitted, Refusal> {
        if !Accepts::of(&parts.headers).events {
            let sentence = "Accept must take text/event-stream.";
            return Err(Refusal::new(Code::NotAcceptable, sentence));
        }
        let limits = &self.inner.limits;
        let channels = self.inner.channels.lock();
        let own = channels
            .values()
            .filter(|channel| channel.owner.person == caller.person)
            .count();
        if own >= limits.max_per_person || channels.len() >= limits.max {
            let sentence = "Too many streams are open; close one, or try again in a while.";
            return Err(Refusal::new(Code::TooManyRequests, sentence));
        }
        Ok(Admitted::Opening(posts_to))
    }

    /// The caller's stream that a POST names in its query. One of somebody else is as unknown as none, and a POST that
    /// names none is never taken for one of the only stream that there is (CHECKLIST A-112).
    ///
    /// # Errors
    /// 404.
    pub(crate) fn channel(
        &self,
        caller: &Caller,
        query: Option<&str>,
    ) -> Result<Arc<Channel>, Refusal> {
        let channels = self.inner.channels.lock();
        let named = session_id(query.unwrap_or_default()).and_then(|id| channels.get(id));
        let found = match weakened("a_112") {
            true => named.or_else(|| channels.values().next()),
            false => named.filter(|channel| channel.owner == caller.owner()),
        };
        found.cloned().ok_or_else(|| {
            let sentence = "There is no such session of yours. Open its event stream again.";
            Refusal::new(Code::UnknownSession, sentence)
        })
    }
}

impl Channel {
    /// What there is to refuse of a message before anything is done for it. A client has no use for the status of a
    /// POST, and some end at one: it is to be told on the stream.
    pub(crate) fn admits(&self, message: &Envelope<'_>) -> Result<(), Refusal> {
        let method = message.method();
        let newer = matches!(method, Some("server/discover" | "subscriptions/listen"));
        if newer || (method.is_some() && !has_known_method(message)) {
            return Err(Refusal::new(Code::UnknownMethod, UNKNOWN_METHOD));
        }
        if message.params().meta.protocol_version.is_some() {
            let sentence = "HTTP+SSE carries the revisions before 2026-07-28 only.";
            return Err(Refusal::new(Code::UnsupportedVersion, sentence));
        }
        let begins = (message.kind(), method) == (Kind::Request, Some("initialize"));
        if !begins && self.session.get().is_none() {
            let sentence = "This stream has no session yet: send initialize first.";
            return Err(Refusal::new(Code::NoSessionNamed, sentence));
        }
        Ok(())
    }

    /// Says on the stream why a request was refused.
    pub(crate) async fn tell(&self, refusal: Refusal) -> Response<Body> {
        self.out.refuse(refusal).await;
        empty(StatusCode::ACCEPTED)
    }

    /// A later token for the same grant makes it last longer.
    fn renew(&self, caller: &Caller) {
        let mut latest = self.caller.lock();
        if caller.grant == latest.grant && caller.expires_at > latest.expires_at {
            *latest = caller.clone();
        }
    }

    async fn expired(&self, ports: &Ports) {
        loop {
            let caller = self.caller.lock().clone();
            ports.stream_over(caller.expires_at).await;
            if self.caller.lock().expires_at == caller.expires_at {
                return;
            }
        }
    }

    fn begin(self: &Arc<Self>) -> Running {
        self.calls.send_modify(|calls| *calls += 1);
        Running(Arc::clone(self))
    }

    /// Says what comes until there is nothing more: to the end of its token or of the server, and then until the calls
    /// that were admitted by then are answered (DESIGN §5).
    async fn say(&self, inner: &Inner, pieces: &mut mpsc::Receiver<Piece>, response: &Out) {
        let last_words = async {
            tokio::select! {
                () = self.expired(&inner.ports), if !weakened("a_118") => {}
                () = self.ended.cancelled() => {}
            }
            inner.channels.lock().remove(&self.id);
            self.quiet.cancel();
            let mut calls = self.calls.subscribe();
            // The sender is ours.
            let _ = calls.wait_for(|calls| *calls == 0).await;
        };
        tokio::pin!(last_words);
        let mut open = true;
        loop {
            let piece = tokio::select! {
                piece = pieces.recv() => piece,
                () = &mut last_words, if open => {
                    open = false;
                    pieces.close();
                    continue;
                }
            };
            let text = match piece {
                Some(Piece::Event(text) | Piece::Answer(text, _)) => text,
                Some(Piece::Refused(refusal)) => refusal.tell(&inner.ports),
                // Nothing of the kind is put in.
                Some(Piece::Answers(_) | Piece::Endpoint(_)) => continue,
                None => return,
            };
            if !response.event(text).await {
                return;
            }
        }
    }
}

/// A call that is to be answered.
struct Running(Arc<Channel>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.calls.send_modify(|calls| *calls -= 1);
    }
}

impl Inner {
    pub(super) fn open_channel(
        self: &Arc<Self>,
        caller: &Caller,
        posts_to: &str,
    ) -> Response<Body> {
        let (out, mut pieces) = Out::of(caller);
        let channel = Arc::new(Channel {
            id: self.session_id(),
            owner: caller.owner(),
            caller: Mutex::new(caller.clone()),
            out,
            session: OnceLock::new(),
            calls: watch::Sender::new(0),
            ended: CancellationToken::new(),
            quiet: CancellationToken::new(),
        });
        let endpoint = format!("{posts_to}?{SESSION_ID}={}", channel.id);
        let known = Arc::clone(&channel);
        self.channels.lock().insert(channel.id.clone(), known);
        let (response, sent) = Out::of(caller);
        let (inner, caller) = (Arc::clone(self), caller.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = response.closed() => {}
                _ = inner.ports.over_for(&caller, Lasts::Grant), if !weakened("a_118") => {}
                () = channel.say(&inner, &mut pieces, &response) => {}
            }
            // Its calls end with this.
            drop(pieces);
            inner.close_channel(&channel).await;
        });
        event_stream(Some(Piece::Endpoint(endpoint)), sent, &self.ports)
    }

    /// A message that was admitted: all that comes of a request is said on the stream.
    pub(super) async fn posted(
        self: &Arc<Self>,
        caller: &Caller,
        channel: Arc<Channel>,
        envelope: &Envelope<'_>,
    ) -> Response<Body> {
        channel.renew(caller);
        let text = envelope.text();
        match (envelope.kind(), channel.session.get()) {
            (Kind::Request, _) => {
                let id = envelope.id().map_or("null", |id| id.lexeme).to_owned();
                let (inner, who, out) = (Arc::clone(self), caller.clone(), channel.out.clone());
                let (running, text, call) = (channel.begin(), text.to_owned(), id.clone());
                let limit = Some(self.limits.call());
                self.start(caller, &id, limit, out, async move {
                    let channel = &running.0;
                    match channel.session.get() {
                        Some(session) => {
                            let out = channel.out.clone();
                            request(session, &text, &call, true, out).await;
                        }
                        None => inner.shake_hands(&who, channel, &text, &call).await,
                    }
                });
            }
            (Kind::Notification, Some(session)) => return self.notification(session, text).await,
            (Kind::Response | Kind::Error, Some(session)) => {
                return self.client_answer(session, text).await;
            }
            // Not admitted.
            (_, None) => {}
        }
        empty(StatusCode::ACCEPTED)
    }

    /// The answer to `initialize`, which begins the session.
    async fn shake_hands(
        self: &Arc<Self>,
        caller: &Caller,
        channel: &Arc<Channel>,
        text: &str,
        id: &str,
    ) {
        let out = &channel.out;
        let (session, answer) = match self.open(caller, Message::of(text)).await {
            Ok(opened) => opened,
            Err(NotOpened::Refused(answer)) => {
                let answer = Message::of(&answer).with_id(id);
                return out.answer(answer, StatusCode::OK).await;
            }
            Err(NotOpened::Failed(failure)) => return out.fail(&failure, id).await,
        };
        if channel.session.set(Arc::clone(&session)).is_err() {
            return second_initialize(id, out).await;
        }
        let kept = Arc::clone(&session);
        self.sessions.lock().insert(session.id.clone(), kept);
        if out.is_closed() {
            // Whoever closed it may not have seen the session.
            return self.close_channel(channel).await;
        }
        let answer = Message::of(&answer).with_id(id);
        out.answer(answer, StatusCode::OK).await;
        tokio::spawn(follow(Arc::clone(channel), session));
    }

    async fn close_channel(&self, channel: &Channel) {
        self.channels.lock().remove(&channel.id);
        if let Some(session) = channel.session.get() {
            self.sessions.lock().remove(&session.id);
            session.peer.close().await;
        }
    }
}

/// Passes on what the server says on its own account.
async fn follow(channel: Arc<Channel>, session: Arc<Session>) {
    // The session is nobody else's.
    let Some(attached) = session.inbox.outbox.attach() else {
        return;
    };
    let ended = session.peer.ended();
    tokio::select! {
        () = channel.out.closed() => {}
        () = channel.quiet.cancelled() => {}
        () = ended.cancelled() => channel.ended.cancel(),
        () = attached.pass_to(&channel.out) => {}
    }
}

/// What stands once in a query under the stream's name.
fn session_id(query: &str) -> Option<&str> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut ids = pairs
        .filter(|(name, _)| *name == SESSION_ID)
        .map(|(_, id)| id);
    ids.next().filter(|_| ids.next().is_none())
}

const SESSION_ID: &str = "session_id";
