//! The accept loops: one task a connection, bounded headers and waits, a clean end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use ipnet::IpNet;
use keystile_gateway::{Ending, Phase};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::front::Front;
use crate::front::patience::{Patient, notice_silence};
use crate::front::workers::Workers;

/// Connections at a time, for everybody: the next ones wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 16_384;

/// A request's head must come within this time (slowloris).
const HEAD_LIMIT: Duration = Duration::from_secs(10);

/// How long calls may still run when all ends.
const GRACE: Duration = Duration::from_secs(10);

/// And how long it takes to tell those that are given up.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A request's head has at most this many bytes.
const LARGEST_HEAD: usize = 32 * 1024;

/// What all public listeners share.
pub(crate) struct Door {
    front: Arc<Front>,
    proxies: Arc<[IpNet]>,
    workers: Workers,
    /// Connections that there may still be.
    places: Arc<Semaphore>,
    /// Has what is open end.
    end: watch::Sender<Phase>,
}

impl Door {
    pub(crate) fn new(
        front: Front,
        proxies: Arc<[IpNet]>,
        workers: Workers,
        end: watch::Sender<Phase>,
    ) -> Self {
        Self {
            front: Arc::new(front),
            proxies,
            workers,
            places: Arc::new(Semaphore::new(MOST_CONNECTIONS)),
            end,
        }
    }
}

/// Serves one listener until all ends, then waits for open requests, and after [`GRACE`] gives up those that are left.
pub(crate) async fn serve(listener: TcpListener, door: Arc<Door>, ending: Ending) {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(LARGEST_HEAD)
        .half_close(false);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(128)
        .max_header_list_size(LARGEST_HEAD as u32)
        .keep_alive_interval(Duration::from_secs(60));
    let http = Arc::new(http);
    let open = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&door.places).acquire_owned() => place.expect("it is never closed"),
            () = ending.reached(Phase::Draining) => break,
        };
        let (stream, peer) = tokio::select! {
            _ = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // No free file descriptors, most likely: wait for some to close.
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = ending.reached(Phase::Draining) => break,
        };
        if !may_connect(peer, &door.proxies) {
            tracing::warn!(%peer, "refused a peer that is not the trusted proxy");
            continue;
        }
        // It is told to its worker's reactor, and forgotten by ours.
        let told = stream
            .set_nodelay(true)
            .and_then(|()| notice_silence(&stream));
        let Ok(stream) = told.and_then(|()| stream.into_std()) else {
            continue;
        };
        let connection = Arc::clone(&http);
        let front = Arc::clone(&door.front);
        let watcher = open.watcher();
        let served = async move {
            match TcpStream::from_std(stream) {
                Ok(stream) => one(&connection, stream, peer, front, watcher).await,
                Err(error) => tracing::warn!(%peer, %error, "can't take a connection"),
            }
            drop(place);
        };
        connections.spawn_on(served, door.workers.next());
    }
    drop(listener);
    let mut closed = pin!(open.shutdown());
    if timeout(GRACE, &mut closed).await.is_err() {
        tracing::warn!(
            "calls have run for {} s since the end began, and are given up",
            GRACE.as_secs()
        );
        door.end.send_replace(Phase::Ending);
        let _ = timeout(LAST_WORDS, closed).await;
    }
    // Who is still there is hung up on, before the store goes: that would look like a revocation.
    connections.shutdown().await;
}

/// Loopback always; others only as the declared proxy, which has the TLS (DESIGN §2).
fn may_connect(peer: SocketAddr, proxies: &[IpNet]) -> bool {
    let ip = peer.ip().to_canonical();
    ip.is_loopback() || proxies.iter().any(|network| network.contains(&ip))
}

async fn one(
    http: &Builder<TokioExecutor>,
    stream: TcpStream,
    peer: SocketAddr,
    front: Arc<Front>,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let front = Arc::clone(&front);
        let answer =
            async move { Ok::<_, Infallible>(front.answer(request.map(Body::new), peer).await) };
        // The connection keeps room for what works on a request, also while a stream is all that it does.
        Box::pin(answer)
    });
    let connection = http
        .serve_connection(TokioIo::new(Patient::new(stream)), service)
        .into_owned();
    // By itself it fits a smaller piece of memory than with its task around it.
    if let Err(error) = Box::pin(watcher.watch(connection)).await {
        tracing::debug!(%peer, %error, "a connection broke off");
    }
}
