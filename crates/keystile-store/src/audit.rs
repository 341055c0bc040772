//! The audit trail: append-only segment files of JSON lines, chained by SHA-256 (DESIGN §4).
//!
//! Each line holds its sequence number, the hash of the line before it, and what happened; see
//! [`mod@verify`] for the check. A line is one `write(2)` by whoever reports the event. A thread of
//! its own calls `fdatasync`: within 25 ms, or at once when somebody waits for it.

mod line;
mod segment;
mod sync;
pub mod verify;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use keystile_domain::audit::Event;
use keystile_domain::ports::{AuditFailed, AuditSink};
use keystile_domain::time::Timestamp;
use parking_lot::Mutex;
use thiserror::Error;

use line::Chain;
use segment::SegmentFile;
use sync::Shared;

/// The trail cannot be opened.
#[derive(Debug, Error)]
pub enum AuditOpenError {
    /// The folder or a segment cannot be read and written.
    #[error("the audit trail in {path} cannot be written: {source}; give this user the folder")]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A whole segment has no line of ours.
    #[error("{path} is no segment of an audit trail; move it away to start a new trail")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}

/// The audit trail of one replica.
pub struct AuditLog {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl AuditLog {
    /// Opens the trail in this folder (made with mode 0700 if there is none). A line that a crash
    /// left half-written is moved aside, and a note in the trail says so.
    ///
    /// # Errors
    /// [`AuditOpenError`]: then nothing may be allowed.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, AuditOpenError> {
        Self::open_with(folder, now, SEGMENT_BYTES)
    }

    /// As [`open`](Self::open), with segments of about so many bytes.
    ///
    /// # Errors
    /// As there.
    pub fn open_with(
        folder: &Path,
        now: Timestamp,
        segment_bytes: u64,
    ) -> Result<Self, AuditOpenError> {
        let unwritable = |source| AuditOpenError::Unwritable {
            path: folder.to_owned(),
            source,
        };
        let trail = Trail::open(folder, now, segment_bytes)?;
        trail.file.file.sync_data().map_err(unwritable)?;
        segment::sync_folder(folder).map_err(unwritable)?;
        let shared = Arc::new(Shared::new(trail));
        let thread = sync::start(Arc::clone(&shared)).map_err(unwritable)?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Why the last write failed, if it did: the program is not ready then.
    #[must_use]
    pub fn failing(&self) -> Option<String> {
        self.shared.trail.lock().failing.clone()
    }

    /// Syncs what was written and stops the thread; later events are refused. Blocks for the time
    /// of one `fdatasync`.
    pub fn close(&self) {
        self.shared.stop();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // A panic of the thread was reported when it happened.
            drop(thread.join());
        }
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl AuditSink for AuditLog {
    async fn record(&self, event: &Event<'_>) -> Result<(), AuditFailed> {
        let mut progress = self.shared.progress.subscribe();
        let failures = progress.borrow_and_update().failures;
        let sequence = self.shared.write(event, true)?;
        let done = progress
            .wait_for(|progress| progress.synced > sequence || progress.failures > failures)
            .await
            .map_err(|_| AuditFailed("the trail is closed".to_owned()))?;
        match done.synced > sequence {
            true => Ok(()),
            false => Err(AuditFailed(done.message.clone())),
        }
    }

    fn append(&self, event: &Event<'_>) -> Result<(), AuditFailed> {
        self.shared.write(event, false).map(drop)
    }
}

/// The open end of the trail. Whoever holds its lock writes.
struct Trail {
    folder: PathBuf,
    file: SegmentFile,
    chain: Chain,
    segment_bytes: u64,
    /// Segments that were full before they were synced.
    unsynced: Vec<Arc<File>>,
    /// A write went wrong half-way and could not be taken back yet.
    torn: bool,
    /// `fdatasync` failed: what was written since the last one may be lost.
    unsafe_since: Option<String>,
    failing: Option<String>,
    closed: bool,
    /// When the last event was, for lines that the trail writes by itself.
    last: Timestamp,
}

impl Trail {
    fn open(folder: &Path, now: Timestamp, segment_bytes: u64) -> Result<Self, AuditOpenError> {
        let end = segment::open_last(folder)?;
        let mut trail = Self {
            folder: folder.to_owned(),
            file: end.file,
            chain: end.chain,
            segment_bytes,
            unsynced: Vec::new(),
            torn: false,
            unsafe_since: None,
            failing: None,
            closed: false,
            last: now,
        };
        let unwritable = |source| AuditOpenError::Unwritable {
            path: folder.to_owned(),
            source,
        };
        trail.write_head().map_err(unwritable)?;
        if let Some(torn) = end.torn {
            trail.chain.note(now, &torn);
            trail.put().map_err(unwritable)?;
        }
        Ok(trail)
    }

    /// Writes one event; its sequence number.
    fn write(&mut self, event: &Event<'_>) -> Result<u64, io::Error> {
        if self.closed {
            return Err(io::Error::other("the trail is closed"));
        }
        if let Some(message) = &self.unsafe_since {
            return Err(io::Error::other(message.clone()));
        }
        self.last = event.at;
        if self.file.size >= self.segment_bytes {
            self.next_segment()?;
        }
        self.write_head()?;
        self.chain.event(event);
        self.put()
    }

    fn next_segment(&mut self) -> io::Result<()> {
        let next = SegmentFile::create(&self.folder, self.file.number + 1)?;
        let full = std::mem::replace(&mut self.file, next);
        self.unsynced.push(full.file);
        Ok(())
    }

    /// The first line of a segment, unless it is there.
    fn write_head(&mut self) -> io::Result<()> {
        if self.file.size > 0 {
            return Ok(());
        }
        self.chain.segment(self.last, self.file.number);
        self.put().map(drop)
    }

    /// Writes the line that the chain has prepared, in one `write(2)`. If not all of it got there,
    /// none of it stays there, and the chain stands where it stood.
    fn put(&mut self) -> Result<u64, io::Error> {
        if self.torn {
            self.file.file.set_len(self.file.size)?;
            self.torn = false;
        }
        let bytes = self.chain.prepared();
        let written = loop {
            match (&*self.file.file).write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match written {
            Ok(count) if count == bytes.len() => {
                self.file.size += count as u64;
                Ok(self.chain.accept())
            }
            Ok(count) => {
                self.torn = self.file.file.set_len(self.file.size).is_err();
                Err(io::Error::new(
                    io::ErrorKind::StorageFull,
                    format!("only {count} of {} bytes could be written", bytes.len()),
                ))
            }
            Err(error) => Err(error),
        }
    }
}

/// About a quarter of a million events.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
