//! A scheduler for each core, the first of which is the main thread's. A connection stays with the one that it was given to.
//!
//! One scheduler for all cores runs whoever was woken last at once, so each request wakes the upstream anew; these take
//! their turns, so what came together is sent on together. That is a third of a call's CPU time (ADR 0002). The store's
//! writer runs on the main thread, too: on one core, nobody has to be woken on another thread to write for a connection.

use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Ends its threads, and whatever still runs on them, when it is dropped.
pub(crate) struct Workers {
    first: Handle,
    others: Vec<Worker>,
    next: AtomicUsize,
}

struct Worker {
    handle: Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Workers {
    /// As many as this process has cores; the current scheduler is one of them.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let others = (1..cores).map(Worker::start).collect::<Result<_, _>>()?;
        Ok(Self {
            first: Handle::current(),
            others,
            next: AtomicUsize::new(0),
        })
    }

    /// Whose turn it is to get a connection.
    pub(crate) fn next(&self) -> &Handle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % (self.others.len() + 1);
        match turn.checked_sub(1) {
            None => &self.first,
            Some(other) => &self.others[other].handle,
        }
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        let work = move || {
            // An error says that nobody is left who could end it.
            drop(runtime.block_on(ended));
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(work)?;
        Ok(Self {
            handle,
            end: Some(end),
            thread: Some(thread),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.end.take());
        // A panic of the thread was reported when it happened.
        drop(self.thread.take().map(JoinHandle::join));
    }
}
