//! One request through the gateway: guard, route, admit, inspect, record, forward.

mod path;
mod record;
mod streams;

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use keystile_domain::flow::{Noted, Whose};
use keystile_domain::ports::{AuditSink, Standing};
use keystile_domain::time::Timestamp;
use keystile_protocol::issuer::Issuer;
use keystile_protocol::mutation::weakened;
use keystile_protocol::resource::ServedResource;
use keystile_resource::Verifier;

use crate::admit::{Denied, Permit, admit};
use crate::drain::drain;
use crate::forward::{Forwarded, HttpUpstream, NotForwarded, Sessions};
use crate::guard::{AllowedOrigin, Guard, is_preflight};
use crate::inspect::{Asked, read};
use crate::refusal::{Code, Refusal};
use crate::relay::Ports;
use crate::route::{Door, Place, Route, Routes};
use crate::upstream::Upstream;
use path::Path;
use streams::Streams;

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
    streams: Arc<Streams>,
}

impl Gateway {
    /// A gateway that takes the tokens that `verifier` finds good.
    #[must_use]
    pub fn new(
        settings: Settings,
        verifier: Arc<Verifier>,
        audit: Arc<dyn AuditSink>,
        ports: Ports,
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
            sessions: Sessions::new(Arc::clone(&ports.secrets)),
            ports: Arc::new(ports),
            streams: Arc::default(),
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

    /// The names of the servers whose last answer could not be passed on.
    #[must_use]
    pub fn unhealthy(&self) -> Vec<&str> {
        let unhealthy = self.routes.all().filter(|it| it.upstream.is_unhealthy());
        unhealthy.map(|route| &*route.name).collect()
    }

    /// What this path names here; all others belong to the router behind it.
    #[must_use]
    pub fn place(&self, path: &str) -> Option<Place<'_>> {
        self.routes.find(path)
    }

    /// The check of Host and Origin, which the paths of others need as well.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Says in the log, and keeps for `keystile doctor`, what a refusal left on its answer.
    pub fn keep(&self, response: &mut Response<Body>) {
        if let Some(noted) = response.extensions_mut().remove::<Noted>() {
            let whose = response.extensions_mut().remove::<Whose>();
            self.ports.refused(noted, whose.unwrap_or_default());
        }
    }

    /// Answers a request, wherever it leads.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        match self.place(request.uri().path()) {
            Some(place) => self.answer(place, request, None).await,
            None => {
                let refusal = Refusal::new(Code::UnknownPath, "Nothing is at this path.");
                let mut response = refusal.respond(&*self.ports.rng);
                self.keep(&mut response);
                response
            }
        }
    }

    /// Answers a request to this place, from this address.
    pub async fn answer(
        &self,
        place: Place<'_>,
        request: Request<Body>,
        from: Option<IpAddr>,
    ) -> Response<Body> {
        let (parts, mut body) = request.into_parts();
        let sent = Sent {
            parts: &parts,
            from,
            at: self.ports.clock.now(),
        };
        let mut response = match self.guard.check(&parts) {
            Ok(origin) => {
                let answer = match place {
                    Place::Endpoint(route, door) => {
                        let to = (route, door);
                        self.endpoint(to, &origin, sent, &mut body).await
                    }
                    Place::Metadata(route) => metadata(route, &origin, &parts),
                };
                let refused = |refusal: Refusal| refusal.respond(&*self.ports.rng);
                let mut response = answer.unwrap_or_else(refused);
                origin.expose(&mut response);
                response
            }
            Err(refusal) => match place {
                Place::Metadata(_) => refusal.respond_outside_mcp(&parts.headers, &*self.ports.rng),
                Place::Endpoint(..) => refusal.respond(&*self.ports.rng),
            },
        };
        // Before anything is waited for: whoever hangs up now was refused all the same.
        self.keep(&mut response);
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            // What was read whole has nothing left.
            drain(&parts, &mut body).await;
        }
        response
    }

    async fn endpoint(
        &self,
        (route, door): (&Arc<Route>, Door),
        origin: &AllowedOrigin,
        sent: Sent<'_>,
        body: &mut Body,
    ) -> Result<Response<Body>, Refusal> {
        let (parts, methods) = (sent.parts, door.methods());
        if is_preflight(parts) {
            return Ok(origin.preflight(&parts.headers, methods));
        }
        if !door.takes(&parts.method) {
            let sentence = format!("This place takes {methods}.");
            return Err(Refusal::new(Code::MethodNotAllowed, sentence).with_methods(methods));
        }
        let revocations = &*self.ports.revocations;
        match admit(parts, route, &self.verifier, revocations, sent.at) {
            Ok(permit) => {
                let answer = self.admitted(&permit, door, sent, body).await;
                answer.map_err(|refusal| refusal.asked_by(&permit.caller()))
            }
            Err(denied) => self.deny(denied, None, route, sent).await,
        }
    }

    async fn admitted(
        &self,
        permit: &Permit,
        door: Door,
        sent: Sent<'_>,
        body: &mut Body,
    ) -> Result<Response<Body>, Refusal> {
        let body = match sent.parts.method {
            Method::POST => read(sent.parts, body).await,
            _ => Ok(Bytes::new()),
        };
        let body = match body {
            Ok(body) => body,
            Err(refusal) => return Err(self.record_refusal(refusal, permit, sent).await),
        };
        let asked = match door {
            Door::Mcp => Asked::read(sent.parts, &body),
            Door::Stream | Door::Messages => Asked::of_2024(sent.parts, &body),
        };
        let asked = match asked {
            Ok(asked) => asked,
            Err(refusal) => return Err(self.record_refusal(refusal, permit, sent).await),
        };
        if let Some((place, denied)) = first_denied(permit, &asked) {
            return self.deny_message(denied, place, &asked, permit, sent).await;
        }
        let way = match self.streams.open(permit, sent.parts, &asked) {
            Ok(stream) => {
                let path = self.path(permit, door, sent.parts, &asked, &body).await;
                path.map(|path| (path, stream))
            }
            Err(refusal) => Err(refusal),
        };
        let (path, stream) = match way {
            Ok((Path::Told(channel, refusal), _)) => {
                let refusal = refusal.with_id(asked.id());
                let refusal = self.record_refusal(refusal, permit, sent).await;
                return Ok(channel.tell(refusal).await);
            }
            Ok(way) => way,
            Err(refusal) => {
                let refusal = refusal.with_id(asked.id());
                return Err(self.record_refusal(refusal, permit, sent).await);
            }
        };
        self.record_calls(permit, sent, &asked)?;
        let response = match path {
            Path::Told(..) => unreachable!("it was told above"),
            Path::Relay(relay, caller, admitted) => {
                let response = relay.answer(&caller, &asked, admitted).await;
                self.relayed(response, permit, sent).await
            }
            Path::Forward(upstream, call) => {
                let forwarded = self.forward(upstream, permit, sent, *call).await;
                forwarded.map_err(|refusal| refusal.with_id(asked.id()))
            }
        }?;
        Ok(match stream {
            Some(stream) => stream.of(response),
            None => response,
        })
    }

    async fn forward(
        &self,
        upstream: &HttpUpstream,
        permit: &Permit,
        sent: Sent<'_>,
        call: Forwarded,
    ) -> Result<Response<Body>, Refusal> {
        let forwarded = upstream.forward(permit, sent.parts, call, &self.ports);
        match forwarded.await {
            Err(NotForwarded::Revoked) => self.cut_short(permit, sent).await,
            Err(NotForwarded::Refused(refusal)) => Err(refusal),
            Ok(response) => Ok(response),
        }
    }

    /// The relay says 401 for one reason only: the grant no longer stood while the call ran. The challenge is ours to make.
    async fn relayed(
        &self,
        response: Response<Body>,
        permit: &Permit,
        sent: Sent<'_>,
    ) -> Result<Response<Body>, Refusal> {
        match response.status() {
            StatusCode::UNAUTHORIZED => self.cut_short(permit, sent).await,
            _ => Ok(response),
        }
    }

    /// Only a revocation is the token's end. A feed that can't tell (it is closed with the process, for one) is a 503, or
    /// clients would throw a good token away.
    async fn cut_short(&self, permit: &Permit, sent: Sent<'_>) -> Result<Response<Body>, Refusal> {
        let denied = match permit.standing(&*self.ports.revocations) {
            Standing::Unknown => Denied::Unknown {
                caller: permit.verified().clone(),
            },
            Standing::Good | Standing::Revoked => Denied::revoked(permit),
        };
        let now = Sent {
            at: self.ports.clock.now(),
            ..sent
        };
        self.deny(denied, None, permit.route(), now).await
    }
}

/// A request's head, and from where and when it came.
#[derive(Clone, Copy)]
struct Sent<'a> {
    parts: &'a Parts,
    from: Option<IpAddr>,
    at: Timestamp,
}

impl Sent<'_> {
    fn address(&self) -> Option<Cow<'static, str>> {
        // Where most calls come from is not worth formatting each time.
        Some(match self.from? {
            IpAddr::V4(Ipv4Addr::LOCALHOST) => Cow::Borrowed("127.0.0.1"),
            other => Cow::Owned(other.to_string()),
        })
    }
}

/// The first message that the permit is not good for (CHECKLIST A-101: at any place of a batch).
fn first_denied(permit: &Permit, asked: &Asked<'_>) -> Option<(usize, Denied)> {
    let looked_at = match weakened("a_101") {
        true => 1,
        false => usize::MAX,
    };
    let messages = asked.messages().iter().take(looked_at).enumerate();
    let mut denied =
        messages.filter_map(|(place, message)| Some((place, permit.allows(message).err()?)));
    denied.next()
}

fn metadata(
    route: &Route,
    origin: &AllowedOrigin,
    parts: &Parts,
) -> Result<Response<Body>, Refusal> {
    match parts.method {
        Method::GET | Method::HEAD => Ok(route.resource.response()),
        Method::OPTIONS => Ok(origin.preflight(&parts.headers, "GET, OPTIONS")),
        _ => {
            let refusal = Refusal::new(Code::MethodNotAllowed, "Metadata is only read.");
            Err(refusal.with_methods("GET, HEAD, OPTIONS"))
        }
    }
}
