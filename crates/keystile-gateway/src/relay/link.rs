//! One conversation with one upstream server, whatever carries it: a child's pipes or HTTP.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::Failure;

/// What goes to the server. One JSON-RPC message without line breaks.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) text: String,
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

    /// Whether it is worth the trouble to have a conversation begun before anybody wants it.
    fn takes_time(&self) -> bool {
        false
    }
}
