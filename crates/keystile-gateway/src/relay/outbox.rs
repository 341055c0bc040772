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
use crate::era::message::{Kind, Message, id_key};

/// A bounded queue with one reader at a time: a message never goes out on two streams (MCP 2025-11-25, "Multiple
/// Connections"; CHECKLIST A-114).
#[derive(Default)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    filled: Notify,
    attached: AtomicBool,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Kept>,
    /// How many there were.
    count: u64,
    /// That some are lost was said.
    told: bool,
}

struct Kept {
    number: u64,
    text: String,
    /// Of a request, by its id (a lexeme).
    asks: Option<Box<str>>,
}

impl Outbox {
    /// Keeps a message until somebody reads it. When there are too many the oldest notification goes, and a request only
    /// if there are no others: that one's id (a lexeme) is returned, for whoever asked must not wait.
    pub(crate) fn put(&self, text: String) -> Option<Box<str>> {
        let asks = match Message::of(&text).kind() {
            Some(Kind::Request { id, .. }) => Some(id.into()),
            _ => None,
        };
        let mut queue = self.queue.lock();
        queue.count += 1;
        let number = queue.count;
        queue.messages.push_back(Kept { number, text, asks });
        let dropped = (queue.messages.len() > BACKLOG)
            .then(|| {
                let notification = queue.messages.iter().position(|kept| kept.asks.is_none());
                queue.messages.remove(notification.unwrap_or_default())
            })
            .flatten();
        if dropped.is_some() && !std::mem::replace(&mut queue.told, true) {
            tracing::warn!(
                "nobody reads a session's stream: of more than {BACKLOG} messages the oldest are dropped"
            );
        }
        drop(queue);
        self.filled.notify_one();
        dropped?.asks
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
            let next = {
                let queue = self.outbox.queue.lock();
                let next = queue.messages.front();
                next.map(|kept| (kept.number, kept.text.clone()))
            };
            match next {
                Some((number, text)) => {
                    if !out.event(text).await {
                        return;
                    }
                    // It may have had to make room meanwhile.
                    let mut queue = self.outbox.queue.lock();
                    queue.messages.pop_front_if(|kept| kept.number == number);
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

#[cfg(test)]
mod tests {
    use keystile_domain::{ids::GrantId, time::Timestamp};

    use super::*;
    use crate::relay::{Caller, answer::Piece};

    fn request(id: usize) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"roots/list"}}"#)
    }

    fn notice(number: usize) -> String {
        format!(r#"{{"jsonrpc":"2.0","method":"notifications/n{number}"}}"#)
    }

    fn kept(outbox: &Outbox) -> Vec<String> {
        let queue = outbox.queue.lock();
        queue
            .messages
            .iter()
            .map(|kept| kept.text.clone())
            .collect()
    }

    #[test]
    fn a_notification_makes_room_before_a_request_and_a_request_says_so() {
        let outbox = Outbox::default();
        assert_eq!(outbox.put(request(0)), None);
        for number in 0..BACKLOG {
            assert_eq!(outbox.put(notice(number)), None);
        }
        assert_eq!(kept(&outbox)[..2], [request(0), notice(1)]);
        for id in 1..BACKLOG {
            assert_eq!(outbox.put(request(id)), None);
        }
        assert_eq!(outbox.put(notice(0)), None);
        assert_eq!(kept(&outbox), (0..BACKLOG).map(request).collect::<Vec<_>>());
        assert_eq!(outbox.put(request(BACKLOG)).as_deref(), Some("0"));
    }

    #[tokio::test]
    async fn what_makes_room_while_it_is_sent_takes_no_other_message_along() {
        let outbox = Arc::new(Outbox::default());
        let attached = outbox.attach().unwrap();
        let (out, mut pieces) = Out::of(&Caller {
            resource: "http://localhost:7717/kb/mcp".into(),
            person: "ada".into(),
            client: "editor".into(),
            grant: GrantId::from_bytes([7; 16]),
            issued_at: Timestamp(0),
            expires_at: Timestamp(1),
        });
        // As many as have a place in the stream, and one that waits for its own.
        let mut sent = 0;
        let mut passing = Box::pin(attached.pass_to(&out));
        while kept(&outbox).len() < 2 {
            outbox.put(notice(sent));
            sent += 1;
            assert!(futures_util::poll!(&mut passing).is_pending());
        }
        let last = sent + BACKLOG;
        for number in sent..last {
            outbox.put(notice(number));
        }
        let first = kept(&outbox)[0].clone();
        let mut seen = Vec::new();
        while seen.last() != Some(&notice(last - 1)) {
            let _ = futures_util::poll!(&mut passing);
            tokio::task::yield_now().await;
            if let Ok(Piece::Event(text)) = pieces.try_recv() {
                seen.push(text);
            }
        }
        assert!(seen.contains(&first));
    }
}
