//! A 2025-era session in front of a 2026-07-28 server. The translation itself is in
//! [`crate::era::legacy_to_stateless`].

mod inbound;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use keystile_protocol::mcp::RpcError;
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use inbound::{FromStateless, Level};

use super::{
    Failure, Wire,
    answer::Out,
    caller::Ports,
    eras::discover,
    legacy::{not_called, second_initialize},
    outbox::Asker,
    peer::{CallFacts, Event, Exchange, Peer, Step},
    session::{Inbox, Session},
};
use crate::era::{
    json::{Node, Reshape, quoted},
    legacy_to_stateless::{self as translate, Answer, ClientFacts},
    message::{self, Message},
    meta,
    subscriptions::{ACKNOWLEDGED, Filter, LISTEN, untagged},
};
use crate::refusal::{Code, Refusal};

/// What a session needs beside its conversation.
pub(crate) struct Bridge {
    facts: Mutex<ClientFacts>,
    /// Log messages of this severity and above are for the client.
    level: Level,
    /// JSON text.
    capabilities: String,
    /// What the gateway listens to: a URI, or "" for the lists.
    listening: Mutex<HashMap<String, AbortOnDropHandle<()>>>,
    asked: AtomicU64,
}

impl Bridge {
    /// A conversation, and the answer to the client's `initialize`.
    pub(crate) async fn open(
        wire: Wire,
        ports: &Ports,
        initialize: Message<'_>,
        deadline: Instant,
    ) -> Result<(Peer, Arc<Inbox>, Self, String), Failure> {
        let facts = ClientFacts::read(initialize);
        let inbox = Arc::new(Inbox::default());
        let level = Level::default();
        let inbound = Arc::new(FromStateless::new(&inbox, &level));
        let peer = Peer::start(wire, inbound, &*ports.rng);
        let discovered = discover(&peer, &facts.meta(None), deadline).await?;
        let result = Message::of(&discovered).result().ok_or(Failure::NotMcp)?;
        let requested = initialize
            .root
            .path(["params", "protocolVersion"])
            .and_then(Node::string);
        let answer = translate::initialize_result(requested.as_deref(), result);
        let bridge = Self {
            facts: Mutex::new(facts),
            capabilities: result
                .member("capabilities")
                .map_or("{}", Node::text)
                .to_owned(),
            level,
            listening: Mutex::default(),
            asked: AtomicU64::default(),
        };
        Ok((peer, inbox, bridge, message::result("0", &answer)))
    }

    pub(crate) async fn request(
        &self,
        session: &Session,
        text: &str,
        id: &str,
        streams: bool,
        out: Out,
    ) {
        let message = Message::of(text);
        let method = message
            .root
            .member("method")
            .and_then(Node::string)
            .unwrap_or_default();
        let member = |key| {
            message
                .params()
                .and_then(|params| params.member(key))
                .and_then(Node::string)
        };
        let done = || out.answer(message::result(id, "{}"), StatusCode::OK);
        match &*method {
            "initialize" => second_initialize(id, &out).await,
            "ping" => done().await,
            "logging/setLevel" => {
                let level = member("level");
                match level.and_then(|level| Some((meta::severity(&level)?, level))) {
                    Some((severity, level)) => {
                        self.level.set(severity);
                        self.facts.lock().log_level = Some(level.into_owned());
                        done().await;
                    }
                    None => {
                        refuse(
                            &out,
                            id,
                            RpcError::INVALID_PARAMS,
                            "There is no such log level.",
                        )
                        .await
                    }
                }
            }
            "resources/subscribe" => match member("uri") {
                Some(uri) => match self.subscribe(session, uri.into_owned()).await {
                    Ok(()) => done().await,
                    Err(why) => refuse(&out, id, RpcError::INVALID_PARAMS, why).await,
                },
                None => refuse(&out, id, RpcError::INVALID_PARAMS, "params.uri is missing.").await,
            },
            "resources/unsubscribe" => {
                if let Some(uri) = member("uri") {
                    self.listening.lock().remove(&*uri);
                }
                done().await;
            }
            task if task.starts_with("tasks/") => {
                let why =
                    "Tasks of 2025-11-25 do not survive the bridge to a server of 2026-07-28.";
                refuse(&out, id, RpcError::METHOD_NOT_FOUND, why).await;
            }
            method => self.forward(session, method, text, id, streams, &out).await,
        }
    }

    pub(crate) async fn notification(&self, session: &Session, method: &str) {
        // The server has no use for the others: it keeps no state between requests.
        if method == "notifications/initialized" {
            let lists = Filter {
                tools: true,
                prompts: true,
                resources: true,
                tasks: Vec::new(),
                uris: Vec::new(),
            };
            let lists = lists.honoured_by(Some(Node::root(&self.capabilities)));
            if !lists.is_empty() {
                let _ = self.follow(session, String::new(), lists).await;
            }
        }
    }

    async fn forward(
        &self,
        session: &Session,
        method: &str,
        text: &str,
        id: &str,
        streams: bool,
        out: &Out,
    ) {
        let (mut text, severity) = {
            let facts = self.facts.lock();
            let severity = facts.log_level.as_deref().and_then(meta::severity);
            (translate::request(Message::of(text), &facts), severity)
        };
        for _ in 0..ROUNDS {
            let facts = CallFacts {
                client_id: Some(id.into()),
                severity,
                streams,
                cancels: true,
                background: false,
            };
            let mut exchange = match session.peer.call(Message::of(&text), facts).await {
                Ok(exchange) => exchange,
                Err(why) => return not_called(why, id, out).await,
            };
            let answer = match pass_events(&mut exchange, out).await {
                Ok(answer) => answer,
                Err(failure) => {
                    return out.fail(&failure, id).await;
                }
            };
            let (requests, state) = match translate::answer(method, Message::of(&answer)) {
                Answer::Complete(answer) => {
                    return out
                        .answer(Message::of(&answer).with_id(id), StatusCode::OK)
                        .await;
                }
                Answer::InputRequired { requests, state } => (requests, state),
                Answer::Unknown => {
                    let why =
                        "The server answered in a way that a client of 2025 cannot understand.";
                    return refuse(out, id, RpcError::INTERNAL_ERROR, why).await;
                }
            };
            let responses = match self.ask(session, &requests, streams, out).await {
                Ok(responses) => responses,
                Err(why) => return refuse(out, id, RpcError::INTERNAL_ERROR, why).await,
            };
            if requests.is_empty() {
                tokio::time::sleep(PACE).await;
            }
            text = translate::retry(Message::of(&text), responses.as_deref(), state.as_deref());
        }
        refuse(
            out,
            id,
            RpcError::INTERNAL_ERROR,
            "The server asked for input too many times.",
        )
        .await;
    }

    /// Has the client answer what the server wants to know; the JSON text of `inputResponses`.
    async fn ask(
        &self,
        session: &Session,
        requests: &[(String, String, Option<String>)],
        streams: bool,
        out: &Out,
    ) -> Result<Option<String>, &'static str> {
        let facts = self.facts.lock().clone();
        let able = |(_, method, params): &(String, String, Option<String>)| {
            facts.can_answer(method, params.as_deref().map(Node::root))
        };
        if !requests.iter().all(able) {
            return Err("The server needs something of the client that it did not declare.");
        }
        let mut waiting = Vec::new();
        for (key, method, params) in requests {
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            let id = quoted(&format!("ks-{}-{number}", session.id));
            let (sender, answer) = oneshot::channel();
            if !session.inbox.asked.insert(&id, Asker::Bridge(sender)) {
                return Err("Too many requests wait for the client.");
            }
            let asked = Awaited {
                inbox: Arc::clone(&session.inbox),
                id,
            };
            let params = translate::asked_params(method, params.as_deref(), &asked.id);
            let request = message::request(&asked.id, method, params.as_deref());
            if streams {
                out.event(request).await;
            } else {
                let dropped = session.inbox.outbox.put(request);
                // Nobody will answer it: it was a bridge that asked.
                drop(dropped.and_then(|id| session.inbox.asked.take(&id)));
            }
            waiting.push((key, asked, answer));
        }
        let mut responses = Reshape::of(None);
        for (key, _asked, answer) in waiting {
            let answer = tokio::time::timeout(HUMAN, answer).await;
            let Ok(Ok(text)) = answer else {
                return Err("The client gave no answer in time.");
            };
            let Some(result) = Message::of(&text).result() else {
                return Err("The client could not answer what the server needs to know.");
            };
            responses = responses.set(key, result.text());
        }
        Ok(responses.finish_unless_empty())
    }

    async fn subscribe(&self, session: &Session, uri: String) -> Result<(), &'static str> {
        if self.listening.lock().len() >= MAX_LISTENING {
            return Err("Too many subscriptions.");
        }
        let filter = Filter {
            uris: vec![uri.clone()],
            ..Filter::default()
        };
        self.follow(session, uri, filter).await
    }

    /// Listens on the client's behalf; resolves once the server has acknowledged.
    async fn follow(
        &self,
        session: &Session,
        key: String,
        filter: Filter,
    ) -> Result<(), &'static str> {
        let params = filter.to_params(&self.facts.lock().meta(None));
        let text = message::request("0", LISTEN, Some(&params));
        let facts = CallFacts {
            cancels: true,
            background: true,
            ..CallFacts::default()
        };
        let Ok(mut exchange) = session.peer.call(Message::of(&text), facts).await else {
            return Err("The server is gone.");
        };
        let (ready, acknowledged) = oneshot::channel();
        let inbox = Arc::clone(&session.inbox);
        let task = tokio::spawn(async move {
            let mut ready = Some(ready);
            while let Step::Event(Event::Message(text)) = exchange.next().await {
                let message = Message::of(&text);
                let method = message
                    .root
                    .member("method")
                    .and_then(Node::string)
                    .unwrap_or_default();
                if method == ACKNOWLEDGED {
                    ready.take().map(|ready| ready.send(()));
                } else if ready.is_none() && filter.wants(&method, message) {
                    inbox.outbox.put(untagged(message));
                }
            }
        });
        let task = AbortOnDropHandle::new(task);
        acknowledged
            .await
            .map_err(|_| "The server does not offer this subscription.")?;
        self.listening.lock().insert(key, task);
        Ok(())
    }
}

async fn pass_events(exchange: &mut Exchange, out: &Out) -> Result<String, Failure> {
    loop {
        match exchange.next().await {
            Step::Event(Event::Message(text)) => {
                out.event(text).await;
            }
            Step::Event(Event::Ask { .. } | Event::Over) => {}
            Step::Answer(answer) => return answer,
        }
    }
}

async fn refuse(out: &Out, id: &str, code: i32, why: &'static str) {
    let word = match code {
        RpcError::INVALID_PARAMS => Code::InvalidParams,
        _ => Code::NotBridged,
    };
    // A client of 2025 reads errors of the protocol in answers, not in a status.
    let refusal = Refusal::rpc(word, RpcError::new(code, why)).with_status(StatusCode::OK);
    out.refuse(refusal.with_id(Some(id))).await;
}

/// Forgets the question when nobody waits for the answer any more.
struct Awaited {
    inbox: Arc<Inbox>,
    id: String,
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.inbox.asked.take(&self.id);
    }
}

/// Rounds of input for one request; the client's own request stays open through all of them.
const ROUNDS: usize = 8;
/// Between two tries where the server asked for nothing.
const PACE: Duration = Duration::from_millis(250);
/// People answer slowly.
const HUMAN: Duration = Duration::from_secs(600);
const MAX_LISTENING: usize = 64;
