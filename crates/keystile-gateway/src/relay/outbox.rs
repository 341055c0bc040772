//! Messages of the server that belong to no call, on their way to the one GET stream of a session.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::answer::Out;
use crate::era::message::id_key;

/// A bounded queue with one reader at a time: a message never goes out on two streams (MCP 2025-11-25, "Multiple
/// Connections"; CHECKLIST A-114).
#[derive(Default)]
pub(crate) struct Outbox {
    queue: Mutex<VecDeque<String>>,
    filled: Notify,
    attached: AtomicBool,
}

impl Outbox {
    /// Keeps a message until somebody reads it; the oldest goes when there are too many.
    pub(crate) fn put(&self, text: String) {
        let mut queue = self.queue.lock();
        if queue.len() == BACKLOG {
            tracing::debug!("nobody reads the session's stream; its oldest message was dropped");
            queue.pop_front();
        }
        queue.push_back(text);
        drop(queue);
        self.filled.notify_one();
    }

    /// Becomes the reader; `None` if there is one.
    pub(crate) fn attach(self: &Arc<Self>) -> Option<Attached> {
        let taken = self.attached.swap(true, Ordering::AcqRel);
        let free = !taken || weakened("a_114");
        free.then(|| Attached {
            outbox: Arc::clone(self),
        })
    }

    pub(crate) fn is_attached(&self) -> bool {
        self.attached.load(Ordering::Acquire)
    }
}

/// The right to read.
pub(crate) struct Attached {
    outbox: Arc<Outbox>,
}

impl Attached {
    /// Passes messages on until the client is gone. What has no place in its stream yet stays here.
    pub(crate) async fn pass_to(&self, out: &Out) {
        loop {
            let next = self.outbox.queue.lock().front().cloned();
            match next {
                Some(text) => {
                    if !out.event(text).await {
                        return;
                    }
                    self.outbox.queue.lock().pop_front();
                }
                None => self.outbox.filled.notified().await,
            }
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.outbox.attached.store(false, Ordering::Release);
    }
}

/// Requests that went to the client and have no answer yet.
#[derive(Default)]
pub(crate) struct Asked(Mutex<HashMap<Box<str>, Asker>>);

/// Who asked.
pub(crate) enum Asker {
    /// The server: its answer is passed on as it is.
    Server,
    /// A bridge.
    Bridge(oneshot::Sender<String>),
}

impl Asked {
    /// `false` when too many wait already. `id` is a lexeme.
    pub(crate) fn insert(&self, id: &str, asker: Asker) -> bool {
        let mut asked = self.0.lock();
        if asked.len() >= MAX_ASKED {
            return false;
        }
        asked.insert(id_key(id), asker);
        true
    }

    pub(crate) fn take(&self, id: &str) -> Option<Asker> {
        self.0.lock().remove(&id_key(id))
    }
}

/// Messages that wait for the client to open its stream.
const BACKLOG: usize = 256;
const MAX_ASKED: usize = 256;
