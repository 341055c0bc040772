//! How an admitted request gets to its server.

use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderValue, Method};
use keystile_protocol::mcp::{Era, Kind};
use keystile_protocol::mutation::weakened;

use super::Gateway;
use crate::admit::Permit;
use crate::forward::{Forwarded, HttpUpstream};
use crate::handles::{Handles, Whose};
use crate::inspect::Asked;
use crate::refusal::{Code, Refusal};
use crate::relay::{Admitted, Caller, Channel, Relay};
use crate::route::Door;
use crate::upstream::Way;

/// How an admitted request goes on.
pub(super) enum Path<'a> {
    Forward(&'a HttpUpstream, Box<Forwarded>),
    Relay(&'a Relay, Caller, Admitted),
    /// Not at all; a client of 2024-11-05 hears why on its stream.
    Told(Arc<Channel>, Refusal),
}

impl Gateway {
    /// How it gets to the server, if it may: what there is to refuse is refused before the call is on record as allowed.
    pub(super) async fn path<'a>(
        &self,
        permit: &'a Permit,
        door: Door,
        parts: &Parts,
        asked: &Asked<'_>,
        body: &Bytes,
    ) -> Result<Path<'a>, Refusal> {
        if door != Door::Mcp {
            return self.path_of_2024(permit, parts, asked);
        }
        let way = permit.route().upstream.way(&self.ports, asked.era).await;
        Ok(match way {
            Way::Relay(relay) => {
                let caller = permit.caller();
                let admitted = relay.admit(&caller, parts, asked)?;
                Path::Relay(relay, caller, admitted)
            }
            Way::Forward(_) if asked.era == Era::Stateless && !stateless_takes(&parts.method) => {
                let sentence =
                    "2026-07-28 has neither sessions nor a stream of their own: only POST.";
                let refusal = Refusal::new(Code::MethodNotAllowed, sentence);
                return Err(refusal.with_allowed("POST"));
            }
            Way::Forward(upstream) => {
                let now = self.ports.clock.now();
                let thread = self.sessions.named(permit, parts, asked, now)?;
                if asked.is_batch() && !thread.has_batches() {
                    return Err(Refusal::no_batches());
                }
                let handles = self.handles(permit, asked, body)?;
                let call = Forwarded::new(parts, asked, body, thread, handles);
                Path::Forward(upstream, Box::new(call))
            }
        })
    }

    /// What a stateless client brings back, opened. Earlier revisions have sessions for that.
    fn handles(
        &self,
        permit: &Permit,
        asked: &Asked<'_>,
        body: &Bytes,
    ) -> Result<Option<Handles>, Refusal> {
        let message = asked.message().filter(|_| asked.era == Era::Stateless);
        let open = |message| {
            let (whose, ports) = (Whose::Permit(permit.clone()), Arc::clone(&self.ports));
            Handles::open(whose, ports, message, body.clone())
        };
        message.map(open).transpose()
    }

    /// As [`path`](Self::path), for clients of 2024-11-05.
    fn path_of_2024<'a>(
        &self,
        permit: &'a Permit,
        parts: &Parts,
        asked: &Asked<'_>,
    ) -> Result<Path<'a>, Refusal> {
        let route = permit.route();
        let (relay, caller) = (route.upstream.relay(&self.ports), permit.caller());
        let Some(message) = asked.message() else {
            let mut posts_to = Door::Messages.path(&route.name);
            if let Some(Ok(host)) = parts.headers.get(HOST).map(HeaderValue::to_str)
                && weakened("n_tr_19")
            {
                posts_to = format!("http://{host}{posts_to}");
            }
            let admitted = relay.admit_channel(&caller, parts, posts_to)?;
            return Ok(Path::Relay(relay, caller, admitted));
        };
        let channel = relay.channel(&caller, parts.uri.query())?;
        match channel.admits(message) {
            Ok(()) => Ok(Path::Relay(relay, caller, Admitted::Posted(channel))),
            Err(refusal) if message.kind() == Kind::Request => Ok(Path::Told(channel, refusal)),
            Err(refusal) => Err(refusal),
        }
    }
}

/// MCP 2026-07-28, streamable HTTP (CHECKLIST N-TR-17).
fn stateless_takes(method: &Method) -> bool {
    method == Method::POST || weakened("n_tr_17")
}
