//! Lists of tools that the gateway asks for itself, to know what they mirror into headers: a call waits for them, and
//! must not wait for ever.

use std::{future::Future, time::Duration};

use tokio::{sync::Mutex, time::Instant};

/// One list at a time, and none for a while after one that did not come.
#[derive(Default)]
pub(super) struct Listing {
    waited_in_vain: Mutex<Option<Instant>>,
}

/// How asking for it ended.
pub(super) enum Listed {
    Whole,
    /// There are more pages than anybody would read.
    Endless,
    /// The server refused.
    Refused,
}

impl Listing {
    /// Lists, unless that is `done` or took too long a moment ago. A call that may take `limit` goes on without the
    /// list after half of it.
    pub(super) async fn once(
        &self,
        server: &str,
        limit: Duration,
        done: impl Fn() -> bool,
        list: impl Future<Output = Listed>,
    ) {
        if done() {
            return;
        }
        let mut waited_in_vain = self.waited_in_vain.lock().await;
        let is_resting = waited_in_vain.is_some_and(|at| Instant::now() < at + REST);
        if done() || is_resting {
            return;
        }
        match tokio::time::timeout(LIMIT.min(limit / 2), list).await {
            Ok(Listed::Whole | Listed::Refused) => {}
            Ok(Listed::Endless) => tracing::warn!(
                %server,
                "the server's list of tools has no end; only its first {MAX_PAGES} pages were read"
            ),
            Err(_) => {
                *waited_in_vain = Some(Instant::now());
                tracing::warn!(
                    %server,
                    "the server does not list its tools in time; calls go on without what they mirror into headers"
                );
            }
        }
    }
}

pub(super) const MAX_PAGES: usize = 20;
/// For all pages.
const LIMIT: Duration = Duration::from_secs(10);
const REST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_list_that_does_not_come_is_waited_for_once_a_minute() {
        let (listing, begun) = (Listing::default(), AtomicUsize::new(0));
        let begin = || async {
            begun.fetch_add(1, Ordering::SeqCst);
            std::future::pending().await
        };
        let started = Instant::now();
        let list = || listing.once("s", Duration::from_secs(600), || false, begin());
        tokio::join!(list(), list(), list());
        assert_eq!(started.elapsed(), LIMIT);
        list().await;
        assert_eq!(
            (started.elapsed(), begun.load(Ordering::SeqCst)),
            (LIMIT, 1)
        );
        tokio::time::advance(REST).await;
        list().await;
        assert_eq!(begun.load(Ordering::SeqCst), 2);
    }
}
