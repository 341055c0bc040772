//! Connections to one HTTP upstream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use thread_local::ThreadLocal;

type Connector = HttpsConnector<HttpConnector>;

/// Kept and used again, by the thread that opened them: an answer that comes to another thread's scheduler wakes two
/// of them, and the pool's lock is nobody else's (ADR 0002).
#[derive(Clone)]
pub(crate) struct Connections(Arc<Inner>);

struct Inner {
    connector: Connector,
    of_thread: ThreadLocal<Client<Connector, Full<Bytes>>>,
}

impl Connections {
    /// An https upstream needs `tls`.
    pub(crate) fn new(tls: Option<rustls::ClientConfig>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_LIMIT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.unwrap_or_else(trusts_nobody))
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Self(Arc::new(Inner {
            connector,
            of_thread: ThreadLocal::new(),
        }))
    }

    /// Sends a request on a connection that is free, or on a new one.
    pub(crate) fn request(&self, request: Request<Full<Bytes>>) -> ResponseFuture {
        let client = self.0.of_thread.get_or(|| {
            Client::builder(TokioExecutor::new())
                .pool_idle_timeout(POOL_IDLE)
                .pool_timer(TokioTimer::new())
                .build(self.0.connector.clone())
        });
        client.request(request)
    }
}

/// For plain http, where no certificate is ever looked at.
fn trusts_nobody() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for the default versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const POOL_IDLE: Duration = Duration::from_secs(50);
