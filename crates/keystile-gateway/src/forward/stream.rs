//! A response body that ends when its permit does (CHECKLIST R11).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use keystile_domain::ports::Standing;

use crate::admit::Permit;
use crate::relay::{Ports, STALE};

/// What a body does besides passing on what comes. Revocation ends every one; an admitted call
/// otherwise runs to its own limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lasts {
    /// It ends with the token.
    pub(super) expires: bool,
    /// Silence in an event stream after which a comment is sent.
    pub(super) keep_alive: Option<Duration>,
}

type Watch = Pin<Box<dyn Future<Output = Woken> + Send>>;

enum Woken {
    /// The permit is over.
    Over,
    /// Nothing was sent for a while.
    Quiet,
}

/// The upstream's body, as it comes.
pub(super) struct PermittedBody {
    inner: Option<Incoming>,
    permit: Permit,
    ports: Arc<Ports>,
    lasts: Lasts,
    /// The revocation epoch at which the permit was last known to stand.
    epoch: u64,
    /// The last byte that was sent ends a line, so that a comment may follow.
    line_start: bool,
    watch: Option<Watch>,
}

impl PermittedBody {
    pub(super) fn new(inner: Incoming, permit: &Permit, lasts: Lasts, ports: &Arc<Ports>) -> Self {
        Self {
            inner: Some(inner),
            permit: permit.clone(),
            ports: Arc::clone(ports),
            lasts,
            // Before the first look nothing is known.
            epoch: u64::MAX,
            line_start: true,
            watch: None,
        }
    }

    /// Looks before each frame: a busy upstream must not outrun a revocation.
    fn is_over(&mut self) -> bool {
        let epoch = self.ports.revocations.epoch();
        if epoch != self.epoch {
            if self.permit.standing(&*self.ports.revocations) != Standing::Good {
                return true;
            }
            self.epoch = epoch;
        }
        self.lasts.expires
            && self.permit.expires_at() <= self.ports.clock.now()
            && !keystile_protocol::mutation::weakened("a_118")
    }

    fn watch(&self) -> Watch {
        let (permit, ports) = (self.permit.clone(), Arc::clone(&self.ports));
        let Lasts {
            expires,
            keep_alive,
        } = self.lasts;
        Box::pin(async move {
            let quiet = async {
                match keep_alive {
                    Some(quiet) => tokio::time::sleep(quiet).await,
                    None => std::future::pending().await,
                }
            };
            let expired = async {
                if expires {
                    expired(&permit, &ports).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = revoked(&permit, &ports) => Woken::Over,
                () = expired => Woken::Over,
                () = quiet => Woken::Quiet,
            }
        })
    }
}

impl Body for PermittedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if self.inner.is_none() || self.is_over() {
            self.inner = None;
            return Poll::Ready(None);
        }
        let inner = self.inner.as_mut().expect("looked at above");
        if let Poll::Ready(frame) = Pin::new(inner).poll_frame(context) {
            if let Some(Ok(frame)) = &frame
                && self.lasts.keep_alive.is_some()
            {
                self.line_start = frame.data_ref().is_none_or(|data| data.ends_with(b"\n"));
                self.watch = None;
            }
            return Poll::Ready(frame);
        }
        loop {
            if self.watch.is_none() {
                self.watch = Some(self.watch());
            }
            let watch = self.watch.as_mut().expect("made above");
            match watch.as_mut().poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Woken::Over) => {
                    self.inner = None;
                    return Poll::Ready(None);
                }
                Poll::Ready(Woken::Quiet) => {
                    self.watch = None;
                    if self.line_start {
                        let comment = Bytes::from_static(b": keep-alive\n");
                        return Poll::Ready(Some(Ok(Frame::data(comment))));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner
            .as_ref()
            .is_none_or(|incoming| incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), |incoming| incoming.size_hint())
    }
}

/// Why nobody waits for an answer any longer.
pub(super) enum Waited {
    /// The grant, the person or the client was revoked.
    Revoked,
    /// The call's own limit is reached.
    TooLong,
}

/// Resolves when an answer that has not begun is not waited for any longer.
///
/// Most answers come within [`SOON`]; they cost one timer and no watch on the revocation feed.
pub(super) async fn waited(permit: &Permit, ports: &Ports, limit: Duration) -> Waited {
    let soon = SOON.min(limit);
    tokio::time::sleep(soon).await;
    tokio::select! {
        () = revoked(permit, ports) => Waited::Revoked,
        () = tokio::time::sleep(limit.saturating_sub(soon)) => Waited::TooLong,
    }
}

/// Resolves when the permit's grant, person or client no longer stands, or nobody knows whether they do.
async fn revoked(permit: &Permit, ports: &Ports) {
    let revocations = &*ports.revocations;
    loop {
        let seen = revocations.epoch();
        if permit.standing(revocations) != Standing::Good {
            return;
        }
        tokio::select! {
            _ = revocations.changed_since(seen) => {}
            // A feed that goes stale does not move its epoch.
            () = tokio::time::sleep(STALE) => {}
        }
    }
}

/// Resolves when the token has ended, in slices: the wall clock may be set meanwhile.
async fn expired(permit: &Permit, ports: &Ports) {
    loop {
        let left = permit.expires_at().since(ports.clock.now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(SLICE)).await;
    }
}

/// How much later a revocation may end a call whose answer has not begun.
const SOON: Duration = Duration::from_millis(50);
const SLICE: Duration = Duration::from_secs(30);
