//! One request through the gateway: guard, route, admit, inspect, record, forward.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::flow::{Noted, Stage};
use keystile_domain::ports::{AuditSink, Standing};
use keystile_domain::secrets::Secrets;
use keystile_domain::secrets::reference::Reference;
use keystile_domain::time::Timestamp;
use keystile_protocol::issuer::Issuer;
use keystile_protocol::mcp::{Envelope, McpHeaders};
use keystile_protocol::mutation::weakened;
use keystile_protocol::resource::ServedResource;
use keystile_resource::{Verifier, refuse};

use crate::admit::{Denied, Permit, admit, describe};
use crate::drain::drain;
use crate::forward::{Exchange, NotForwarded, Sessions};
use crate::guard::{AllowedOrigin, Guard, is_preflight};
use crate::inspect::{inspect, read};
use crate::refusal::{Code, Refusal};
use crate::relay::Ports;
use crate::route::{Place, Route, Routes};
use crate::upstream::Upstream;

/// What the operator decided.
#[derive(Debug)]
pub struct Settings {
    /// The public URL, which is the issuer too; never from a request (CHECKLIST R15).
    pub public: Issuer,
    /// Loopback ports on which we listen: their names are ours as well.
    pub loopback_ports: Vec<u16>,
    /// Web origins that may call besides our own and those of loopback.
    pub origins: Vec<String>,
    /// The servers and what stands behind each.
    pub served: Vec<(ServedResource, Upstream)>,
}

/// What answers at `/{server}/mcp` and for its RFC 9728 metadata.
pub struct Gateway {
    guard: Guard,
    routes: Routes,
    verifier: Arc<Verifier>,
    audit: Arc<dyn AuditSink>,
    ports: Arc<Ports>,
    sessions: Sessions,
}

impl Gateway {
    /// A gateway that takes the tokens that `verifier` finds good. `secrets` bind the sessions of HTTP upstreams.
    #[must_use]
    pub fn new(
        settings: Settings,
        verifier: Arc<Verifier>,
        audit: Arc<dyn AuditSink>,
        ports: Ports,
        secrets: Arc<Secrets>,
    ) -> Self {
        let Settings {
            public,
            loopback_ports,
            origins,
            served,
        } = settings;
        Self {
            guard: Guard::new(&public, &loopback_ports, &origins),
            routes: Routes::new(&public, served),
            verifier,
            audit,
            ports: Arc::new(ports),
            sessions: Sessions::new(secrets),
        }
    }

    /// Finds out which eras the HTTP upstreams speak, so that clients of the other era can be bridged. Resolves when all
    /// have answered; until then nothing is bridged.
    pub async fn learn_eras(&self) {
        let all = self
            .routes
            .all()
            .map(|route| route.upstream.learn_eras(&self.ports));
        futures_util::future::join_all(all).await;
    }

    /// Whether this path is the gateway's; all others belong to the router behind it.
    #[must_use]
    pub fn owns(&self, path: &str) -> bool {
        self.routes.find(path).is_some()
    }

    /// The check of Host and Origin, which the paths of others need as well.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Answers a request to a path that it owns. The peer's address is the request's
    /// `ConnectInfo<SocketAddr>`, if it has one.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let place = self.routes.find(parts.uri.path());
        let origin = match self.guard.check(&parts) {
            Ok(origin) => origin,
            Err(refusal) => {
                drain(&parts, body).await;
                return match place {
                    Some(Place::Metadata(_)) => {
                        refusal.respond_outside_mcp(&parts.headers, &*self.ports.rng)
                    }
                    _ => refusal.respond(&*self.ports.rng),
                };
            }
        };
        let answer = match place {
            Some(Place::Endpoint(route)) => self.endpoint(route, &origin, &parts, body).await,
            Some(Place::Metadata(route)) => metadata(route, &origin, &parts),
            None => Err(Refusal::new(Code::UnknownPath, "Nothing is at this path.")),
        };
        let mut response = answer.unwrap_or_else(|refusal| refusal.respond(&*self.ports.rng));
        origin.expose(&mut response);
        response
    }

    async fn endpoint(
        &self,
        route: &Arc<Route>,
        origin: &AllowedOrigin,
        parts: &Parts,
        body: Body,
    ) -> Result<Response<Body>, Refusal> {
        if is_preflight(parts) {
            return Ok(origin.preflight(&parts.headers, "POST, GET, DELETE, OPTIONS"));
        }
        if !matches!(parts.method, Method::POST | Method::GET | Method::DELETE) {
            let sentence = "An MCP endpoint takes POST, GET and DELETE.";
            return Err(Refusal::new(Code::MethodNotAllowed, sentence));
        }
        let now = self.ports.clock.now();
        let revocations = &*self.ports.revocations;
        match admit(parts, route, &self.verifier, revocations, now) {
            Ok(permit) => self.admitted(&permit, parts, body, now).await,
            Err(denied) => {
                drain(parts, body).await;
                self.deny(denied, route, parts, now).await
            }
        }
    }

    async fn admitted(
        &self,
        permit: &Permit,
        parts: &Parts,
        body: Body,
        now: Timestamp,
    ) -> Result<Response<Body>, Refusal> {
        let call = match Call::read(parts, body).await {
            Ok(call) => call,
            Err(refusal) => return Err(self.record_refusal(refusal, permit, parts, now).await),
        };
        let message = match call.understand(parts) {
            Ok(message) => message,
            Err(refusal) => return Err(self.record_refusal(refusal, permit, parts, now).await),
        };
        let id = message.as_ref().and_then(Envelope::id).map(|id| id.lexeme);
        let route = permit.route();
        let bridge = route.upstream.bridge(&self.ports, parts, message.as_ref());
        let bridge = bridge.await;
        // The relay keeps the sessions that it begins itself, by their owners.
        let session = match (bridge, &route.upstream) {
            (None, Upstream::Http(_)) => self.sessions.named(permit, parts),
            _ => Ok(None),
        };
        let session = match session {
            Ok(session) => session,
            Err(refusal) => {
                let refusal = refusal.with_id(id);
                return Err(self.record_refusal(refusal, permit, parts, now).await);
            }
        };
        self.record_call(permit, parts, message.as_ref(), now)?;
        if let Some(bridge) = bridge {
            let body = call.body.clone();
            let response = bridge.handle(&permit.caller(), parts, body).await;
            return self.relayed(response, permit, parts).await;
        }
        let upstream = match &route.upstream {
            Upstream::Http(upstream) => upstream,
            Upstream::Stdio(pool) => {
                let body = call.body.clone();
                let response = pool.handle(&permit.caller(), parts, body).await;
                return self.relayed(response, permit, parts).await;
            }
        };
        let (body, exchange) = (call.body.clone(), exchange(parts, message.as_ref()));
        let forwarded = upstream
            .forward(permit, parts, body, exchange, session.as_ref(), &self.ports)
            .await;
        let refused = match forwarded {
            Ok(mut response) => match self.sessions.bind(permit, session.as_ref(), &mut response) {
                Ok(()) => return Ok(response),
                Err(refusal) => refusal,
            },
            Err(NotForwarded::Refused(refusal)) => refusal,
            Err(NotForwarded::Revoked) => {
                let now = self.ports.clock.now();
                return self.deny(self.ended(permit), route, parts, now).await;
            }
        };
        Err(refused.with_id(id))
    }

    /// Why a call was cut short: only a revocation is the token's end. A feed that can't tell (it is closed with the
    /// process, for one) is a 503, or clients would throw a good token away.
    fn ended(&self, permit: &Permit) -> Denied {
        match permit.standing(&*self.ports.revocations) {
            Standing::Unknown => Denied::Unknown {
                caller: permit.verified().clone(),
            },
            Standing::Good | Standing::Revoked => {
                Denied::no_good("revoked", Some(permit.verified()))
            }
        }
    }

    /// The relay says 401 for one reason only: the grant no longer stood while the call ran. The challenge is ours to make.
    async fn relayed(
        &self,
        response: Response<Body>,
        permit: &Permit,
        parts: &Parts,
    ) -> Result<Response<Body>, Refusal> {
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let now = self.ports.clock.now();
        self.deny(self.ended(permit), permit.route(), parts, now)
            .await
    }

    /// The allowed call is in the audit trail before it is forwarded; if it can't be, it is not.
    fn record_call(
        &self,
        permit: &Permit,
        parts: &Parts,
        message: Option<&Envelope<'_>>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let peer = peer(parts);
        let mut event = permit.event(now, Outcome::Allow);
        event.peer = peer.as_deref();
        event.method = Some(parts.method.as_str());
        if let Some(message) = message {
            let params = message.params();
            event.method = message.method().or(Some("response"));
            event.name = params.name.as_deref().or(params.uri.as_deref());
            event.name = event.name.or(params.task_id.as_deref());
        }
        match self.audit.append(&event) {
            Ok(()) => Ok(()),
            Err(_) if weakened("a_150") => Ok(()),
            Err(error) => {
                let sentence =
                    "The audit trail can't be written, so nothing is done; see the gateway's log.";
                let id = message.and_then(Envelope::id).map(|id| id.lexeme);
                Err(Refusal::new(Code::AuditUnavailable, sentence)
                    .with_detail(error)
                    .with_id(id))
            }
        }
    }

    async fn record_refusal(
        &self,
        refusal: Refusal,
        permit: &Permit,
        parts: &Parts,
        now: Timestamp,
    ) -> Refusal {
        let (reference, peer) = (Reference::new(&*self.ports.rng), peer(parts));
        let mut event = permit.event(now, Outcome::Deny);
        event.peer = peer.as_deref();
        event.reason = Some(refusal.code().as_str());
        event.reference = Some(reference.as_str());
        self.record(&event).await;
        refusal.with_reference(reference)
    }

    /// Challenges. What was shown and refused is in the audit trail before the answer.
    async fn deny(
        &self,
        denied: Denied,
        route: &Route,
        parts: &Parts,
        now: Timestamp,
    ) -> Result<Response<Body>, Refusal> {
        let (error, reason, caller, diagnosis) = match denied {
            Denied::NoToken if weakened("n_rs_11") => return Ok(Response::default()),
            Denied::NoToken => return Ok(refuse(&route.resource, None)),
            Denied::Challenged {
                error,
                reason,
                caller,
                diagnosis,
            } => (Some(error), reason, caller, diagnosis),
            Denied::Unknown { caller } => (None, "revocations_unknown", Some(caller), None),
        };
        let reference = Reference::new(&*self.ports.rng);
        let peer = peer(parts);
        let mut event = Event::new(now, Action::Call, Outcome::Deny);
        event.resource = Some(&route.resource.resource);
        if let Some(caller) = &caller {
            event = describe(event, caller, route);
        }
        (event.reason, event.reference) = (Some(reason), Some(reference.as_str()));
        event.peer = peer.as_deref();
        self.record(&event).await;
        let Some(mut error) = error else {
            let sentence =
                "It is not known at the moment whether this token was revoked; try again.";
            return Err(Refusal::new(Code::RevocationsUnknown, sentence)
                .with_detail(&route.resource.resource)
                .with_reference(reference));
        };
        let diagnosis = diagnosis.map_or_else(|| Diagnosis::named(reason, ""), |found| *found);
        tracing::info!(
            gateway.code = reason,
            reason = &*diagnosis.reason,
            detail = %diagnosis,
            reference = %reference,
            resource = %route.resource.resource,
            "refused a token: {reason}"
        );
        error.description = format!("{} ({reference})", error.description).into();
        let mut response = refuse(&route.resource, Some(&error));
        response.extensions_mut().insert(Noted {
            reference,
            stage: Stage::Call,
            diagnosis,
        });
        Ok(response)
    }

    /// A denial stays one, whether or not it could be recorded.
    async fn record(&self, event: &Event<'_>) {
        if let Err(error) = self.audit.record(event).await {
            tracing::error!(audit.error = %error, "a denial could not be recorded");
        }
    }
}

/// What came after the headers.
struct Call {
    body: Bytes,
}

impl Call {
    async fn read(parts: &Parts, body: Body) -> Result<Self, Refusal> {
        let body = if parts.method == Method::POST {
            read(parts, body).await?
        } else {
            Bytes::new()
        };
        Ok(Self { body })
    }

    /// The message of a POST; `None` for the others, whose headers must make sense as well.
    fn understand(&self, parts: &Parts) -> Result<Option<Envelope<'_>>, Refusal> {
        if parts.method == Method::POST {
            return inspect(&parts.headers, &self.body).map(Some);
        }
        McpHeaders::read(&parts.headers)
            .map(|_| None)
            .map_err(|error| Refusal::rpc(Code::HeaderMismatch, error))
    }
}

fn exchange(parts: &Parts, message: Option<&Envelope<'_>>) -> Exchange {
    let listens = message.is_some_and(|message| message.method() == Some("subscriptions/listen"));
    if listens || parts.method == Method::GET {
        Exchange::Stream
    } else {
        Exchange::Call
    }
}

fn metadata(
    route: &Route,
    origin: &AllowedOrigin,
    parts: &Parts,
) -> Result<Response<Body>, Refusal> {
    match parts.method {
        Method::GET | Method::HEAD => Ok(route.resource.response()),
        Method::OPTIONS => Ok(origin.preflight(&parts.headers, "GET, OPTIONS")),
        _ => Err(Refusal::new(
            Code::MethodNotAllowed,
            "Metadata is only read.",
        )),
    }
}

fn peer(parts: &Parts) -> Option<Cow<'static, str>> {
    let ConnectInfo(address) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    // Where most calls come from is not worth formatting each time.
    Some(match address.ip() {
        IpAddr::V4(Ipv4Addr::LOCALHOST) => Cow::Borrowed("127.0.0.1"),
        other => Cow::Owned(other.to_string()),
    })
}
