//! Stateless clients in front of a server of 2025-11-25 or earlier. The translation itself is in
//! [`crate::era::stateless_to_legacy`].

mod listeners;

use std::{collections::HashMap, sync::Arc, time::Duration};

use http::StatusCode;
use keystile_domain::ports::Rng;
use keystile_protocol::mcp::RpcError;
use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use listeners::{Listeners, Subscribed};

use super::{
    Failure, Wire,
    answer::Out,
    caller::Ports,
    legacy::not_called,
    peer::{CallFacts, Event, Exchange, Peer, Step},
    stateless::Call,
};
use crate::{
    era::{
        json::{Node, Reshape, quoted},
        message::{self, Message},
        retry,
        stateless_to_legacy::{self as translate, Elicitation},
        subscriptions::{Filter, LISTEN, tagged},
    },
    refusal::{Code, Refusal},
};

/// A conversation that the gateway has initialised itself.
pub(crate) struct Bridged {
    pub(crate) peer: Peer,
    listeners: Arc<Listeners>,
    /// JSON text of the `initialize` result.
    initialized: String,
    /// Calls that wait for their client to come back with input, by `requestState`.
    parked: Mutex<HashMap<Box<str>, Parked>>,
    /// How many subscriptions want each resource.
    uris: Mutex<HashMap<String, usize>>,
    /// The log level the server was last told.
    level: Mutex<Option<String>>,
    rng: Arc<dyn Rng>,
    /// The server does not know it any more; calls go to another one.
    lost: CancellationToken,
}

/// What became of a request.
#[must_use]
pub(crate) enum Served {
    Answered,
    /// The server did nothing for it: it has forgotten the session.
    Forgotten,
}

/// A call of which the server has asked something in the middle.
struct Parked {
    exchange: Exchange,
    /// The server's own request id (lexeme).
    ask: Box<str>,
    /// The JSON text of `inputRequests`.
    requests: String,
    /// Method and params of the original, to know its retry by.
    original: serde_json::Value,
    until: Instant,
}

impl Bridged {
    pub(crate) async fn start(
        wire: Wire,
        ports: &Ports,
        elicitation: Elicitation,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let listeners = Arc::new(Listeners::of(elicitation));
        let peer = Peer::start(wire, Arc::clone(&listeners) as _, &*ports.rng);
        let params = translate::initialize_params(elicitation);
        let initialize = message::request("0", "initialize", Some(&params));
        let answer = peer
            .first_answer(Message::of(&initialize), deadline)
            .await?;
        let result = Message::of(&answer).result().ok_or(Failure::NotMcp)?;
        peer.send(message::notification("notifications/initialized", None))
            .await?;
        Ok(Self {
            listeners,
            initialized: result.text().to_owned(),
            parked: Mutex::default(),
            uris: Mutex::default(),
            level: Mutex::default(),
            rng: Arc::clone(&ports.rng),
            lost: CancellationToken::new(),
            peer,
        })
    }

    pub(crate) fn busy(&self) -> bool {
        self.peer.busy() || !self.listeners.is_empty()
    }

    /// Gives up on clients that never came back.
    pub(crate) fn sweep(&self, now: Instant) {
        let late: Vec<_> = self
            .parked
            .lock()
            .extract_if(|_, parked| parked.until <= now)
            .collect();
        for (_, parked) in late {
            self.peer
                .tell(message::result(&parked.ask, r#"{"action":"cancel"}"#));
        }
    }

    fn server_info(&self) -> Option<&str> {
        Node::root(&self.initialized)
            .member("serverInfo")
            .map(Node::text)
    }

    fn capabilities(&self) -> Option<Node<'_>> {
        Node::root(&self.initialized).member("capabilities")
    }

    pub(crate) async fn request(&self, call: &Call, out: &Out) -> Served {
        match &*call.method {
            "server/discover" => {
                let result = translate::discover_result(Node::root(&self.initialized));
                call.answer(&message::result("0", &result), out).await;
            }
            LISTEN => self.listen(call, out).await,
            method if translate::is_bridged(method) => {
                if let Err(failure) = self.forward(call, out).await {
                    if failure == Failure::Forgotten {
                        self.lost.cancel();
                        return Served::Forgotten;
                    }
                    call.failed(&failure, out).await;
                }
            }
            _ => {
                let why = "The server behind this gateway speaks an older revision, which lacks this method.";
                let error = RpcError::new(RpcError::METHOD_NOT_FOUND, why);
                call.refuse(error, StatusCode::NOT_FOUND, out).await;
            }
        }
        Served::Answered
    }

    async fn forward(&self, call: &Call, out: &Out) -> Result<(), Failure> {
        let message = Message::of(&call.text);
        let state = message
            .params()
            .and_then(|params| params.member("requestState"));
        let mut exchange = match state {
            Some(state) => match self.resume(call, state) {
                Resumed::Going(exchange) => *exchange,
                Resumed::StillAsking(result) => {
                    call.answer(&message::result("0", &result), out).await;
                    return Ok(());
                }
                Resumed::Unknown => {
                    let sentence = "This requestState is unknown, was used, has expired, or belongs to another request.";
                    let refusal = Refusal::new(Code::UnknownRequestState, sentence);
                    out.refuse(refusal.with_id(Some(&call.id))).await;
                    return Ok(());
                }
            },
            None => {
                self.set_level(call).await;
                let text = translate::request(message);
                match self.peer.call(Message::of(&text), call.facts()).await {
                    Ok(exchange) => exchange,
                    Err(why) => {
                        not_called(why, &call.id, out).await;
                        return Ok(());
                    }
                }
            }
        };
        loop {
            match exchange.next().await {
                Step::Event(Event::Message(text)) => {
                    out.event(text).await;
                }
                Step::Event(Event::Ask { id, method, params }) => {
                    let result = self.park(call, exchange, id, &method, params.as_deref());
                    call.answer(&message::result("0", &result), out).await;
                    return Ok(());
                }
                Step::Event(Event::Over) => {}
                Step::Answer(answer) => {
                    self.answer(call, &answer?, out).await;
                    return Ok(());
                }
            }
        }
    }

    async fn answer(&self, call: &Call, text: &str, out: &Out) {
        let message = Message::of(text);
        if translate::may_ask(&call.method)
            && let Some(urls) = translate::required_urls(message)
        {
            if call.elicitation.url {
                let result = translate::input_required(&urls, None, self.server_info());
                return call.answer(&message::result("0", &result), out).await;
            }
            let error = RpcError::new(
                RpcError::MISSING_CAPABILITY,
                "The server wants the user to visit a URL first, and the client did not declare that it can.",
            )
            .with_data(r#"{"requiredCapabilities":{"elicitation":{"url":{}}}}"#);
            return call.refuse(error, StatusCode::BAD_REQUEST, out).await;
        }
        call.answer(
            &translate::answer(&call.method, message, self.server_info()),
            out,
        )
        .await;
    }

    /// A stateless client says with each request what it wants to hear; this server must be told.
    async fn set_level(&self, call: &Call) {
        let level = Message::of(&call.text)
            .meta(crate::era::meta::LOG_LEVEL)
            .and_then(Node::string);
        let able = self
            .capabilities()
            .is_some_and(|node| node.member("logging").is_some());
        let Some(level) = level.filter(|_| able && call.severity.is_some()) else {
            return;
        };
        let changed = self.level.lock().replace(level.to_string()).as_deref() != Some(&*level);
        if changed {
            let params = Reshape::of(None).set("level", quoted(&level)).finish();
            self.call_and_forget("logging/setLevel", &params).await;
        }
    }

    async fn call_and_forget(&self, method: &str, params: &str) {
        let text = message::request("0", method, Some(params));
        let _ = self
            .peer
            .call(Message::of(&text), CallFacts::default())
            .await;
    }

    /// Ends the client's request with what the server asked; the server's call stays open until the client is back.
    ///
    /// `requestState` is a handle of 128 random bits and nothing else; it lives in this conversation, which belongs to
    /// one person and client, works once, and for a while (CHECKLIST N-RS-17).
    fn park(
        &self,
        call: &Call,
        exchange: Exchange,
        ask: Box<str>,
        method: &str,
        params: Option<&str>,
    ) -> String {
        let mut bytes = [0; 16];
        self.rng.fill(&mut bytes);
        let state = format!("{:032x}", u128::from_ne_bytes(bytes));
        let request = translate::input_request(method, params.map(Node::root));
        let requests = Reshape::of(None).set(ASK, request).finish();
        let result = translate::input_required(&requests, Some(&state), self.server_info());
        self.peer.park(exchange.id(), true);
        let parked = Parked {
            exchange,
            ask,
            requests,
            original: original(call),
            until: Instant::now() + PATIENCE,
        };
        let mut all = self.parked.lock();
        if all.len() >= MAX_PARKED {
            let oldest = all
                .iter()
                .min_by_key(|(_, parked)| parked.until)
                .map(|(state, _)| state.clone());
            if let Some(parked) = oldest.and_then(|state| all.remove(&state)) {
                self.peer
                    .tell(message::result(&parked.ask, r#"{"action":"cancel"}"#));
            }
        }
        all.insert(state.into(), parked);
        result
    }

    fn resume(&self, call: &Call, state: Node<'_>) -> Resumed {
        let Some(state) = state.string() else {
            return Resumed::Unknown;
        };
        let mut all = self.parked.lock();
        let fits = all.get(&*state).is_some_and(|parked| {
            parked.until > Instant::now()
                && (parked.original == original(call) || weakened("n_rs_17"))
        });
        if !fits {
            return Resumed::Unknown;
        }
        let message = Message::of(&call.text);
        let response = message
            .root
            .path(["params", "inputResponses", ASK])
            .filter(|node| node.is_object());
        let Some(response) = response else {
            // "The server SHOULD respond with a new InputRequiredResult requesting the missing information again."
            let requests = all.get(&*state).map_or("{}", |parked| &parked.requests);
            return Resumed::StillAsking(translate::input_required(
                requests,
                Some(&state),
                self.server_info(),
            ));
        };
        let Some(parked) = all.remove(&*state) else {
            return Resumed::Unknown;
        };
        drop(all);
        self.peer.park(parked.exchange.id(), false);
        let response = Reshape::of(Some(response)).drop("resultType").finish();
        self.peer.tell(message::result(&parked.ask, &response));
        let token = message
            .meta("progressToken")
            .map(|token| token.text().into());
        self.peer.retoken(parked.exchange.id(), token);
        Resumed::Going(Box::new(parked.exchange))
    }

    async fn listen(&self, call: &Call, out: &Out) {
        let Some(filter) = Filter::read(Message::of(&call.text)) else {
            return call.no_filter(out).await;
        };
        let mut filter = filter.honoured_by(self.capabilities());
        let mut subscribed = Subscribed {
            bridge: self,
            uris: Vec::new(),
        };
        for uri in std::mem::take(&mut filter.uris) {
            if subscribed.add(&uri).await {
                filter.uris.push(uri);
            }
        }
        let mut listener = self.listeners.join(filter.clone());
        out.event(filter.acknowledgement(&call.id)).await;
        let ended = self.peer.ended();
        loop {
            tokio::select! {
                text = listener.messages.recv() => {
                    let Some(text) = text else { return };
                    out.event(tagged(Message::of(&text), &call.id)).await;
                }
                () = call.inner.ports.stream_over(call.caller.expires_at) => return call.over(out).await,
                () = self.lost.cancelled() => return call.over(out).await,
                () = ended.cancelled() => return call.over(out).await,
            }
        }
    }
}

/// See [`Bridged::resume`].
enum Resumed {
    Going(Box<Exchange>),
    /// The JSON text of the result.
    StillAsking(String),
    Unknown,
}

/// What a retry must repeat.
fn original(call: &Call) -> serde_json::Value {
    retry::original(&call.method, Message::of(&call.text).params())
}

/// The key of the one input request of a round.
const ASK: &str = "ask";
/// How long a call waits for its client to come back.
const PATIENCE: Duration = Duration::from_secs(600);
const MAX_PARKED: usize = 32;
