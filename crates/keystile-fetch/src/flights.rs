//! Requests that are under way: one for each key, and not too many.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::ready;
use std::hash::Hash;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;

/// The answer of a request under way; whoever has one waits for the same.
pub(crate) type Flight<A> = Shared<BoxFuture<'static, A>>;

/// Requests under way, by what they ask for. Cheap to clone; clones share them.
///
/// Each is a task of its own: a caller who goes away does not take it from the others.
pub(crate) struct Flights<K, A> {
    going: Arc<Mutex<HashMap<K, Flight<A>>>>,
}

impl<K, A> Flights<K, A> {
    pub(crate) fn new() -> Self {
        let going = Arc::default();
        Self { going }
    }
}

impl<K, A> Flights<K, A>
where
    K: Hash + Eq + Clone + Send + 'static,
    A: Clone + Send + Sync + 'static,
{
    /// Whether a request for this is under way.
    #[cfg(test)]
    fn has(&self, key: &K) -> bool {
        self.going.lock().contains_key(key)
    }

    /// The request for this key that is under way, or what one that `landed` meanwhile has left, or
    /// a new one that the caller has to `pay` for; `busy` if there are too many.
    ///
    /// # Errors
    /// Those of `pay`: nothing is sent then.
    pub(crate) fn join<E, F>(
        &self,
        key: &K,
        landed: impl FnOnce() -> Option<A>,
        busy: A,
        pay: impl FnOnce() -> Result<(), E>,
        request: impl FnOnce() -> F,
    ) -> Result<Flight<A>, E>
    where
        F: Future<Output = A> + Send + 'static,
    {
        let mut going = self.going.lock();
        if let Some(flight) = going.get(key) {
            return Ok(flight.clone());
        }
        if let Some(answer) = landed() {
            return Ok(ready(answer).boxed().shared());
        }
        if going.len() >= MOST {
            return Ok(ready(busy).boxed().shared());
        }
        pay()?;
        let landing = Landing {
            going: Arc::clone(&self.going),
            key: key.clone(),
        };
        let request = request();
        let task = tokio::spawn(async move {
            let answer = request.await;
            drop(landing);
            answer
        });
        let flight = async move { task.await.unwrap_or(busy) }.boxed().shared();
        going.insert(key.clone(), flight.clone());
        Ok(flight)
    }
}

/// Takes the flight off the list however it ends.
struct Landing<K: Hash + Eq, A> {
    going: Arc<Mutex<HashMap<K, Flight<A>>>>,
    key: K,
}

impl<K: Hash + Eq, A> Drop for Landing<K, A> {
    fn drop(&mut self) {
        self.going.lock().remove(&self.key);
    }
}

/// For requests that nobody pays for.
pub(crate) fn free() -> Result<(), Infallible> {
    Ok(())
}

/// Requests under way or waiting for their turn; each is a few kilobytes for at most three seconds.
pub(crate) const MOST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(flights: &Flights<usize, usize>, key: usize) -> Flight<usize> {
        let never = std::future::pending;
        let joined = flights.join(&key, || None, usize::MAX, free, never);
        joined.unwrap_or_else(|error| match error {})
    }

    #[tokio::test]
    async fn requests_under_way_are_bounded_and_one_more_is_told_at_once() {
        let flights = Flights::new();
        let held: Vec<_> = (0..MOST).map(|key| hold(&flights, key)).collect();
        assert_eq!(hold(&flights, MOST).await, usize::MAX);
        assert!(!flights.has(&MOST));
        assert!(hold(&flights, 0).now_or_never().is_none(), "it joins");
        drop(held);
    }

    #[tokio::test]
    async fn only_a_new_request_is_paid_for() {
        let flights = Flights::<u8, u8>::new();
        let refused = flights.join(&1, || None, 0, || Err("no more"), || ready(7));
        assert_eq!(refused.map(|_| ()), Err("no more"));
        assert!(!flights.has(&1));
        let landed = flights.join(&1, || Some(5), 0, || Err("no more"), || ready(7));
        assert_eq!(landed.expect("free").await, 5);
        let flight = flights.join(&1, || None, 0, free, || ready(7));
        let flight = flight.unwrap_or_else(|error| match error {});
        let joined = flights.join(&1, || None, 0, || Err("no more"), || ready(8));
        assert_eq!(joined.expect("free").await, 7);
        assert_eq!(flight.await, 7);
        assert!(!flights.has(&1), "it landed");
    }
}
