//! One conversation with one upstream server, whatever carries it: a child's pipes or HTTP.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::task::AbortOnDropHandle;

use super::{Failure, Strange, peer::CANCELLED};
use crate::era::{
    json::Node,
    message::{Kind, Message},
};

/// What goes to the server. One JSON-RPC message without line breaks.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) text: String,
}

/// What a message is to a carrier that sends each as a request of its own.
pub(crate) enum Sorted {
    /// A request, by its upstream id.
    Call(Box<str>),
    /// Of a call, by its upstream id.
    Cancel(Box<str>),
    Notice,
}

impl Outgoing {
    pub(crate) fn sort(&self) -> Sorted {
        let message = Message::of(&self.text);
        match message.kind() {
            Some(Kind::Request { id, .. }) => {
                Sorted::Call(Node::root(id).string().unwrap_or_default().into())
            }
            Some(Kind::Notification { method }) if method == CANCELLED => {
                let id = message
                    .root
                    .path(["params", "requestId"])
                    .and_then(Node::string);
                Sorted::Cancel(id.unwrap_or_default().into())
            }
            _ => Sorted::Notice,
        }
    }
}

/// The requests under way, by the upstream ids of what they carry.
#[derive(Default)]
pub(crate) struct Calls(Mutex<HashMap<Box<str>, AbortOnDropHandle<()>>>);

impl Calls {
    pub(crate) fn begin(&self, id: Box<str>, task: JoinHandle<()>) {
        let mut running = self.0.lock();
        running.retain(|_, task| !task.is_finished());
        running.insert(id, AbortOnDropHandle::new(task));
    }

    /// Hangs up, if it is still under way.
    pub(crate) fn end(&self, id: &str) {
        self.0.lock().remove(id);
    }

    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }
}

/// What comes from the server.
#[derive(Debug)]
pub(crate) enum Received {
    /// A message that passed the strict parser.
    Message {
        text: String,
        /// The upstream id of the call on whose stream it came, where the carrier knows it.
        about: Option<Box<str>>,
    },
    /// One call gets no answer.
    Failed { id: Box<str>, failure: Failure },
    /// Nothing comes any more.
    Ended(Failure),
}

/// The sending half. Dropping it ends the conversation at once.
#[async_trait]
pub(crate) trait Link: Send + Sync {
    /// Waits while the server is slow to read.
    async fn send(&self, message: Outgoing) -> Result<(), Failure>;

    /// Sends without waiting; `false` if the server is too slow to take it.
    fn try_send(&self, message: Outgoing) -> bool;

    /// Why it is to be given up when the answer to the first request did not come in time.
    fn given_up(&self) -> Failure {
        Failure::HandshakeTimeout
    }

    /// Ends the conversation with the grace that the carrier gives, and waits for it.
    async fn close(&self);
}

/// Both halves.
pub(crate) struct Wire {
    pub(crate) link: Arc<dyn Link>,
    pub(crate) inbox: mpsc::Receiver<Received>,
    /// What the server has sent that reaches no client.
    pub(crate) strange: Arc<Strange>,
}

/// Starts conversations with the one server that the operator configured (CHECKLIST R12: nothing of a request
/// has a say in what is started).
#[async_trait]
pub(crate) trait Connect: Send + Sync {
    async fn connect(&self) -> Result<Wire, Failure>;

    /// As [`connect`](Self::connect), to see how it goes: whoever asks reports a failure himself, once.
    async fn try_out(&self) -> Result<Wire, Failure> {
        self.connect().await
    }

    /// After a first conversation came to nothing: whether there is another way to speak to the server, which is the
    /// one from now on.
    ///
    /// # Errors
    /// There is, and it can't be gone.
    async fn fall_back(&self, _refused: &Failure) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Whether it is worth the trouble to have a conversation begun before anybody wants it.
    fn takes_time(&self) -> bool {
        false
    }
}
