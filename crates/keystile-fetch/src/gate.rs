//! How many fetches are under way: in all, per host, per address (CHECKLIST A-060).

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::FetchError;

/// Fetches wait here for their turn, within their own time limit.
///
/// Whoever waits for a busy host holds no place among all, so a tarpit delays only itself.
#[derive(Debug)]
pub(crate) struct Gate {
    all: Arc<Semaphore>,
    per_key: usize,
    keys: Mutex<HashMap<String, Weak<Semaphore>>>,
}

impl Gate {
    pub(crate) fn new(all: usize, per_key: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all)),
            per_key: if weakened("a_060c") { all } else { per_key },
            keys: Mutex::default(),
        }
    }

    /// Waits until fewer than the permitted number of fetches go to `key`.
    pub(crate) async fn enter(&self, key: &str) -> Result<OwnedSemaphorePermit, FetchError> {
        let places = self.places(key);
        places.acquire_owned().await.map_err(|_| FetchError::Busy)
    }

    /// Waits until fewer than the permitted number of fetches are under way.
    pub(crate) async fn enter_all(&self) -> Result<OwnedSemaphorePermit, FetchError> {
        Arc::clone(&self.all)
            .acquire_owned()
            .await
            .map_err(|_| FetchError::Busy)
    }

    fn places(&self, key: &str) -> Arc<Semaphore> {
        let mut keys = self.keys.lock();
        if let Some(places) = keys.get(key).and_then(Weak::upgrade) {
            return places;
        }
        // Keys that nobody waits for are only a name; they go when a new one comes.
        keys.retain(|_, places| places.strong_count() > 0);
        let places = Arc::new(Semaphore::new(self.per_key));
        keys.insert(key.to_owned(), Arc::downgrade(&places));
        places
    }
}
