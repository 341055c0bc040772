//! The thread that makes lines durable, so that no `fdatasync` blocks a request's thread.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use keystile_domain::audit::Event;
use keystile_domain::ports::AuditFailed;
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::watch;

use super::{Trail, segment};

/// How far the disk is.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// All lines with a smaller sequence number are on disk.
    pub(super) synced: u64,
    /// Grows when a sync fails; `message` says why.
    pub(super) failures: u64,
    pub(super) message: String,
}

pub(super) struct Shared {
    pub(super) trail: Mutex<Trail>,
    pub(super) progress: watch::Sender<Progress>,
    work: Mutex<Work>,
    wake: Condvar,
}

/// What the thread shall do.
#[derive(Default)]
struct Work {
    /// One more than the last sequence number that was written.
    written: u64,
    /// Somebody waits.
    urgent: bool,
    stop: bool,
}

impl Shared {
    pub(super) fn new(trail: Trail) -> Self {
        Self {
            trail: Mutex::new(trail),
            progress: watch::Sender::default(),
            work: Mutex::default(),
            wake: Condvar::new(),
        }
    }

    /// Writes the event and tells the thread; the event's sequence number.
    pub(super) fn write(&self, event: &Event<'_>, urgent: bool) -> Result<u64, AuditFailed> {
        let mut trail = self.trail.lock();
        let written = trail.write(event);
        match written {
            Ok(sequence) => {
                if trail.failing.is_some() {
                    trail.failing = None;
                }
                drop(trail);
                self.announce(sequence + 1, urgent);
                Ok(sequence)
            }
            Err(error) => {
                let message = error.to_string();
                trail.failing = Some(message.clone());
                Err(AuditFailed(message))
            }
        }
    }

    pub(super) fn stop(&self) {
        self.trail.lock().closed = true;
        self.work.lock().stop = true;
        self.wake.notify_one();
    }

    fn announce(&self, written: u64, urgent: bool) {
        let mut work = self.work.lock();
        let idle = work.written <= self.progress.borrow().synced;
        work.written = work.written.max(written);
        let hurry = urgent && !work.urgent;
        work.urgent |= urgent;
        drop(work);
        if idle || hurry {
            self.wake.notify_one();
        }
    }

    /// Waits for work; `None` when it is time to stop. Lines that nobody waits for gather a while.
    fn next(&self, synced: u64) -> Option<()> {
        let mut work = self.work.lock();
        while work.written <= synced && !work.stop && !work.urgent {
            self.wake.wait(&mut work);
        }
        if !work.urgent && !work.stop {
            self.wake
                .wait_while_for(&mut work, |work| !work.urgent && !work.stop, GATHER);
        }
        if work.urgent {
            // Who was answered by the same commit writes its line now, on the core that this thread would take from it.
            MutexGuard::unlocked(&mut work, thread::yield_now);
        }
        work.urgent = false;
        let more = work.written > synced;
        (more || !work.stop).then_some(())
    }

    /// One `fdatasync` for all that was written until now.
    fn sync(&self) -> io::Result<u64> {
        let (written, files, renewed) = {
            let mut trail = self.trail.lock();
            let renewed = !trail.unsynced.is_empty();
            let mut files: Vec<Arc<File>> = std::mem::take(&mut trail.unsynced);
            files.push(Arc::clone(&trail.file.file));
            (trail.chain.next_sequence(), files, renewed)
        };
        for file in files {
            file.sync_data()?;
        }
        if renewed {
            let folder = self.trail.lock().folder.clone();
            segment::sync_folder(&folder)?;
        }
        Ok(written)
    }

    /// After a failed sync nobody knows which lines are on disk. The trail goes on in a new segment
    /// as soon as that can be synced.
    fn recover(&self, begun: &mut bool) -> io::Result<u64> {
        let mut trail = self.trail.lock();
        if !*begun {
            trail.next_segment()?;
            *begun = true;
        }
        trail.write_head()?;
        drop(trail);
        let synced = self.sync()?;
        let mut trail = self.trail.lock();
        trail.unsafe_since = None;
        trail.failing = None;
        Ok(synced)
    }

    fn report(&self, error: &io::Error) {
        tracing::error!(%error, "the audit trail cannot be synced: {error}");
        let message = format!("the audit trail cannot be synced: {error}");
        let mut trail = self.trail.lock();
        trail.unsafe_since = Some(message.clone());
        trail.failing = Some(message.clone());
        drop(trail);
        self.progress.send_modify(|progress| {
            progress.failures += 1;
            progress.message = message;
        });
    }
}

pub(super) fn start(shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("audit-sync".to_owned())
        .spawn(move || run(&shared))
}

fn run(shared: &Shared) {
    let mut synced = 0;
    let mut lost = false;
    let mut begun = false;
    loop {
        if lost {
            let mut work = shared.work.lock();
            if work.stop {
                return;
            }
            shared
                .wake
                .wait_while_for(&mut work, |work| !work.stop, RETRY);
        } else if shared.next(synced).is_none() {
            return;
        }
        let outcome = if lost {
            shared.recover(&mut begun)
        } else {
            shared.sync()
        };
        lost = outcome.is_err();
        match outcome {
            Ok(written) => {
                synced = written;
                begun = false;
                shared
                    .progress
                    .send_modify(|progress| progress.synced = written);
            }
            Err(error) => shared.report(&error),
        }
    }
}

/// DESIGN §4 allows 50 ms; a sync takes some of it.
const GATHER: Duration = Duration::from_millis(25);
const RETRY: Duration = Duration::from_secs(1);
