//! Connections to the upstream, kept between calls.
//!
//! Whoever uses a connection also drives it: request, connection and answer are polled by the task
//! of the client's own connection, so that a call costs no other task and no wake-up between two
//! (docs/adr/0002-hot-path.md).

use std::collections::VecDeque;
use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower::Service as _;

/// A connection that nobody uses is closed after this time: most servers wait for five seconds.
const IDLE: Duration = Duration::from_secs(4);

/// Connections that are kept at a time.
const MOST_IDLE: usize = 256;

/// One connection.
pub(super) struct Link {
    sender: SendRequest<Full<Bytes>>,
    connection: Box<Connection<MaybeHttpsStream<TokioIo<TcpStream>>, Full<Bytes>>>,
    open: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("no connection: {0}")]
    Connect(#[source] Box<dyn Error + Send + Sync>),
    #[error("the connection broke off: {0}")]
    Broken(#[source] hyper::Error),
}

/// The connections to one upstream.
pub(super) struct Links {
    connector: HttpsConnector<HttpConnector>,
    uri: Uri,
    idle: Mutex<VecDeque<(Link, Instant)>>,
}

impl Links {
    pub(super) fn new(connector: HttpsConnector<HttpConnector>, uri: Uri) -> Arc<Self> {
        Arc::new(Self {
            connector,
            uri,
            idle: Mutex::default(),
        })
    }

    /// Sends a request on a kept or a new connection. It is sent again only if the kept one had
    /// ended and not a byte of it was sent.
    pub(super) async fn send(
        self: &Arc<Self>,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Link), LinkError> {
        loop {
            let kept = poll_fn(|context| Poll::Ready(self.kept(context))).await;
            let (mut link, reused) = match kept {
                Some(link) => (link, true),
                None => (self.connect().await?, false),
            };
            let sent = {
                let Link {
                    sender,
                    connection,
                    open,
                } = &mut link;
                let mut answer = pin!(sender.try_send_request(request));
                poll_fn(|context| {
                    *open = *open && Pin::new(&mut **connection).poll(context).is_pending();
                    answer.as_mut().poll(context)
                })
                .await
            };
            match sent {
                Ok(answer) => return Ok((answer, link)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) if reused => request = unsent,
                    _ => return Err(LinkError::Broken(error.into_error())),
                },
            }
        }
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn keep(self: &Arc<Self>, link: Link) {
        if !link.open || link.sender.is_closed() {
            return;
        }
        let now = Instant::now();
        let mut idle = self.idle.lock();
        let first = idle.is_empty();
        idle.push_back((link, now));
        while idle
            .front()
            .is_some_and(|(_, since)| now.duration_since(*since) > IDLE)
        {
            idle.pop_front();
        }
        if idle.len() > MOST_IDLE {
            idle.pop_front();
        }
        drop(idle);
        if first {
            self.sweep();
        }
    }

    /// The connection that was used last, if it is still good.
    fn kept(&self, context: &mut Context<'_>) -> Option<Link> {
        loop {
            let (mut link, since) = self.idle.lock().pop_back()?;
            if since.elapsed() <= IDLE && link.drive(context) && link.sender.is_ready() {
                return Some(link);
            }
        }
    }

    async fn connect(&self) -> Result<Link, LinkError> {
        let mut connector = self.connector.clone();
        poll_fn(|context| connector.poll_ready(context))
            .await
            .map_err(LinkError::Connect)?;
        let stream = connector
            .call(self.uri.clone())
            .await
            .map_err(LinkError::Connect)?;
        let (sender, connection) = http1::handshake(stream).await.map_err(LinkError::Broken)?;
        Ok(Link {
            sender,
            connection: Box::new(connection),
            open: true,
        })
    }

    /// Closes what is not used any more, while there is something to close.
    fn sweep(self: &Arc<Self>) {
        let links = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(IDLE).await;
                let Some(links) = links.upgrade() else { return };
                let mut idle = links.idle.lock();
                idle.retain(|(_, since)| since.elapsed() <= IDLE);
                if idle.is_empty() {
                    return;
                }
            }
        });
    }
}

impl Link {
    /// Moves what can be moved; `false` once the connection has ended.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) -> bool {
        self.open = self.open && Pin::new(&mut *self.connection).poll(context).is_pending();
        self.open
    }
}
