//! To an HTTP upstream and back, streaming both ways.

mod answer;
mod asides;
mod awaited;
mod end;
mod events;
mod headers;
mod in_flight;
mod session;
mod stream;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri, response};
use http_body_util::Full;
use hyper::body::Incoming;
use keystile_domain::ports::Standing;
use keystile_protocol::mcp::headers as mcp;
use keystile_protocol::mutation::weakened;
use tokio::time::Instant;

use crate::admit::Permit;
use crate::connections::Connections;
use crate::handles::Handles;
use crate::inspect::Asked;
use crate::refusal::{Code, Refusal};
use crate::relay::{
    Failure, HttpBridge, Over, Ports, Reach, Spoken, Strange, Transport, call_limit,
};
use answer::{Content, Media};
use awaited::Awaited;
use end::End;
use events::Events;
pub(crate) use headers::is_nominated;
pub(crate) use session::{Sessions, Thread};
use stream::{Limit, PermittedBody};

/// A running MCP server that is reached over HTTP. Its URL comes from the operator only.
pub struct HttpUpstream(Box<Target>);

struct Target {
    /// For clients of the era that the server does not speak.
    bridge: OnceLock<HttpBridge>,
    uri: Uri,
    host: HeaderValue,
    transport: Transport,
    connections: Connections,
    call_limit: Duration,
    keep_alive: Duration,
    /// What it has sent that may not reach a client.
    strange: Arc<Strange>,
}

/// The upstream's URL can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the upstream must be an http or https URL with a host, such as http://127.0.0.1:3000/mcp")]
pub struct UpstreamUrlError;

/// An admitted request on its way.
pub(crate) struct Forwarded {
    body: Bytes,
    /// `Mcp-Name`, where the server knows the thing under another one than the client.
    name: Option<HeaderValue>,
    awaited: Awaited,
    thread: Thread,
    handles: Option<Handles>,
}

impl Forwarded {
    pub(crate) fn new(
        parts: &Parts,
        asked: &Asked<'_>,
        body: &Bytes,
        mut thread: Thread,
        handles: Option<Handles>,
    ) -> Self {
        let body = handles.as_ref().map_or(body, Handles::request).clone();
        let message = asked.message();
        Self {
            name: handles.as_ref().and_then(|handles| handles.name(message?)),
            awaited: Awaited::of(parts, asked, &body, thread.has_batches()).holding(thread.held()),
            body,
            thread,
            handles,
        }
    }
}

/// The content of an answer, as far as it has come.
enum Came {
    Events(Incoming),
    Message(Bytes),
    Nothing,
}

/// Why a forwarded request got no answer from the upstream.
pub(crate) enum NotForwarded {
    Refused(Refusal),
    /// The grant, the person or the client was revoked meanwhile.
    Revoked,
}

impl From<Refusal> for NotForwarded {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<End> for NotForwarded {
    fn from(end: End) -> Self {
        match end {
            End::Over(Over::Revoked | Over::Unknown | Over::InOrder) => Self::Revoked,
            other => other.refusal().map_or(Self::Revoked, Self::Refused),
        }
    }
}

impl fmt::Debug for HttpUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpUpstream").field(&self.0.uri).finish()
    }
}

impl HttpUpstream {
    /// The upstream at this URL, which the log calls `name`; an https one needs `tls`.
    ///
    /// # Errors
    /// Not http or https, or no host.
    pub fn new(
        name: &str,
        url: &str,
        tls: Option<rustls::ClientConfig>,
    ) -> Result<Self, UpstreamUrlError> {
        let uri: Uri = url.parse().map_err(|_| UpstreamUrlError)?;
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri
            .authority()
            .filter(|authority| !authority.as_str().contains('@'));
        let Some(authority) = authority.filter(|_| known) else {
            return Err(UpstreamUrlError);
        };
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| UpstreamUrlError)?;
        Ok(Self(Box::new(Target {
            bridge: OnceLock::new(),
            uri,
            host,
            transport: Transport::default(),
            connections: Connections::new(tls),
            call_limit: CALL_LIMIT,
            keep_alive: KEEP_ALIVE,
            strange: Arc::new(Strange::of(name)),
        })))
    }

    /// The transport that it takes, where that is known; otherwise it is found out.
    #[must_use]
    pub fn with_transport(mut self, transport: Transport) -> Self {
        self.0.transport = transport;
        self
    }

    /// How long a call may take from its beginning to the end of its answer; 10 minutes unless said otherwise.
    #[must_use]
    pub fn with_call_limit(mut self, limit: Duration) -> Self {
        self.0.call_limit = limit;
        self
    }

    /// After how much silence an event stream gets a comment, so that proxies on the way do not
    /// cut it; 15 seconds unless said otherwise.
    #[must_use]
    pub fn with_keep_alive(mut self, quiet: Duration) -> Self {
        self.0.keep_alive = quiet;
        self
    }

    /// Whether its last answer could not be passed on.
    pub(crate) fn is_unhealthy(&self) -> bool {
        self.0.strange.is_unhealthy()
    }

    /// The bridge for clients of the era that the server does not speak.
    pub fn bridge(&self, ports: &Ports) -> &HttpBridge {
        let target = &self.0;
        target.bridge.get_or_init(|| {
            let reach = Reach {
                uri: target.uri.clone(),
                host: target.host.clone(),
                connections: target.connections.clone(),
                call_limit: target.call_limit,
                max_message: MAX_MESSAGE,
                strange: Arc::clone(&target.strange),
                spoken: Spoken::new(target.transport),
            };
            HttpBridge::new(reach, ports.clone())
        })
    }

    /// Sends an admitted request and hands its answer back: one message when it is whole, events as they come.
    pub(crate) async fn forward(
        &self,
        permit: &Permit,
        parts: &Parts,
        mut call: Forwarded,
        ports: &Arc<Ports>,
    ) -> Result<Response<Body>, NotForwarded> {
        let limit = Limit {
            deadline: Instant::now() + call_limit(self.0.call_limit),
            keep_alive: self.0.keep_alive,
        };
        let (mut answer, came) = tokio::select! {
            biased;
            answered = self.answered(parts, &mut call) => answered?,
            end = stream::waited(permit, ports, limit.deadline) => return Err(end.into()),
        };
        // What needs no answer was accepted, or was not (CHECKLIST N-TR-05); some servers say 200.
        let posted = parts.method == Method::POST && call.awaited.is_nothing();
        if posted && answer.status.is_success() && !weakened("n_tr_05b") {
            answer.status = StatusCode::ACCEPTED;
        }
        let ids = call.thread.event_ids(permit, &answer.headers);
        call.thread.bind(permit, &mut answer.headers)?;
        Ok(match came {
            Came::Nothing => answer::relay(answer, Content::Nothing, Body::empty()),
            Came::Message(_) if permit.standing(&*ports.revocations) != Standing::Good => {
                return Err(NotForwarded::Revoked);
            }
            Came::Message(bytes) => answer::relay(answer, Content::Message, Body::from(bytes)),
            Came::Events(body) => {
                let events =
                    Events::new(call.awaited, ids, call.handles, Arc::clone(&self.0.strange));
                let body = PermittedBody::new(body, events, permit, ports, limit);
                answer::relay(answer, Content::Events, Body::new(body))
            }
        })
    }

    /// The answer's head, and its message if it is one.
    async fn answered(
        &self,
        parts: &Parts,
        call: &mut Forwarded,
    ) -> Result<(response::Parts, Came), NotForwarded> {
        let request = self.request(parts, call);
        let strange = &*self.0.strange;
        let answer = self.0.connections.request(request).await;
        let answer = answer.map_err(|error| {
            strange.unfit(&"it can't be reached, or hung up before it answered");
            unreachable(&error)
        })?;
        let (head, body) = answer.into_parts();
        let media = Media::of(&head.headers);
        let unfit = |refusal| self.unfit(refusal, parts, &head);
        let content = answer::judge(parts, &call.awaited, &head, media).map_err(unfit)?;
        let failed = |failure: Failure| NotForwarded::Refused(Refusal::from(&failure));
        let came = match content {
            Content::Nothing => Came::Nothing,
            Content::Events => Came::Events(body),
            Content::Message => {
                let bytes = answer::whole(body).await.map_err(|failure| {
                    strange.fail(b"", &failure);
                    failed(failure)
                })?;
                let awaited = &mut call.awaited;
                match answer::awaited_in(bytes, awaited, strange) {
                    Ok(bytes) => Came::Message(sealed(call.handles.as_ref(), bytes)),
                    Err(failure) if head.status.is_success() => {
                        strange.unfit(&failure);
                        return Err(failed(failure));
                    }
                    // Some framework's own words about the status, perhaps: only the status counts.
                    Err(_) => {
                        answer::judge(parts, awaited, &head, Media::Other).map_err(unfit)?;
                        Came::Nothing
                    }
                }
            }
        };
        Ok((head, came))
    }

    /// What is said of an answer that can't be passed on. Where it was found out that the upstream takes messages in
    /// another way that we do not go, that is why it takes no POST.
    fn unfit(&self, refusal: Refusal, asked: &Parts, answer: &response::Parts) -> Refusal {
        let (status, is_post) = (answer.status, asked.method == Method::POST);
        let found = self.0.bridge.get().and_then(HttpBridge::refused);
        let found = found.filter(|_| is_post && status.is_client_error());
        let refusal = match found {
            Some(failure) if !weakened("a_139b") => Refusal::from(&failure),
            _ => refusal,
        };
        // What it failed one request for may be that request's fault.
        let of_request =
            status.is_client_error() && refusal.word() == Code::UpstreamFailed.as_str();
        if !of_request {
            self.0.strange.unfit(&refusal.word());
        }
        refusal
    }

    /// The upstream's request: our method and target, the client's message, and of its headers only
    /// those that MCP needs.
    fn request(&self, parts: &Parts, call: &Forwarded) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = if weakened("a_130") {
            parts.uri.clone()
        } else {
            self.0.uri.clone()
        };
        *request.headers_mut() = headers::forwarded(&parts.headers);
        call.thread.forward(request.headers_mut());
        if let Some(name) = &call.name {
            request.headers_mut().insert(mcp::NAME, name.clone());
        }
        request
            .headers_mut()
            .insert(header::HOST, self.0.host.clone());
        if weakened("n_rs_09")
            && let Some(token) = parts.headers.get(header::AUTHORIZATION)
        {
            request
                .headers_mut()
                .insert(header::AUTHORIZATION, token.clone());
        }
        request
    }
}

/// The message with what its server hands out sealed.
fn sealed(handles: Option<&Handles>, message: Bytes) -> Bytes {
    let text = std::str::from_utf8(&message).ok();
    let sealed = text.and_then(|text| handles?.seal(text));
    sealed.map_or(message, Bytes::from)
}

fn unreachable(error: &hyper_util::client::legacy::Error) -> NotForwarded {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let detail = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    if !error.is_connect() {
        return End::HungUp(detail).into();
    }
    let sentence =
        "The server behind this gateway can't be reached; its operator should see whether it runs.";
    NotForwarded::Refused(Refusal::new(Code::UpstreamUnreachable, sentence).with_detail(detail))
}

const KEEP_ALIVE: Duration = Duration::from_secs(15);
const CALL_LIMIT: Duration = Duration::from_secs(600);
/// One message of an upstream is held whole, so that it can be looked at (CHECKLIST A-162).
const MAX_MESSAGE: usize = 8 * 1024 * 1024;

/// A cap on what an upstream sends.
fn most(cap: usize) -> usize {
    match weakened("a_162") {
        true => usize::MAX,
        false => cap,
    }
}
