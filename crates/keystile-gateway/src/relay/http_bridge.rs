//! What stands in front of an HTTP upstream for those clients whom its answers can't be forwarded to as they are.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Response, request::Parts};
use keystile_protocol::mcp::Era;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{Caller, Failure, Limits, Ports, Reach, Relay, Strange, eras::Known, reach::Spoken};

/// Stands between clients and an upstream of the other era or of the transport of 2024-11-05, and nowhere else.
pub struct HttpBridge {
    relay: Relay,
    strange: Arc<Strange>,
    spoken: Spoken,
    /// For the log; without the query, where some servers want a key.
    url: String,
    prober: watch::Sender<Prober>,
    /// It is asked again at once: a request is there, or the upstream is.
    wake: Notify,
}

/// Whether the upstream is being asked for its eras.
#[derive(Clone, Copy)]
enum Prober {
    /// Nobody asks.
    Absent,
    Asking,
    /// It was asked, until then.
    Rests(Instant),
}

impl HttpBridge {
    pub(crate) fn new(reach: Reach, ports: Ports) -> Self {
        let limits = Limits {
            idle: Duration::from_secs(30 * 60),
            start_limit: FIRST_ANSWER,
            first_answer: FIRST_ANSWER,
            call: reach.call_limit,
            max: 1024,
            max_per_person: 64,
        };
        let host = reach.uri.authority().map_or("", |host| host.as_str());
        let scheme = reach.uri.scheme_str().unwrap_or_default();
        let url = format!("{scheme}://{host}{}", reach.uri.path());
        Self {
            spoken: reach.spoken.clone(),
            strange: Arc::clone(&reach.strange),
            relay: Relay::new(
                reach.strange.server().to_owned(),
                Box::new(reach),
                ports,
                limits,
            ),
            url,
            prober: watch::Sender::new(Prober::Absent),
            wake: Notify::new(),
        }
    }

    /// Asks the upstream which eras it speaks, again and again until it answers. That it does not, or with no MCP, is
    /// said once: it may be started later, but an operator wants to know now.
    pub async fn learn(&self) {
        let mut pause = FIRST_PAUSE;
        let mut said = None;
        loop {
            self.prober.send_replace(Prober::Asking);
            let learned = self.relay.learn().await;
            self.prober.send_replace(Prober::Rests(Instant::now()));
            match learned {
                Ok(()) => self.strange.fit(),
                Err(failure) if said != Some(failure.code()) => {
                    said = Some(failure.code());
                    self.strange.silently_unfit();
                    tracing::warn!(
                        server = self.strange.server(),
                        upstream.code = failure.code(),
                        "the server at {} does not work: {failure}. {}",
                        self.url,
                        failure.advice_for_http()
                    );
                }
                _ => {}
            }
            if self.relay.known().stateless.is_some() {
                return;
            }
            // Whoever waits for an answer has it asked at once: it may have been started just now.
            let _ = tokio::time::timeout(pause, self.wake.notified()).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Whether a client of this era speaks one that the upstream is known not to, or a newer transport. While that is not
    /// known the upstream is asked first; where nobody asks, nothing is bridged, and a request meets its fate on its own.
    pub(crate) async fn is_needed(&self, era: Era) -> bool {
        if self.spoken.is_http_sse() {
            return true;
        }
        let mut known = self.relay.known();
        if known.stateless.is_none() {
            if !self.asked().await {
                return false;
            }
            if self.spoken.is_http_sse() {
                return true;
            }
            known = self.relay.known();
        }
        let stateless = era == Era::Stateless;
        match known {
            Known {
                stateless: Some(true),
                legacy: Some(false),
            } => !stateless,
            Known {
                stateless: Some(false),
                ..
            } => stateless,
            _ => false,
        }
    }

    /// Why nothing can be said to the upstream, where asking for its eras found that out: its endpoint is elsewhere.
    pub(crate) fn refused(&self) -> Option<Failure> {
        let unknown = self.relay.known().stateless.is_none();
        self.spoken.refused().filter(|_| unknown)
    }

    /// Waits until the upstream was asked once more, for all who wait at once; `false` if nobody asks.
    async fn asked(&self) -> bool {
        let mut prober = self.prober.subscribe();
        let begun = *prober.borrow_and_update();
        if matches!(begun, Prober::Absent) {
            return false;
        }
        let asked_anew = async {
            let since = match begun {
                Prober::Rests(since) => since,
                _ => {
                    let rests = |now: &Prober| matches!(now, Prober::Rests(_));
                    drop(prober.wait_for(rests).await);
                    Instant::now()
                }
            };
            // What was asked before this request came may have missed the server by a moment.
            if self.relay.known().stateless.is_none() {
                self.wake.notify_one();
                let is_later = |now: &Prober| matches!(now, Prober::Rests(at) if *at > since);
                drop(prober.wait_for(is_later).await);
            }
        };
        // Whatever comes of it: a request that has waited this long goes on as it is.
        let _ = tokio::time::timeout(FIRST_ANSWER, asked_anew).await;
        true
    }

    pub(crate) fn relay(&self) -> &Relay {
        &self.relay
    }

    /// Answers a request of the era that the upstream does not speak: POST, GET or DELETE.
    pub async fn handle(&self, caller: &Caller, parts: &Parts, body: Bytes) -> Response<Body> {
        self.relay.handle(caller, parts, body).await
    }
}

const FIRST_ANSWER: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);
