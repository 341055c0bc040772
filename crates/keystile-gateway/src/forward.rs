//! To an HTTP upstream and back, streaming both ways.

mod answer;
mod headers;
mod session;
mod stream;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Request, Response, Uri};
use http_body_util::Full;
use keystile_protocol::mcp::Revision;
use keystile_protocol::mutation::weakened;

use crate::admit::Permit;
use crate::connections::Connections;
use crate::refusal::{Code, Refusal};
use crate::relay::{HttpBridge, Ports, Reach, Spoken, Transport};
use answer::Media;
pub(crate) use session::{InSession, Sessions};
use stream::{Lasts, PermittedBody, Waited};

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
}

/// The upstream's URL can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the upstream must be an http or https URL with a host, such as http://127.0.0.1:3000/mcp")]
pub struct UpstreamUrlError;

/// What a forwarded request is, for how long its answer may take and last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exchange {
    /// Runs to its own limit (CHECKLIST R11).
    Call,
    /// Lives as long as the token: GET, and `subscriptions/listen`.
    Stream,
}

/// An admitted request on its way.
pub(crate) struct Forwarded {
    pub(crate) body: Bytes,
    pub(crate) exchange: Exchange,
    pub(crate) session: Option<InSession>,
    /// The revision that an `initialize` asks for.
    pub(crate) begins: Option<Revision>,
}

/// Why a forwarded request got no answer from the upstream.
pub(crate) enum NotForwarded {
    Refused(Refusal),
    /// The grant, the person or the client was revoked meanwhile.
    Revoked,
}

impl fmt::Debug for HttpUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpUpstream").field(&self.0.uri).finish()
    }
}

impl HttpUpstream {
    /// An upstream at this URL; an https one needs `tls`.
    ///
    /// # Errors
    /// Not http or https, or no host.
    pub fn new(url: &str, tls: Option<rustls::ClientConfig>) -> Result<Self, UpstreamUrlError> {
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
        })))
    }

    /// The transport that it takes, where that is known; otherwise it is found out.
    #[must_use]
    pub fn with_transport(mut self, transport: Transport) -> Self {
        self.0.transport = transport;
        self
    }

    /// How long a call may take until its answer begins; 10 minutes unless said otherwise.
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

    /// The bridge for clients of the era that the server does not speak.
    pub fn bridge(&self, ports: &Ports) -> &HttpBridge {
        let target = &self.0;
        target.bridge.get_or_init(|| {
            let reach = Reach {
                uri: target.uri.clone(),
                host: target.host.clone(),
                connections: target.connections.clone(),
                call_limit: target.call_limit,
                max_message: MAX_BRIDGED,
                strange: Arc::default(),
                spoken: Spoken::new(target.transport),
            };
            HttpBridge::new(reach, ports.clone())
        })
    }

    /// Sends an admitted request and hands its answer back as it comes.
    pub(crate) async fn forward(
        &self,
        permit: &Permit,
        parts: &Parts,
        call: &Forwarded,
        ports: &Arc<Ports>,
    ) -> Result<Response<Body>, NotForwarded> {
        let request = self.request(parts, call.body.clone(), call.session.as_ref());
        let waiting = stream::waited(permit, ports, self.0.call_limit);
        let answer = tokio::select! {
            biased;
            answer = self.0.connections.request(request) => {
                answer.map_err(|error| NotForwarded::Refused(unreachable(&error)))?
            }
            ended = waiting => return Err(match ended {
                Waited::Revoked => NotForwarded::Revoked,
                Waited::TooLong => {
                    let sentence = "The server did not answer within its time limit.";
                    NotForwarded::Refused(Refusal::new(Code::UpstreamTimeout, sentence))
                }
            }),
        };
        let media = answer::judge(parts, &answer).map_err(NotForwarded::Refused)?;
        let lasts = Lasts {
            expires: call.exchange == Exchange::Stream,
            keep_alive: (media == Media::Events).then_some(self.0.keep_alive),
        };
        Ok(answer::relay(answer, media, |body| {
            Body::new(PermittedBody::new(body, permit, lasts, ports))
        }))
    }

    /// The upstream's request: our method and target, the client's message, and of its headers only
    /// those that MCP needs.
    fn request(
        &self,
        parts: &Parts,
        body: Bytes,
        session: Option<&InSession>,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = if weakened("a_130") {
            parts.uri.clone()
        } else {
            self.0.uri.clone()
        };
        *request.headers_mut() = headers::forwarded(&parts.headers);
        session::forward(session, request.headers_mut());
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

fn unreachable(error: &hyper_util::client::legacy::Error) -> Refusal {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let detail = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    let sentence = if error.is_connect() {
        "The server behind this gateway can't be reached; its operator should see whether it runs."
    } else {
        "The server behind this gateway hung up before it answered."
    };
    Refusal::new(Code::UpstreamUnreachable, sentence).with_detail(detail)
}

const KEEP_ALIVE: Duration = Duration::from_secs(15);
const CALL_LIMIT: Duration = Duration::from_secs(600);
/// One message that is translated between the eras is held whole.
const MAX_BRIDGED: usize = 16 * 1024 * 1024;
