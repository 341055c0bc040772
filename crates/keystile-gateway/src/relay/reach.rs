//! How an HTTP upstream is reached, and over which transport.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;

use super::{Connect, Failure, Strange, Wire, http_link, sse_link};
use crate::connections::Connections;

/// The transport that an HTTP upstream takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// It is found out: one that refuses a POST and begins a stream with an `endpoint` event is of 2024-11-05
    /// (MCP 2025-11-25, transports, "Backwards Compatibility").
    #[default]
    Detect,
    /// Since 2025-03-26: one endpoint for everything.
    StreamableHttp,
    /// HTTP+SSE of 2024-11-05: one stream for all that the server says, and an endpoint to post to.
    HttpSse,
}

/// How the upstream is reached.
#[derive(Clone)]
pub(crate) struct Reach {
    pub(crate) uri: Uri,
    pub(crate) host: HeaderValue,
    pub(crate) connections: Connections,
    /// Until an answer begins.
    pub(crate) call_limit: Duration,
    /// Bytes in one message.
    pub(crate) max_message: usize,
    /// What it has sent that is no MCP.
    pub(crate) strange: Arc<Strange>,
    pub(crate) spoken: Spoken,
}

/// What is known of the transport.
#[derive(Clone)]
pub(crate) struct Spoken {
    transport: Transport,
    found_http_sse: Arc<AtomicBool>,
    /// Why it can't be spoken to over either, if that is what was found.
    refused: Arc<Mutex<Option<Failure>>>,
}

impl Spoken {
    pub(crate) fn new(transport: Transport) -> Self {
        Self {
            transport,
            found_http_sse: Arc::default(),
            refused: Arc::default(),
        }
    }

    pub(super) fn refused(&self) -> Option<Failure> {
        self.refused.lock().clone()
    }

    pub(crate) fn is_http_sse(&self) -> bool {
        match self.transport {
            Transport::Detect => self.found_http_sse.load(Ordering::Acquire),
            known => known == Transport::HttpSse,
        }
    }
}

#[async_trait]
impl Connect for Reach {
    async fn connect(&self) -> Result<Wire, Failure> {
        match self.spoken.is_http_sse() {
            true => sse_link::connect(self).await.inspect_err(|_| {
                self.strange.silently_unfit();
            }),
            false => Ok(http_link::connect(self)),
        }
    }

    async fn fall_back(&self, refused: &Failure) -> Result<bool, Failure> {
        let spoken = &self.spoken;
        let unknown = spoken.transport == Transport::Detect && !spoken.is_http_sse();
        if !unknown || !may_be_older(refused) || weakened("n_tr_19") {
            return Ok(false);
        }
        *spoken.refused.lock() = None;
        match sse_link::connect(self).await {
            Ok(_) => {
                let server = self.strange.server();
                tracing::info!(
                    server,
                    "the server speaks HTTP+SSE, the transport of 2024-11-05"
                );
                spoken.found_http_sse.store(true, Ordering::Release);
                Ok(true)
            }
            Err(failure @ (Failure::NoEndpoint | Failure::ForeignEndpoint(_))) => {
                *spoken.refused.lock() = Some(failure.clone());
                Err(failure)
            }
            // What the POST met says more.
            Err(_) => Ok(false),
        }
    }
}

impl Reach {
    pub(super) fn request(
        &self,
        method: Method,
        uri: Uri,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Request<Full<Bytes>> {
        let accept = if method == Method::GET {
            "text/event-stream"
        } else {
            "application/json, text/event-stream"
        };
        headers.insert(header::HOST, self.host.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        if method == Method::POST {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request
    }

    /// Waits until the answer begins.
    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<Response<Incoming>, Failure> {
        let sent = self.connections.request(request);
        tokio::time::timeout(limit, sent)
            .await
            .map_err(|_| Failure::Unreachable("no answer in time".into()))?
            .map_err(|error| Failure::unreachable(&error))
    }
}

/// Whether a server of 2024-11-05 may have refused a POST like this. It wants no sign-in then, and is neither busy nor
/// broken.
fn may_be_older(refused: &Failure) -> bool {
    match refused {
        Failure::NotMcp => true,
        Failure::BadStatus(status) => {
            (400..500).contains(status) && !matches!(status, 401 | 403 | 407 | 429)
        }
        _ => false,
    }
}

/// The media type of an answer, without parameters.
pub(super) fn media(response: &Response<Incoming>) -> Option<&str> {
    let value = response
        .headers()
        .get(header::CONTENT_TYPE)?
        .to_str()
        .ok()?;
    value.split(';').next().map(str::trim)
}
