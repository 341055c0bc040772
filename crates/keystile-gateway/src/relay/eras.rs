//! Which eras the server behind the gateway speaks. Found out once, when it first matters, and remembered.
//!
//! MCP 2026-07-28, versioning: "The era determination is a property of the server, not of an individual request."

use std::sync::atomic::{AtomicU8, Ordering};

use keystile_protocol::mcp::Revision;
use tokio::time::{Instant, timeout_at};

use super::{
    Failure, Outgoing, Received, Wire, peer::Peer, serve::Inner, stateless_bridge::Bridged,
};
use crate::era::{
    json::{Node, quoted},
    legacy_to_stateless::offers_stateless,
    message::{Message, request},
    meta,
    stateless_to_legacy::Elicitation,
};

/// What is known so far. It is looked at for every request, and learned once.
#[derive(Default)]
pub(crate) struct Eras {
    known: AtomicU8,
    /// One probe at a time.
    probing: tokio::sync::Mutex<()>,
}

/// `None`: not known yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) legacy: Option<bool>,
    pub(crate) stateless: Option<bool>,
}

impl Known {
    fn of(bits: u8) -> Self {
        let answer = |bits| match bits & 0b11 {
            0 => None,
            known => Some(known == YES),
        };
        Self {
            legacy: answer(bits),
            stateless: answer(bits >> 2),
        }
    }

    fn bits(self) -> u8 {
        let bits = |answer: Option<bool>| answer.map_or(0, |yes| if yes { YES } else { NO });
        bits(self.legacy) | bits(self.stateless) << 2
    }
}

impl Eras {
    pub(crate) fn known(&self) -> Known {
        Known::of(self.known.load(Ordering::Acquire))
    }

    fn learn(&self, what: impl Fn(&mut Known)) {
        let learned = |bits| {
            let mut known = Known::of(bits);
            what(&mut known);
            Some(known.bits())
        };
        let (set, read) = (Ordering::AcqRel, Ordering::Acquire);
        // It always says some.
        let _ = self.known.fetch_update(set, read, learned);
    }

    /// A handshake succeeded, or a stateless server refused one.
    pub(crate) fn learn_legacy(&self, speaks: bool) {
        self.learn(|known| known.legacy = Some(speaks));
    }

    fn learn_stateless(&self, speaks: bool) {
        self.learn(|known| known.stateless = Some(speaks));
    }

    /// What was taken for an answer of the server was none.
    pub(crate) fn forget(&self) {
        self.learn(|known| *known = Known::default());
    }

    /// A handshake succeeded after `server/discover` had not.
    pub(crate) fn learn_only_legacy(&self) {
        self.learn(|known| {
            *known = Known {
                legacy: Some(true),
                stateless: Some(false),
            };
        });
    }
}

impl Inner {
    /// Whether the server speaks 2026-07-28, by a `server/discover` on a conversation of its own: some servers end
    /// at the first request that is no `initialize` (stdio, "Backward Compatibility"). A conversation that it went
    /// well on is as good as new, and kept.
    ///
    /// Not known by `deadline` is no: a legacy server may be silent, and a handshake will tell.
    pub(crate) async fn is_stateless(&self, deadline: Instant) -> Result<bool, Failure> {
        let eras = &self.eras;
        if let Some(speaks) = eras.known().stateless {
            return Ok(speaks);
        }
        let Ok(_one) = timeout_at(deadline, eras.probing.lock()).await else {
            return Ok(false);
        };
        if let Some(speaks) = eras.known().stateless {
            return Ok(speaks);
        }
        let mut wire = self.connect.try_out().await?;
        let answer = timeout_at(deadline, discovered(&mut wire)).await;
        let speaks = match answer {
            Ok(Ok(text)) => Message::of(&text).result().is_some_and(offers_stateless),
            // What stands in front of the server refused: that says nothing about the server.
            Ok(Err(
                failure @ (Failure::Unreachable(_) | Failure::Closed | Failure::SecondEndpoint),
            )) => return Err(failure),
            Ok(Err(failure @ Failure::BadStatus(401 | 403 | 429 | 500..))) => return Err(failure),
            // A legacy server may end, print what it likes or say nothing. But it may also be broken or slow: a
            // handshake will tell, or the next conversation asks again.
            Ok(Err(Failure::ExitedAtOnce(_) | Failure::NotMcp)) | Err(_) => return Ok(false),
            // Or answer with an error.
            Ok(Err(_)) => false,
        };
        tracing::info!(
            server = %self.name,
            stateless = speaks,
            "found out whether the server speaks 2026-07-28"
        );
        eras.learn_stateless(speaks);
        if speaks && self.connect.takes_time() {
            self.spare.put(wire);
        }
        // Else it ends by itself: nobody need wait for that.
        Ok(speaks)
    }

    /// Finds out whether the server takes a handshake, by one.
    pub(crate) async fn learn_legacy(&self, deadline: Instant) {
        let _one = self.eras.probing.lock().await;
        if self.eras.known().legacy.is_some() {
            return;
        }
        let Ok(wire) = self.connect.try_out().await else {
            return;
        };
        match Bridged::start(wire, &self.ports, Elicitation::default(), deadline).await {
            Ok(bridge) => {
                self.eras.learn_legacy(true);
                bridge.peer.close().await;
            }
            Err(Failure::Unreachable(_) | Failure::BadStatus(401 | 403 | 429 | 500..)) => {}
            Err(_) => self.eras.learn_legacy(false),
        }
    }
}

/// Asks `server/discover` of a conversation that nobody else holds. What else the server says is not heard.
async fn discovered(wire: &mut Wire) -> Result<String, Failure> {
    let text = discover_request(&quoted(PROBE), None);
    // One that is gone already tells why.
    let sent = wire.link.send(Outgoing { text }).await;
    loop {
        match wire.inbox.recv().await {
            Some(Received::Message { text, .. }) => {
                let id = Message::of(&text).root.member("id").and_then(Node::string);
                let method = Message::of(&text).root.member("method");
                if id.as_deref() == Some(PROBE) {
                    // Our own request come back is an echo (`cat`), and no server.
                    return match method {
                        None => Ok(text),
                        Some(_) => Err(Failure::NotMcp),
                    };
                }
            }
            Some(Received::Failed { failure, .. } | Received::Ended(failure)) => {
                return Err(failure);
            }
            None => return Err(sent.err().unwrap_or(Failure::Closed)),
        }
    }
}

/// Asks `server/discover`; `meta` is the JSON text of `_meta`.
pub(crate) async fn discover(
    peer: &Peer,
    meta: &str,
    deadline: Instant,
) -> Result<String, Failure> {
    let text = discover_request("0", Some(meta));
    peer.first_answer(Message::of(&text), deadline).await
}

/// `meta` is the gateway's own if `None`.
fn discover_request(id: &str, meta: Option<&str>) -> String {
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
    request(
        id,
        "server/discover",
        Some(&format!(r#"{{"_meta":{meta}}}"#)),
    )
}

/// No id of a [`Peer`]'s looks like this.
const PROBE: &str = "keystile-discover";
const NO: u8 = 1;
const YES: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learned_is_known_and_nothing_else() {
        let answers = [None, Some(false), Some(true)];
        for legacy in answers {
            for stateless in answers {
                let known = Known { legacy, stateless };
                assert_eq!(Known::of(known.bits()), known);
            }
        }
        let eras = Eras::default();
        eras.learn_stateless(true);
        assert_eq!(eras.known().legacy, None);
        eras.learn_legacy(false);
        assert_eq!(eras.known().stateless, Some(true));
        eras.forget();
        assert_eq!(eras.known(), Known::default());
    }
}
