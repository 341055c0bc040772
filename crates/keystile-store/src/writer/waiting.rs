//! A verb of a grant's life on its way through the writer, together with others of its kind.

use keystile_domain::ports::StoreError;
use tokio::sync::oneshot;

use crate::failure::{BatchFailed, Failure};
use crate::feed::RevocationFeed;

/// A verb of which all that wait are one statement.
pub(crate) trait SharedVerb: Sized {
    /// What the caller hears.
    type Answer;

    /// Runs after COMMIT and before the caller hears: where the revocation feed is told.
    fn committed(&self, _answer: &Self::Answer, _feed: &RevocationFeed) {}
}

/// One verb, and who waits for its commit.
pub(crate) struct Waiting<V: SharedVerb> {
    pub(crate) verb: V,
    reply: oneshot::Sender<Result<V::Answer, StoreError>>,
}

/// The end of it that the caller holds.
pub(crate) type Answer<V> = oneshot::Receiver<Result<<V as SharedVerb>::Answer, StoreError>>;

impl<V: SharedVerb> Waiting<V> {
    pub(crate) fn new(verb: V) -> (Self, Answer<V>) {
        let (reply, answer) = oneshot::channel();
        (Self { verb, reply }, answer)
    }

    pub(crate) fn committed(self, outcome: Result<V::Answer, Failure>, feed: &RevocationFeed) {
        if let Ok(answer) = &outcome {
            self.verb.committed(answer, feed);
        }
        // Whoever asked may be gone; what is committed stays.
        drop(self.reply.send(outcome.map_err(StoreError::from)));
    }

    pub(crate) fn failed(self, failed: &BatchFailed) {
        drop(self.reply.send(Err(failed.clone().into())));
    }
}
