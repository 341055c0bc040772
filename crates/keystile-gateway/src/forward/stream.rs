//! A response body that ends when its permit does (CHECKLIST R11).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use keystile_domain::ports::{Revocations, Standing};
use keystile_protocol::mutation::weakened;
use tokio::time::Instant;

use super::end::End;
use super::events::{self, Events};
use crate::admit::Permit;
use crate::relay::{Lasts, Over, Ports};

/// Why the stream is over; none if nothing was sent for a while.
type Watch = Pin<Box<dyn Future<Output = Option<Over>> + Send>>;

/// The events of an upstream for a client. Revocation ends them all, the end of the token those that nobody waits for,
/// and its own limit an admitted call.
pub(super) struct PermittedBody {
    inner: Option<Incoming>,
    events: Events,
    permit: Permit,
    ports: Arc<Ports>,
    limit: Limit,
    /// The revocation epoch at which the permit was last known to stand.
    epoch: u64,
    watch: Option<Watch>,
}

/// For how long.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    /// When a call is given up.
    pub(super) deadline: Instant,
    /// Silence after which a comment is sent.
    pub(super) keep_alive: Duration,
}

impl PermittedBody {
    pub(super) fn new(
        inner: Incoming,
        events: Events,
        permit: &Permit,
        ports: &Arc<Ports>,
        limit: Limit,
    ) -> Self {
        Self {
            inner: Some(inner),
            events,
            permit: permit.clone(),
            ports: Arc::clone(ports),
            limit,
            // Before the first look nothing is known.
            epoch: u64::MAX,
            watch: None,
        }
    }

    /// Looks before each frame: a busy upstream must not outrun a revocation.
    fn ended(&mut self) -> Option<End> {
        let epoch = self.ports.revocations.epoch();
        let standing = match epoch == self.epoch {
            true => Standing::Good,
            false => self.permit.standing(&*self.ports.revocations),
        };
        let over = self.ports.is_over(standing, self.lasts());
        if over.is_none() {
            self.epoch = epoch;
        }
        over.map(End::Over)
    }

    fn lasts(&self) -> Lasts {
        match self.events.last_with_the_token() {
            true => Lasts::Token(self.permit.expires_at()),
            false => Lasts::Until(self.limit.deadline),
        }
    }

    fn watch(&self) -> Watch {
        let (permit, ports, lasts) = (self.permit.clone(), Arc::clone(&self.ports), self.lasts());
        let quiet = Some(Instant::now() + self.limit.keep_alive);
        Box::pin(async move {
            let standing = |revocations: &dyn Revocations| permit.standing(revocations);
            ports.over_before(quiet, standing, lasts).await
        })
    }

    /// The next events that pass. What does not pass is read on, for a while.
    fn poll_events(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, hyper::Error>>> {
        for _ in 0..FRAMES {
            if self.inner.is_some()
                && let Some(end) = self.ended()
            {
                return Poll::Ready(self.end(&end, Vec::new()).map(Ok));
            }
            let Some(inner) = &mut self.inner else {
                return Poll::Ready(None);
            };
            let frame = match ready!(Pin::new(inner).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) if self.events.owes_nothing() => {
                    return Poll::Ready(Some(Err(error)));
                }
                None if self.events.owes_nothing() => {
                    self.inner = None;
                    return Poll::Ready(None);
                }
                broken => {
                    let end = self.hung_up(broken.and_then(Result::err));
                    return Poll::Ready(self.end(&end, Vec::new()).map(Ok));
                }
            };
            let Some(chunk) = frame.data_ref() else {
                continue;
            };
            let mut passed = Vec::new();
            if let Err(failure) = self.events.take(chunk, &mut passed) {
                return Poll::Ready(self.end(&End::Failed(failure), passed).map(Ok));
            }
            if !passed.is_empty() {
                return Poll::Ready(Some(Ok(passed.into())));
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// A server that was told that its call is cancelled may end its stream without an answer, and is well.
    fn hung_up(&self, error: Option<hyper::Error>) -> End {
        let how = match error {
            Some(error) => {
                self.events.broke_off();
                format!("its stream broke off: {error}")
            }
            None => "its stream ended without the answer".to_owned(),
        };
        End::HungUp(format!("{}: {how}", self.permit.route().name))
    }

    /// Lets go of the upstream. The last that passes, with what whoever still waits for an answer gets instead.
    fn end(&mut self, end: &End, mut last: Vec<u8>) -> Option<Bytes> {
        self.inner = None;
        for id in self.events.unanswered() {
            if let Some(refusal) = end.refusal().filter(|_| !weakened("a_118b")) {
                let refusal = refusal.with_id(Some(id)).asked_by(&self.permit.caller());
                events::write_own(refusal.tell(&self.ports), &mut last);
            }
        }
        (!last.is_empty()).then(|| last.into())
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
        let woken = ready!(watch.as_mut().poll(context));
        self.watch = None;
        let bytes = match woken {
            Some(over) => self.end(&End::Over(over), Vec::new()),
            None => Some(Bytes::from_static(b": keep-alive\n")),
        };
        Poll::Ready(bytes.map(Frame::data).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_none()
    }
}

/// Resolves when an answer that has not begun is not waited for any longer.
///
/// Most answers come within [`SOON`]; they cost one timer and no watch on the revocation feed.
pub(super) async fn waited(permit: &Permit, ports: &Ports, deadline: Instant) -> End {
    let soon = deadline.min(Instant::now() + SOON);
    tokio::time::sleep_until(soon).await;
    let standing = |revocations: &dyn Revocations| permit.standing(revocations);
    End::Over(ports.over(standing, Lasts::Until(deadline)).await)
}

/// How much later a revocation may end a call whose answer has not begun.
const SOON: Duration = Duration::from_millis(50);
/// Frames that are read in one turn while nothing of them passes.
const FRAMES: usize = 32;
