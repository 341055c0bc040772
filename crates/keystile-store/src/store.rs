//! One database behind all the ports.

mod bindings;
mod clients;
mod device;
pub(crate) mod grants;
pub(crate) mod open;
mod people;
pub(crate) mod prune;
mod registrations;
pub(crate) mod rotation;
mod service_grants;
pub(crate) mod sessions;
mod signing_keys;

use std::path::Path;
use std::sync::Arc;

use keystile_domain::time::Timestamp;
use parking_lot::Mutex;
use sqlx::SqlitePool;
use tokio::task::JoinHandle;

use crate::feed::RevocationFeed;
use crate::writer::{Told, Writer};
use open::OpenError;
use sessions::FoundSessions;

/// The database of one data directory: people, sessions, clients, grants, bindings, signing keys.
///
/// Writes pass the one writer and are durable when a verb returns; reads go through a few
/// connections of their own and see all that was committed.
pub struct Store {
    writer: Writer,
    readers: SqlitePool,
    feed: Arc<RevocationFeed>,
    found: Arc<FoundSessions>,
    task: Mutex<Option<JoinHandle<()>>>,
    /// Where the next round of pruning goes on.
    walk: Mutex<String>,
}

impl Store {
    /// Opens the database, makes it if there is none (file mode 0600), and brings its schema up to
    /// this program's. `now` says which revocations are still worth remembering. Must be called
    /// inside a Tokio runtime; the writer runs there.
    ///
    /// # Errors
    /// [`OpenError`] says what was expected and what to do.
    pub async fn open(path: &Path, now: Timestamp) -> Result<Self, OpenError> {
        let opened = open::open(path, now).await?;
        let feed = Arc::new(opened.feed);
        let found = Arc::<FoundSessions>::default();
        let told = Told {
            feed: Arc::clone(&feed),
            found: Arc::clone(&found),
        };
        let (writer, task) = Writer::start(opened.options, opened.connection, told);
        Ok(Self {
            writer,
            readers: opened.readers,
            feed,
            found,
            task: Mutex::new(Some(task)),
            walk: Mutex::default(),
        })
    }

    /// The feed that the gateway asks at each call.
    #[must_use]
    pub fn revocations(&self) -> Arc<RevocationFeed> {
        Arc::clone(&self.feed)
    }

    /// Commits what is queued, checkpoints the write-ahead log and closes all connections. Later
    /// verbs fail, and the revocation feed answers `Unknown`.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        let task = self.task.lock().take();
        if let Some(task) = task {
            // A panic of the writer was reported when it happened.
            drop(task.await);
        }
    }
}
