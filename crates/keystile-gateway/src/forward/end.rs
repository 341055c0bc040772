//! Why a call ends before its upstream has answered, and what its client hears then.

use crate::refusal::{Code, Refusal};
use crate::relay::{Failure, Over};

/// The end of a stream, or of the wait for one.
#[derive(Debug)]
pub(super) enum End {
    /// Before its own.
    Over(Over),
    /// The upstream hung up, and how.
    HungUp(String),
    /// It sent what may not reach a client.
    Failed(Failure),
}

impl End {
    /// What whoever still waits for an answer gets instead.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        Some(match self {
            Self::Over(over) => return over.refusal(),
            Self::HungUp(detail) => {
                let sentence = "The server behind this gateway hung up before it answered.";
                Refusal::new(Code::UpstreamUnreachable, sentence).with_detail(detail)
            }
            Self::Failed(failure) => Refusal::from(failure),
        })
    }
}
