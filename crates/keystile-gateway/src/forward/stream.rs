//! A response body that ends when its permit does (CHECKLIST R11).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use keystile_domain::ports::Standing;

use super::events::{self, Events};
use crate::admit::Permit;
use crate::refusal::Refusal;
use crate::relay::{Failure, Ports, STALE};

type Watch = Pin<Box<dyn Future<Output = Woken> + Send>>;

enum Woken {
    /// The permit is over.
    Over,
    /// Nothing was sent for a while.
    Quiet,
}

/// The events of an upstream for a client. Revocation ends them all, the end of the token those that nobody waits for;
/// an admitted call otherwise runs to its own limit.
pub(super) struct PermittedBody {
    inner: Option<Incoming>,
    events: Events,
    permit: Permit,
    ports: Arc<Ports>,
    /// Silence after which a comment is sent.
    keep_alive: Duration,
    /// The revocation epoch at which the permit was last known to stand.
    epoch: u64,
    watch: Option<Watch>,
}

impl PermittedBody {
    pub(super) fn new(
        inner: Incoming,
        events: Events,
        permit: &Permit,
        ports: &Arc<Ports>,
        keep_alive: Duration,
    ) -> Self {
        Self {
            inner: Some(inner),
            events,
            permit: permit.clone(),
            ports: Arc::clone(ports),
            keep_alive,
            // Before the first look nothing is known.
            epoch: u64::MAX,
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
        self.events.last_with_the_token()
            && self.permit.expires_at() <= self.ports.clock.now()
            && !keystile_protocol::mutation::weakened("a_118")
    }

    fn watch(&self) -> Watch {
        let (permit, ports) = (self.permit.clone(), Arc::clone(&self.ports));
        let (expires, quiet) = (self.events.last_with_the_token(), self.keep_alive);
        Box::pin(async move {
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
                () = tokio::time::sleep(quiet) => Woken::Quiet,
            }
        })
    }

    /// The next events that pass. What does not pass is read on, for a while.
    fn poll_events(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, hyper::Error>>> {
        for _ in 0..FRAMES {
            if self.is_over() {
                self.inner = None;
            }
            let Some(inner) = &mut self.inner else {
                return Poll::Ready(None);
            };
            let frame = match ready!(Pin::new(inner).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    self.inner = None;
                    return Poll::Ready(None);
                }
            };
            let Some(chunk) = frame.data_ref() else {
                continue;
            };
            let mut passed = Vec::new();
            if let Err(failure) = self.events.take(chunk, &mut passed) {
                self.inner = None;
                self.add_last_word(&failure, &mut passed);
            }
            if !passed.is_empty() {
                return Poll::Ready(Some(Ok(passed.into())));
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// What whoever still waits for an answer gets instead.
    fn add_last_word(&self, failure: &Failure, out: &mut Vec<u8>) {
        for id in self.events.unanswered() {
            let refusal = Refusal::from(failure).with_id(Some(id));
            events::write_own(refusal.tell(&self.ports), out);
        }
    }
}

impl Body for PermittedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Poll::Ready(events) = self.poll_events(context) {
            self.watch = None;
            return Poll::Ready(events.map(|events| events.map(Frame::data)));
        }
        if self.watch.is_none() {
            self.watch = Some(self.watch());
        }
        let watch = self.watch.as_mut().expect("made above");
        match ready!(watch.as_mut().poll(context)) {
            Woken::Over => {
                self.inner = None;
                Poll::Ready(None)
            }
            Woken::Quiet => {
                self.watch = None;
                let comment = Bytes::from_static(b": keep-alive\n");
                Poll::Ready(Some(Ok(Frame::data(comment))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner
            .as_ref()
            .is_none_or(|incoming| incoming.is_end_stream())
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
/// Frames that are read in one turn while nothing of them passes.
const FRAMES: usize = 32;
const SLICE: Duration = Duration::from_secs(30);
