//! A verb on its way through the writer.

use async_trait::async_trait;
use keystile_domain::ports::StoreError;
use sqlx::SqliteConnection;
use tokio::sync::oneshot;

use crate::failure::{BatchFailed, Failure};
use crate::feed::RevocationFeed;

/// How much a verb leaves behind when it fails half-way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Footprint {
    /// At most one statement writes: if it fails, nothing changed. No savepoint, two thread hops
    /// less.
    OneStatement,
    /// It needs a savepoint.
    Several,
}

/// One atomic write of a port.
#[async_trait]
pub(crate) trait Verb: Send + Sync + 'static {
    /// What the caller hears.
    type Answer: Send + Sync + 'static;
    /// See [`Footprint`].
    const FOOTPRINT: Footprint;

    /// Runs inside the transaction of the batch.
    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Self::Answer, Failure>;

    /// Runs after COMMIT and before the caller hears: where the revocation feed is told.
    fn committed(&self, _answer: &Self::Answer, _feed: &RevocationFeed) {}
}

/// A verb without its type.
#[async_trait]
pub(crate) trait Job: Send {
    fn footprint(&self) -> Footprint;
    async fn run(&mut self, connection: &mut SqliteConnection);
    fn has_failed(&self) -> bool;
    fn lost_the_transaction(&self) -> bool;
    /// The error with which the whole transaction is lost, if it is.
    fn take_lost_transaction(&mut self) -> Option<sqlx::Error>;
    fn committed(self: Box<Self>, feed: &RevocationFeed);
    fn failed(self: Box<Self>, failed: &BatchFailed);
}

pub(super) struct Pending<V: Verb> {
    verb: V,
    outcome: Option<Result<V::Answer, Failure>>,
    reply: oneshot::Sender<Result<V::Answer, StoreError>>,
}

impl<V: Verb> Pending<V> {
    pub(super) fn new(verb: V, reply: oneshot::Sender<Result<V::Answer, StoreError>>) -> Self {
        Self {
            verb,
            outcome: None,
            reply,
        }
    }
}

#[async_trait]
impl<V: Verb> Job for Pending<V> {
    fn footprint(&self) -> Footprint {
        V::FOOTPRINT
    }

    async fn run(&mut self, connection: &mut SqliteConnection) {
        self.outcome = Some(self.verb.apply(connection).await);
    }

    fn has_failed(&self) -> bool {
        !matches!(self.outcome, Some(Ok(_)))
    }

    fn lost_the_transaction(&self) -> bool {
        matches!(&self.outcome, Some(Err(failure)) if failure.loses_the_transaction())
    }

    fn take_lost_transaction(&mut self) -> Option<sqlx::Error> {
        if !self.lost_the_transaction() {
            return None;
        }
        match self.outcome.take() {
            Some(Err(Failure::Database(error))) => Some(error),
            _ => None,
        }
    }

    fn committed(self: Box<Self>, feed: &RevocationFeed) {
        let Self {
            verb,
            outcome,
            reply,
        } = *self;
        let outcome = outcome.expect("a committed batch ran each of its jobs");
        if let Ok(answer) = &outcome {
            verb.committed(answer, feed);
        }
        // Whoever asked may be gone; what is committed stays.
        drop(reply.send(outcome.map_err(StoreError::from)));
    }

    fn failed(self: Box<Self>, failed: &BatchFailed) {
        drop(self.reply.send(Err(failed.clone().into())));
    }
}
