//! What 2026-07-28 wants to see in headers, for a client that knows nothing of it.

use http::{HeaderMap, HeaderName, HeaderValue};
use keystile_protocol::mcp::{Envelope, Kind, headers};

use super::{Shared, method_of};
use crate::{
    era::{
        json::{Node, Reshape, quoted},
        message::{Message, request},
        meta,
    },
    relay::{
        Failure,
        listing::{Listed, MAX_PAGES},
        reach::media,
    },
    sse::{Event, EventReader},
};

impl Shared {
    /// The headers that 2026-07-28 wants beside a message of that era.
    pub(super) fn mirrored(&self, text: &str) -> HeaderMap {
        let mut out = HeaderMap::new();
        let message = Message::of(text);
        let Some(revision) = message.meta(meta::PROTOCOL_VERSION).and_then(Node::string) else {
            return out;
        };
        let mut put = |name: &str, value: &str| {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                out.insert(name, value);
            }
        };
        put(headers::PROTOCOL_VERSION, &revision);
        let Some(method) = method_of(text) else {
            return out;
        };
        put(headers::METHOD, &method);
        let named = if method == "resources/read" {
            "uri"
        } else {
            "name"
        };
        let param = |key| message.params().and_then(|params| params.member(key));
        let name = param(named).and_then(Node::string);
        if let (Some(name), "tools/call" | "prompts/get" | "resources/read") = (&name, &*method) {
            put(headers::NAME, &headers::encode(name));
        }
        if let (Some(tool), Some(arguments), "tools/call") = (name, param("arguments"), &*method)
            && let Some(known) = &*self.params.lock()
        {
            known
                .of(&tool, arguments)
                .iter()
                .for_each(|(name, value)| put(name, value));
        }
        out
    }

    pub(super) fn learn_params(&self, text: &str) {
        if let Some(result) = Message::of(text).result() {
            self.params.lock().get_or_insert_default().learn(result);
        }
    }

    /// A 2026-07-28 server may want parameters mirrored into headers, and says so where it lists its tools. A client
    /// that calls without listing does not spare us that.
    pub(super) async fn list_tools_once(&self, call: &str) {
        let done = || self.params.lock().is_some();
        let (server, limit) = (self.reach.strange.server(), self.reach.call_limit);
        let listing = self
            .listing
            .once(server, limit, done, self.list_tools(call));
        listing.await;
    }

    async fn list_tools(&self, call: &str) -> Listed {
        let meta = Message::of(call)
            .root
            .path(["params", "_meta"])
            .map_or("{}", Node::text);
        let meta = Reshape::of(Some(Node::root(meta)))
            .drop("progressToken")
            .finish();
        let mut cursor: Option<String> = None;
        for page in 0..MAX_PAGES {
            let mut params = Reshape::of(None).set("_meta", &*meta);
            if let Some(cursor) = &cursor {
                params = params.set("cursor", quoted(cursor));
            }
            let id = quoted(&format!("list-{page}"));
            let text = request(&id, "tools/list", Some(&params.finish()));
            let Ok(body) = self.one_answer(&id, &text).await else {
                return Listed::Refused;
            };
            self.learn_params(&body);
            let next = Message::of(&body)
                .root
                .path(["result", "nextCursor"])
                .and_then(Node::string);
            match next {
                Some(next) => cursor = Some(next.into_owned()),
                None => return Listed::Whole,
            }
        }
        Listed::Endless
    }

    /// The answer to a request of our own with this id (a lexeme); whatever comes before it is dropped.
    async fn one_answer(&self, id: &str, text: &str) -> Result<String, Failure> {
        let response = self.post(text).await?;
        let stream = media(&response) == Some("text/event-stream");
        let body = self.whole(response).await?;
        let is_answer = |body: &Vec<u8>| {
            Envelope::parse(body).is_ok_and(|message| {
                let theirs = message.id().map(|id| id.lexeme);
                message.kind() == Kind::Response && theirs == Some(id)
            })
        };
        let answer = if stream {
            let (mut reader, mut rest) = (EventReader::default(), &*body);
            let next = || reader.next(&mut rest, body.len()).ok().flatten();
            let mut messages = std::iter::from_fn(next).filter_map(Event::into_message);
            messages.find(is_answer)
        } else {
            Some(body).filter(is_answer)
        };
        String::from_utf8(answer.ok_or(Failure::NotMcp)?).map_err(|_| Failure::NotMcp)
    }
}
