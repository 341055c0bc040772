//! `Mcp-Param-…` in front of a server that sees no headers: what its tools mirror, and whether a call agrees with it.

use std::time::Duration;

use http::HeaderMap;
use keystile_protocol::mcp::RpcError;
use parking_lot::Mutex;

use super::Call;
use crate::{
    era::{
        json::{Node, Reshape, quoted},
        message::{Message, request},
        param_headers::ParamHeaders,
        stateless_to_legacy as translate,
    },
    relay::{
        listing::{Listed, Listing, MAX_PAGES},
        peer::{CallFacts, Peer},
    },
};

/// What is known of the tools of one conversation; nothing before they were listed.
#[derive(Default)]
pub(crate) struct Mirrors {
    known: Mutex<Option<ParamHeaders>>,
    listing: Listing,
}

impl Mirrors {
    /// Reads the answer to a `tools/list`.
    pub(super) fn learn(&self, answer: Message<'_>) {
        let mut known = self.known.lock();
        let known = known.get_or_insert_default();
        if let Some(result) = answer.result() {
            known.learn(result);
        }
    }

    /// Compares the headers of a call with its arguments (CHECKLIST N-TR-09).
    ///
    /// A client learns from `tools/list` what it must mirror. One that mirrors without having listed, in this
    /// conversation, makes the gateway list; one that does neither is believed, for nothing is decided on these headers.
    ///
    /// # Errors
    /// −32020 where they disagree.
    pub(super) async fn check(
        &self,
        call: &Call,
        sent: &HeaderMap,
        peer: &Peer,
        translated: bool,
    ) -> Result<(), RpcError<'static>> {
        if &*call.method != "tools/call" {
            return Ok(());
        }
        if !sent.is_empty() {
            let done = || self.known.lock().is_some();
            let list = self.list(call, peer, translated);
            let listing = self
                .listing
                .once(&call.inner.name, Duration::MAX, done, list);
            listing.await;
        }
        let params = Message::of(&call.text).params();
        let member = |key| params.and_then(|params| params.member(key));
        let name = member("name").and_then(Node::string).unwrap_or_default();
        match &*self.known.lock() {
            Some(known) => known.agree(&name, member("arguments"), sent),
            None => Ok(()),
        }
    }

    async fn list(&self, call: &Call, peer: &Peer, translated: bool) -> Listed {
        let meta = Message::of(&call.text).root.path(["params", "_meta"]);
        let meta = Reshape::of(meta).drop("progressToken").finish();
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut params = Reshape::of(None).set("_meta", &*meta);
            if let Some(cursor) = &cursor {
                params = params.set("cursor", quoted(cursor));
            }
            let mut text = request("0", "tools/list", Some(&params.finish()));
            if translated {
                text = translate::request(Message::of(&text));
            }
            let facts = CallFacts {
                cancels: true,
                ..CallFacts::default()
            };
            let Ok(exchange) = peer.call(Message::of(&text), facts).await else {
                return Listed::Refused;
            };
            let Ok(answer) = exchange.only_answer().await else {
                return Listed::Refused;
            };
            let answer = Message::of(&answer);
            self.learn(answer);
            let next = answer
                .result()
                .and_then(|result| result.member("nextCursor"));
            match next.and_then(Node::string) {
                Some(next) => cursor = Some(next.into_owned()),
                None => return Listed::Whole,
            }
        }
        Listed::Endless
    }
}
