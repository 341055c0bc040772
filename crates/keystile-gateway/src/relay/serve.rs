//! The Streamable HTTP side: which request belongs to which era, and what it gets.

use std::{collections::HashMap, future::Future, sync::Arc};

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Response, StatusCode, header, request::Parts};
use keystile_protocol::mcp::{Envelope, Era, Kind, McpHeaders, Revision, RpcError};
use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;
use tokio::{sync::OnceCell, time::Instant};

use super::{
    Connect, Failure,
    answer::{Accepts, Out, empty, refusal, respond},
    caller::{Caller, Ports},
    eras::{Eras, Known},
    session::Session,
    spare::Spare,
    stateless::{Child, ChildKey},
    stateless_bridge::Bridged,
    upkeep::{Limits, Slots, upkeep},
};
use crate::era::{json::quoted, stateless_to_legacy::Elicitation};

/// Serves one MCP server to clients of both eras over Streamable HTTP.
pub(crate) struct Relay {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) name: String,
    pub(crate) connect: Box<dyn Connect>,
    pub(crate) ports: Ports,
    pub(crate) limits: Limits,
    pub(crate) eras: Eras,
    pub(crate) spare: Spare,
    pub(crate) slots: Slots,
    /// Of 2025-era clients, by session id.
    pub(crate) sessions: Mutex<HashMap<Box<str>, Arc<Session>>>,
    /// Of stateless clients.
    pub(crate) children: Mutex<HashMap<ChildKey, Arc<OnceCell<Arc<Child>>>>>,
}

impl Relay {
    pub(crate) fn new(
        name: String,
        connect: Box<dyn Connect>,
        ports: Ports,
        limits: Limits,
    ) -> Self {
        let inner = Arc::new(Inner {
            name,
            connect,
            ports,
            limits,
            eras: Eras::default(),
            spare: Spare::default(),
            slots: Slots::default(),
            sessions: Mutex::default(),
            children: Mutex::default(),
        });
        tokio::spawn(upkeep(Arc::downgrade(&inner)));
        Self { inner }
    }

    pub(crate) async fn handle(
        &self,
        caller: &Caller,
        parts: &Parts,
        body: Bytes,
    ) -> Response<Body> {
        let inner = &self.inner;
        match parts.method {
            Method::POST => inner.post(caller, parts, &body).await,
            Method::GET => inner.listen(caller, parts),
            Method::DELETE => inner.end(caller, parts),
            _ => not_allowed(),
        }
    }

    /// Holds one conversation to see that the server can be served at all, and learns its eras.
    pub(crate) async fn probe(&self) -> Result<(), Failure> {
        let inner = &self.inner;
        let (now, limit) = (Instant::now(), inner.limits.start_limit);
        // A server that is silent to this may still answer a handshake.
        if inner.is_stateless(now + limit / 2).await? {
            return Ok(());
        }
        let wire = inner.connect.try_out().await?;
        let elicitation = Elicitation::default();
        let shaken = Bridged::start(wire, &inner.ports, elicitation, now + limit).await;
        if let Err(Failure::BadStatus(_)) = shaken {
            // Neither a question nor a handshake: something else answers there, perhaps only for now.
            inner.eras.forget();
        }
        let bridge = shaken?;
        inner.eras.learn_only_legacy();
        bridge.peer.close().await;
        Ok(())
    }

    /// Begins the conversation of the first client, unless there is one already. The one of a probe is not good for it:
    /// a handshake says whom it is for.
    pub(crate) async fn start_spare(&self) -> Result<(), Failure> {
        let inner = &self.inner;
        let unused = inner.sessions.lock().is_empty() && inner.children.lock().is_empty();
        if unused && inner.eras.known().stateless == Some(false) {
            inner.spare.put(inner.connect.connect().await?);
        }
        Ok(())
    }

    /// As [`probe`](Self::probe), and finds out whether a stateless server takes handshakes, too.
    pub(crate) async fn learn(&self) -> Result<(), Failure> {
        let inner = &self.inner;
        self.probe().await?;
        if self.known().stateless == Some(true) {
            inner
                .learn_legacy(Instant::now() + inner.limits.start_limit)
                .await;
        }
        Ok(())
    }

    /// What is known of that so far.
    pub(crate) fn known(&self) -> Known {
        self.inner.eras.known()
    }

    /// Ends every conversation and waits for it.
    pub(crate) async fn shutdown(&self) {
        let mut peers: Vec<_> = self
            .inner
            .sessions
            .lock()
            .drain()
            .map(|(_, session)| session.peer.clone())
            .collect();
        let children = std::mem::take(&mut *self.inner.children.lock());
        peers.extend(
            children
                .values()
                .filter_map(|cell| cell.get())
                .map(|child| child.peer().clone()),
        );
        let closing = peers
            .into_iter()
            .map(|peer| async move { peer.close().await });
        tokio::join!(
            futures_util::future::join_all(closing),
            self.inner.spare.close()
        );
    }
}

impl Inner {
    async fn post(self: &Arc<Self>, caller: &Caller, parts: &Parts, body: &[u8]) -> Response<Body> {
        let message = match Envelope::parse(body) {
            Ok(message) => message,
            Err(error) => {
                return self.refusal(StatusCode::BAD_REQUEST, "not_a_message", error.to_rpc());
            }
        };
        let id = message.id().map(|id| id.lexeme);
        // The gateway's inspection has compared them already; this keeps the relay safe on its own.
        if let Err(error) = McpHeaders::agree(&parts.headers, &message) {
            return self.refusal(
                StatusCode::BAD_REQUEST,
                "header_mismatch",
                error.with_id(id),
            );
        }
        let accepts = Accepts::of(&parts.headers);
        if !accepts.json && !accepts.events {
            let error = RpcError::new(
                RpcError::INVALID_REQUEST,
                "Accept must take application/json and text/event-stream.",
            );
            return self.refusal(
                StatusCode::NOT_ACCEPTABLE,
                "not_acceptable",
                error.with_id(id),
            );
        }
        let stateless = match message.params().meta.protocol_version.as_deref() {
            Some(version) if version != Revision::V2026_07_28.as_str() => {
                return self.unsupported(version, id);
            }
            Some(_) => true,
            None => McpHeaders::read(&parts.headers)
                .is_ok_and(|headers| headers.era() == Era::Stateless),
        };
        match (message.kind(), stateless) {
            (Kind::Request, true) => self.stateless_request(caller, &message, accepts).await,
            // On HTTP the closed stream is the cancellation; 2026-07-28 defines no other notification.
            (Kind::Notification, true) if weakened("n_tr_05") => {
                self.refusal(StatusCode::OK, "weakened", RpcError::new(0, ""))
            }
            (Kind::Notification, true) => empty(StatusCode::ACCEPTED),
            (Kind::Response | Kind::Error, true) => {
                let error = RpcError::new(
                    RpcError::INVALID_REQUEST,
                    "A client of 2026-07-28 sends no responses.",
                );
                self.refusal(StatusCode::BAD_REQUEST, "not_a_message", error)
            }
            (_, false) => self.legacy_post(caller, parts, &message, accepts).await,
        }
    }

    /// Runs a call in a task of its own, so that whatever happens to it happens to nobody else, and ends it when the
    /// client goes away or the grant is revoked (CHECKLIST R11, A-118, A-157, N-TR-13).
    pub(crate) async fn run<F>(
        self: &Arc<Self>,
        caller: &Caller,
        id: &str,
        accepts: Accepts,
        call: impl FnOnce(Out) -> F,
    ) -> Response<Body>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (out, pieces) = Out::new(&self.ports.rng);
        let call = call(out.clone());
        let inner = Arc::clone(self);
        let (caller, id) = (caller.clone(), id.to_owned());
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = out.closed() => {}
                () = inner.ports.revoked(&caller), if !weakened("a_118") => {
                    let error = RpcError::new(
                        RpcError::INTERNAL_ERROR,
                        "The grant behind this call was revoked. Sign in again.",
                    );
                    let error = error.with_id(Some(&id));
                    out.refuse(StatusCode::UNAUTHORIZED, "grant_revoked", error).await;
                }
                () = call => {}
            }
        });
        respond(pieces, accepts).await
    }

    /// See [`refusal`].
    pub(crate) fn refusal(
        &self,
        status: StatusCode,
        code: &str,
        error: RpcError<'_>,
    ) -> Response<Body> {
        refusal(&*self.ports.rng, status, code, error)
    }

    /// The failure as the whole answer.
    pub(crate) fn failed(&self, failure: &Failure, id: Option<&str>) -> Response<Body> {
        let text = failure.tell(id, &*self.ports.rng);
        let mut response = super::answer::json(failure.status(), text);
        if *failure == Failure::TooMany {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, http::HeaderValue::from_static("10"));
        }
        response
    }

    fn unsupported(&self, requested: &str, id: Option<&str>) -> Response<Body> {
        let supported = quoted(Revision::V2026_07_28.as_str());
        let error = RpcError::new(
            RpcError::UNSUPPORTED_VERSION,
            "Unsupported protocol version",
        )
        .with_id(id)
        .with_data(format!(
            r#"{{"supported":[{supported}],"requested":{}}}"#,
            quoted(requested)
        ));
        self.refusal(StatusCode::BAD_REQUEST, "unsupported_version", error)
    }
}

pub(crate) fn not_allowed() -> Response<Body> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response
        .headers_mut()
        .insert(header::ALLOW, http::HeaderValue::from_static("POST"));
    response
}
