//! One request of a stateless client, on its way to a server of its own era.

use std::{borrow::Cow, sync::Arc};

use http::StatusCode;
use keystile_protocol::mcp::RpcError;
use keystile_protocol::mutation::weakened;

use super::mirrors::Mirrors;
use crate::{
    era::{
        json::{Node, Reshape},
        message::{self, Message},
        meta,
        stateless_to_legacy::Elicitation,
        subscriptions::{ACKNOWLEDGED, Filter},
    },
    handles::Handles,
    refusal::{Code, Refusal},
    relay::{
        Caller, Failure,
        answer::Out,
        legacy::not_called,
        peer::{CallFacts, Event, Peer, Step},
        serve::Inner,
    },
};

/// One request of a stateless client.
pub(crate) struct Call {
    pub(crate) inner: Arc<Inner>,
    pub(crate) caller: Caller,
    pub(crate) method: Box<str>,
    pub(crate) text: String,
    /// What the server hands out; none at a bridge.
    pub(super) handles: Option<Handles>,
    /// The lexeme.
    pub(crate) id: Box<str>,
    pub(crate) severity: Option<u8>,
    pub(crate) elicitation: Elicitation,
    pub(crate) streams: bool,
    /// What the tools of this conversation mirror into headers.
    pub(super) mirrors: Arc<Mirrors>,
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
        let text = &*self.sealed(text);
        let message = Message::of(text);
        if &*self.method == "tools/list" {
            self.mirrors.learn(message);
        }
        out.answer(message.with_id(&self.id), status(message)).await;
    }

    /// A message of the server, with what it hands out sealed.
    fn sealed<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let handles = self.handles.as_ref();
        let sealed = handles.and_then(|handles| handles.seal(text));
        sealed.map_or(Cow::Borrowed(text), Cow::Owned)
    }

    pub(crate) async fn failed(&self, failure: &Failure, out: &Out) {
        out.fail(failure, &self.id).await;
    }

    /// What does not survive the bridge.
    pub(crate) async fn refuse(&self, error: RpcError<'static>, status: StatusCode, out: &Out) {
        let refusal = Refusal::rpc(Code::NotBridged, error).with_status(status);
        out.refuse(refusal.with_id(Some(&self.id))).await;
    }

    pub(super) async fn forward(&self, peer: &Peer, out: Out) {
        let mut exchange = match peer.call(Message::of(&self.text), self.facts()).await {
            Ok(exchange) => exchange,
            Err(why) => return not_called(why, &self.id, &out).await,
        };
        loop {
            match exchange.next().await {
                Step::Event(Event::Message(text)) => {
                    out.event(self.sealed(&text).into_owned()).await;
                }
                Step::Event(Event::Ask { .. } | Event::Over) => {}
                Step::Answer(Ok(text)) => return self.answer(&text, &out).await,
                Step::Answer(Err(failure)) => return self.failed(&failure, &out).await,
            }
        }
    }

    /// A subscription: acknowledged first, only what was asked for, under the client's own id, and no longer than
    /// the token lives (CHECKLIST N-TR-15, R11).
    pub(super) async fn listen(&self, peer: &Peer, out: Out) {
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
                () = self.inner.ports.stream_over(self.caller.expires_at) => return self.over(&out).await,
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
                        let tagged = message.with(tag, &self.id);
                        out.event(self.sealed(&tagged).into_owned()).await;
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
