//! Why a call ends before its upstream has answered, and what its client hears then.

use keystile_domain::ports::Standing;

use crate::refusal::{Code, Refusal};
use crate::relay::Failure;

/// The end of a stream, or of the wait for one.
#[derive(Debug)]
pub(super) enum End {
    /// The grant, the person or the client was revoked.
    Revoked,
    /// Nobody knows whether they were.
    Unknown,
    /// The token's, and the stream was for as long as that.
    Expired,
    /// The call's own limit is reached.
    TooLong,
    /// The upstream hung up, and how.
    HungUp(String),
    /// It sent what may not reach a client.
    Failed(Failure),
}

impl End {
    /// Of a permit that is no longer good.
    pub(super) fn of(standing: Standing) -> Option<Self> {
        match standing {
            Standing::Good => None,
            Standing::Revoked => Some(Self::Revoked),
            Standing::Unknown => Some(Self::Unknown),
        }
    }

    /// What whoever still waits for an answer gets instead; nothing at the end of the token, which is an orderly one.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        Some(match self {
            Self::Revoked => Refusal::revoked(),
            Self::Unknown => Refusal::revocations_unknown(),
            Self::Expired => return None,
            Self::TooLong => Refusal::timed_out(),
            Self::HungUp(detail) => {
                let sentence = "The server behind this gateway hung up before it answered.";
                Refusal::new(Code::UpstreamUnreachable, sentence).with_detail(detail)
            }
            Self::Failed(failure) => Refusal::from(failure),
        })
    }
}
