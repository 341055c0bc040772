//! Why a piece of work on the database failed, and whom that concerns.

use std::sync::Arc;

use keystile_domain::ports::StoreError;
use thiserror::Error;

/// Inside this crate; outside it is a [`StoreError`].
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The database said no.
    #[error("{0}")]
    Database(#[from] sqlx::Error),
    /// A row contradicts what this program writes.
    #[error("{0}")]
    Inconsistent(String),
}

/// The whole batch failed; each of its jobs hears of the same cause.
#[derive(Debug, Clone, Error)]
#[error("{0}")]
pub(crate) struct BatchFailed(pub(crate) Arc<sqlx::Error>);

/// The writer has stopped: the store was closed, or it met a defect.
#[derive(Debug, Error)]
#[error("the store is closed")]
pub(crate) struct WriterGone;

impl Failure {
    /// Whether the transaction itself is lost: SQLite may have rolled all of it back, so the other
    /// jobs of the batch must not be answered as if it had not (sqlite.org/lang_transaction.html §3).
    pub(crate) fn loses_the_transaction(&self) -> bool {
        let Self::Database(error) = self else {
            return false;
        };
        match error {
            sqlx::Error::Database(database) => primary_code(database.as_ref())
                .is_none_or(|code| !matches!(code, ERROR | CONSTRAINT | MISMATCH | TOO_BIG)),
            // The row was read; it is its content that is wrong.
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => false,
            _ => true,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Database(sqlx::Error::ColumnDecode { index, source }) => {
                Self::Inconsistent(format!("column {index}: {source}"))
            }
            Failure::Database(error) => Self::Unavailable(Box::new(error)),
            Failure::Inconsistent(what) => Self::Inconsistent(what),
        }
    }
}

impl From<BatchFailed> for StoreError {
    fn from(failed: BatchFailed) -> Self {
        Self::Unavailable(Box::new(failed))
    }
}

impl From<WriterGone> for StoreError {
    fn from(gone: WriterGone) -> Self {
        Self::Unavailable(Box::new(gone))
    }
}

/// SQLite's primary result code (sqlite.org/rescode.html): the low byte of the extended one.
pub(crate) fn primary_code(error: &dyn sqlx::error::DatabaseError) -> Option<u32> {
    error.code()?.parse::<u32>().ok().map(|code| code & 0xff)
}

const ERROR: u32 = 1;
pub(crate) const BUSY: u32 = 5;
pub(crate) const READ_ONLY: u32 = 8;
pub(crate) const CORRUPT: u32 = 11;
pub(crate) const FULL: u32 = 13;
pub(crate) const CANNOT_OPEN: u32 = 14;
const TOO_BIG: u32 = 18;
const CONSTRAINT: u32 = 19;
const MISMATCH: u32 = 20;
pub(crate) const NOT_A_DATABASE: u32 = 26;
