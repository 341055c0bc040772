//! A gateway on a port of loopback, for what is seen on the wire only.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use keystile_gateway::Gateway;
use tokio::net::TcpListener;

/// As the binary serves it: HTTP/1.1 and HTTP/2 on each connection.
pub(crate) async fn serve(gateway: &Arc<Gateway>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("works in a test");
    let address = listener.local_addr().expect("works in a test");
    let gateway = Arc::clone(gateway);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("works in a test");
            let gateway = Arc::clone(&gateway);
            let service = service_fn(move |request: Request<Incoming>| {
                let gateway = Arc::clone(&gateway);
                async move { Ok::<_, Infallible>(gateway.handle(request.map(Body::new)).await) }
            });
            let mut http = Builder::new(TokioExecutor::new());
            http.http1().half_close(false);
            tokio::spawn(async move {
                let connection = http.serve_connection(TokioIo::new(stream), service);
                // A client that goes away in the middle is no failure.
                drop(connection.into_owned().await);
            });
        }
    });
    address
}
