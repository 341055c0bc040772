use std::{future::Future, net::SocketAddr};

use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Eras, Error, Options, Server};

/// How to serve over HTTP.
#[derive(Debug, Clone, Copy)]
pub struct Http {
    /// A loopback address, since the server itself lets in whoever reaches it. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Which revisions are spoken.
    pub eras: Eras,
}

/// Serves Streamable HTTP at `/mcp`, for any number of clients, until `stop` is ready.
///
/// `listening` gets the real address once connections are accepted.
///
/// # Errors
/// [`Error::Listen`] if the address is not loopback or is taken; else as [`Server::open`].
pub async fn serve_http(
    options: Options,
    http: Http,
    listening: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let refuse = |problem: String| Error::Listen {
        address: http.listen,
        problem,
    };
    if !http.listen.ip().is_loopback() {
        return Err(refuse(
            "this server asks nobody who they are, so it listens on 127.0.0.1 or [::1] only; \
             put Keystile in front of it to open it to others"
                .to_owned(),
        ));
    }
    let server = Server::open(options, http.eras).await?;
    let listener = TcpListener::bind(http.listen)
        .await
        .map_err(|error| refuse(error.to_string()))?;
    let address = listener
        .local_addr()
        .map_err(|error| refuse(error.to_string()))?;
    let sessions = CancellationToken::new();
    let service: StreamableHttpService<Server, LocalSessionManager> = StreamableHttpService::new(
        move || Ok(server.clone()),
        Default::default(),
        config(http.eras, sessions.clone()),
    );
    let app = axum::Router::new().route_service("/mcp", service);
    listening(address);
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            stop.await;
            // Open streams never end by themselves.
            sessions.cancel();
        })
        .await
        .map_err(|error| Error::Session(error.to_string()))
}

fn config(eras: Eras, sessions: CancellationToken) -> StreamableHttpServerConfig {
    let config = StreamableHttpServerConfig::default()
        .with_cancellation_token(sessions)
        // No page in a browser is a client of this server.
        .enforce_origin_validation();
    match eras {
        Eras::Both | Eras::Only2025 => config,
        Eras::Only2026 => config
            .with_legacy_session_mode(false)
            .with_stateless_protocol_metadata_required(true),
    }
}
