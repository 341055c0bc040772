//! The single writer (DESIGN §4, docs/adr/0001-single-writer.md).
//!
//! One task owns the one connection that writes. It takes what has queued up, runs it in one
//! transaction and answers after COMMIT: the cost of making things durable is shared by all who
//! wait. A job that fails is undone alone; a request that went away is committed all the same.

mod job;
mod waiting;

use std::sync::Arc;

use keystile_domain::ports::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::failure::{BatchFailed, WriterGone};
use crate::feed::RevocationFeed;
use crate::store::grants::approve::Approve;
use crate::store::grants::take::Take;
use crate::store::grants::together::{Commits, Outcomes, Together};
use crate::store::rotation::Rotate;
use crate::store::sessions::FoundSessions;

pub(crate) use job::{Footprint, Verb};
use job::{Job, Pending};
pub(crate) use waiting::{SharedVerb, Waiting};

/// Where verbs are handed to the writer.
#[derive(Clone)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Message>,
}

/// What can be handed to it.
pub(crate) enum Message {
    Approve(Waiting<Approve>),
    Take(Waiting<Take>),
    Rotate(Waiting<Rotate>),
    Job(Box<dyn Job>),
    Close,
}

impl From<Waiting<Approve>> for Message {
    fn from(waiting: Waiting<Approve>) -> Self {
        Self::Approve(waiting)
    }
}

impl From<Waiting<Take>> for Message {
    fn from(waiting: Waiting<Take>) -> Self {
        Self::Take(waiting)
    }
}

impl From<Waiting<Rotate>> for Message {
    fn from(waiting: Waiting<Rotate>) -> Self {
        Self::Rotate(waiting)
    }
}

impl Writer {
    /// Starts the task on the current runtime.
    pub(crate) fn start(
        options: SqliteConnectOptions,
        connection: SqliteConnection,
        told: Told,
    ) -> (Self, JoinHandle<()>) {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let task = Task {
            options,
            connection: Some(connection),
            told,
        };
        (Self { jobs }, tokio::spawn(task.run(queue)))
    }

    /// Runs the verb in some batch; returns after COMMIT. Once the verb is in the queue it is
    /// committed even if nobody waits any more.
    pub(crate) async fn run<V: Verb>(&self, verb: V) -> Result<V::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Message::Job(Box::new(Pending::new(verb, reply)));
        self.jobs.send(job).await.map_err(|_| WriterGone)?;
        answer.await.map_err(|_| WriterGone)?
    }

    /// As [`run`](Self::run), together with all others of its kind that wait.
    pub(crate) async fn settle<V>(&self, verb: V) -> Result<V::Answer, StoreError>
    where
        V: SharedVerb,
        Waiting<V>: Into<Message>,
    {
        let (waiting, answer) = Waiting::new(verb);
        let sent = self.jobs.send(waiting.into()).await;
        sent.map_err(|_| WriterGone)?;
        answer.await.map_err(|_| WriterGone)?
    }

    /// Everything queued before is still committed.
    pub(crate) async fn close(&self) {
        // An error says that it has stopped already.
        drop(self.jobs.send(Message::Close).await);
    }
}

struct Task {
    options: SqliteConnectOptions,
    /// `None` after a failure that may have left a transaction behind.
    connection: Option<SqliteConnection>,
    told: Told,
}

/// Who hears of a commit before its callers do.
pub(crate) struct Told {
    pub(crate) feed: Arc<RevocationFeed>,
    pub(crate) found: Arc<FoundSessions>,
}

/// The feed is told that its writer is gone however the task ends, by a panic too.
struct StarvesFeed(Arc<RevocationFeed>);

impl Drop for StarvesFeed {
    fn drop(&mut self) {
        self.0.starve();
    }
}

#[derive(Default)]
struct Batch {
    together: Together,
    jobs: Vec<Box<dyn Job>>,
    close: bool,
}

impl Task {
    async fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let _starves = StarvesFeed(Arc::clone(&self.told.feed));
        let mut messages = Vec::with_capacity(MOST_PER_COMMIT);
        loop {
            // What waits for the last batch's outcome is there already.
            if messages.is_empty() && queue.recv_many(&mut messages, MOST_PER_COMMIT).await == 0 {
                break;
            }
            // Those whose answers just went out run now, so that their next jobs come along.
            tokio::task::yield_now().await;
            while messages.len() < MOST_PER_COMMIT {
                let Ok(message) = queue.try_recv() else { break };
                messages.push(message);
            }
            let batch = Batch::of(&mut messages);
            let close = batch.close;
            self.commit(batch).await;
            if close {
                queue.close();
            }
        }
        if let Some(connection) = self.connection.take() {
            checkpoint_and_close(connection).await;
        }
    }

    async fn commit(&mut self, mut batch: Batch) {
        if batch.together.is_empty() && batch.jobs.is_empty() {
            return;
        }
        let done = self.transact(&mut batch).await;
        if !batch.jobs.is_empty() {
            // Of the others, none changes a session or a person.
            self.told.found.forget();
        }
        match done {
            Ok(outcomes) => {
                batch.together.committed(outcomes, &self.told.feed);
                for job in batch.jobs {
                    job.committed(&self.told.feed);
                }
            }
            Err(error) => {
                tracing::error!(%error, "the writer could not commit: {error}");
                self.abandon().await;
                let failed = BatchFailed(Arc::new(error));
                batch.together.failed(&failed);
                for job in batch.jobs {
                    job.failed(&failed);
                }
            }
        }
    }

    /// Everything of the batch in one transaction. An error means that nothing of it is durable.
    async fn transact(&mut self, batch: &mut Batch) -> Result<Outcomes, sqlx::Error> {
        let connection = self.connection().await?;
        if batch.jobs.is_empty() {
            // One trip to SQLite's thread, not three.
            return batch.together.settle(connection, Commits::Itself).await;
        }
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let settled = batch.together.settle(&mut transaction, Commits::WithOthers);
        let outcomes = settled.await?;
        for job in &mut batch.jobs {
            match job.footprint() {
                Footprint::OneStatement => job.run(&mut transaction).await,
                Footprint::Several => {
                    let mut savepoint = transaction.begin().await?;
                    job.run(&mut savepoint).await;
                    match job.has_failed() {
                        false => savepoint.commit().await?,
                        true if job.lost_the_transaction() => drop(savepoint),
                        true => savepoint.rollback().await?,
                    }
                }
            }
            if let Some(error) = job.take_lost_transaction() {
                return Err(error);
            }
        }
        transaction.commit().await?;
        Ok(outcomes)
    }

    async fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(self.connection.insert(connection))
    }

    /// A connection whose transaction failed is not trusted with the next one: SQLite may or may
    /// not have rolled back by itself. Closing it rolls back for certain.
    async fn abandon(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.close_hard().await);
        }
    }
}

impl Batch {
    /// Takes what can be done at once. The second presentation of a code waits for what becomes of the first.
    fn of(messages: &mut Vec<Message>) -> Self {
        let mut batch = Self::default();
        let mut later = Vec::new();
        for message in messages.drain(..) {
            match message {
                Message::Approve(approve) => batch.together.approvals.push(approve),
                Message::Take(take) if batch.together.takes_code(&take.verb.proof.code) => {
                    later.push(Message::Take(take));
                }
                Message::Take(take) => batch.together.takes.push(take),
                Message::Rotate(rotate) => batch.together.rotations.push(rotate),
                Message::Job(job) => batch.jobs.push(job),
                Message::Close => batch.close = true,
            }
        }
        *messages = later;
        batch
    }
}

/// Leaves a database without a write-ahead log behind, if no reader holds it back.
async fn checkpoint_and_close(mut connection: SqliteConnection) {
    let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut connection)
        .await;
    let closed = connection.close().await;
    if let Err(error) = checkpoint.map(drop).and(closed) {
        tracing::warn!(%error, "the database was not closed cleanly: {error}");
    }
}

/// Jobs that may wait; beyond, callers wait to be let in.
const QUEUE: usize = 1_024;
/// Bounds what one commit can take.
const MOST_PER_COMMIT: usize = 256;
