//! Which eras the server behind the gateway speaks. Found out once, when it first matters, and remembered.
//!
//! MCP 2026-07-28, versioning: "The era determination is a property of the server, not of an individual request."

use std::time::Duration;

use keystile_protocol::mcp::Revision;
use parking_lot::Mutex;

use super::{
    Connect, Failure, Peer,
    caller::Ports,
    peer::{CallFacts, Inbound, Incoming, NotCalled},
    stateless_bridge::Bridged,
};
use crate::era::{
    json::quoted,
    legacy_to_stateless::offers_stateless,
    message::{Message, request},
    meta,
    stateless_to_legacy::Elicitation,
};

/// What is known so far.
#[derive(Default)]
pub(crate) struct Eras {
    known: Mutex<Known>,
    /// One probe at a time.
    probing: tokio::sync::Mutex<()>,
}

/// `None`: not known yet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    pub(crate) legacy: Option<bool>,
    pub(crate) stateless: Option<bool>,
}

impl Eras {
    pub(crate) fn known(&self) -> Known {
        *self.known.lock()
    }

    /// A handshake succeeded, or a stateless server refused one.
    pub(crate) fn learn_legacy(&self, speaks: bool) {
        self.known.lock().legacy = Some(speaks);
    }

    /// A handshake succeeded after `server/discover` had not.
    pub(crate) fn learn_only_legacy(&self) {
        *self.known.lock() = Known {
            legacy: Some(true),
            stateless: Some(false),
        };
    }

    /// Whether the server speaks 2026-07-28, by a `server/discover` on a conversation of its own: some servers end
    /// at the first request that is no `initialize` (stdio, "Backward Compatibility").
    pub(crate) async fn stateless(
        &self,
        connect: &dyn Connect,
        ports: &Ports,
        limit: Duration,
    ) -> Result<bool, Failure> {
        if let Some(speaks) = self.known().stateless {
            return Ok(speaks);
        }
        let _one = self.probing.lock().await;
        if let Some(speaks) = self.known().stateless {
            return Ok(speaks);
        }
        let peer = Peer::start(
            connect.connect().await?,
            std::sync::Arc::new(Deaf),
            &*ports.rng,
        );
        let answer = tokio::time::timeout(limit, discover(&peer, None)).await;
        peer.close().await;
        let speaks = match answer {
            Ok(Ok(text)) => Message::of(&text).result().is_some_and(offers_stateless),
            // What stands in front of the server refused: that says nothing about the server.
            Ok(Err(failure @ (Failure::Unreachable(_) | Failure::Closed))) => return Err(failure),
            Ok(Err(failure @ Failure::BadStatus(401 | 403 | 429 | 500..))) => return Err(failure),
            // A legacy server may answer with an error, end, or print what it likes.
            Ok(Err(_)) => false,
            // Or say nothing. But it may also be slow: then the next conversation asks again.
            Err(_) => return Ok(false),
        };
        tracing::info!(
            stateless = speaks,
            "found out whether the server speaks 2026-07-28"
        );
        self.known.lock().stateless = Some(speaks);
        Ok(speaks)
    }
}

impl Eras {
    /// Whether the server takes a handshake, by one.
    pub(crate) async fn legacy(&self, connect: &dyn Connect, ports: &Ports, limit: Duration) {
        let _one = self.probing.lock().await;
        if self.known().legacy.is_some() {
            return;
        }
        let Ok(wire) = connect.connect().await else {
            return;
        };
        let shake = Bridged::start(wire, ports, Elicitation::default());
        match tokio::time::timeout(limit, shake).await {
            Ok(Ok(bridge)) => {
                self.learn_legacy(true);
                bridge.peer.close().await;
            }
            Ok(Err(Failure::Unreachable(_) | Failure::BadStatus(401 | 403 | 429 | 500..))) => {}
            Ok(Err(_)) | Err(_) => self.learn_legacy(false),
        }
    }
}

/// Asks `server/discover`; `meta` is the JSON text of `_meta`, the gateway's own if `None`.
pub(crate) async fn discover(peer: &Peer, meta: Option<&str>) -> Result<String, Failure> {
    let own;
    let meta = match meta {
        Some(meta) => meta,
        None => {
            own = format!(
                r#"{{{}:{},{}:{{}},{}:{{"name":"keystile","version":{}}}}}"#,
                quoted(meta::PROTOCOL_VERSION),
                quoted(Revision::V2026_07_28.as_str()),
                quoted(meta::CLIENT_CAPABILITIES),
                quoted(meta::CLIENT_INFO),
                quoted(env!("CARGO_PKG_VERSION")),
            );
            &own
        }
    };
    let text = request(
        "0",
        "server/discover",
        Some(&format!(r#"{{"_meta":{meta}}}"#)),
    );
    match peer.call(Message::of(&text), CallFacts::default()).await {
        Ok(exchange) => exchange.only_answer().await,
        Err(NotCalled::Failed(failure)) => Err(failure),
        Err(NotCalled::Duplicate) => Err(Failure::Closed),
    }
}

/// Hears nothing but answers.
struct Deaf;

impl Inbound for Deaf {
    fn request(&self, peer: &Peer, incoming: Incoming<'_>) {
        if let Some(id) = incoming.id {
            peer.decline(id, "nobody is there to answer");
        }
    }

    fn notification(&self, _: &Peer, _: Incoming<'_>) {}
}
