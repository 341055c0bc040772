//! The rule of refresh token rotation (DESIGN §4, CHECKLIST R9; OAuth 2.1 §4.3.1, RFC 9700 §4.14).
//!
//! A lost answer must not sign anybody out, and a stolen token must not live beside the real one.
//! Both follow from one fact about the family: the highest generation that was ever presented.

use std::time::Duration;

use keystile_protocol::mutation::weakened;

use crate::records::RefreshMismatch;
use crate::time::Timestamp;

/// How long the generation before the presented one is still answered, so that two refreshes of one
/// client that ran beside each other both end well.
pub const OVERLAP: Duration = Duration::from_secs(30);

/// What the store knows about the family when a refresh token is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilyFacts {
    /// The presenter is the client of the grant.
    pub same_client: bool,
    /// The presenter proved that, or the grant does not ask for it.
    pub proved: bool,
    /// The request names no resource, or the one of the grant (RFC 8707 §2.2).
    pub same_resource: bool,
    /// The code was redeemed, so that generation 1 was given out.
    pub active: bool,
    /// The grant is revoked or its person disabled.
    pub revoked: bool,
    /// When the grant ends.
    pub expires_at: Timestamp,
    /// Highest generation ever presented; 0 before the first.
    pub presented: u32,
    /// When that generation was first presented.
    pub presented_at: Option<Timestamp>,
}

/// What becomes of the token that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Never presented before: `presented` becomes `n`, the answer is `n + 1`.
    First,
    /// Presented before and still within the rule: the answer is `n + 1` again, nothing changes.
    Again,
    /// A replay beyond the rule: the family dies.
    Reused,
    /// Nothing changes.
    Refused(RefreshMismatch),
}

/// Judges generation `n` of a family.
///
/// `n` is answered with `n + 1`, however late, while `n + 1` was never presented; then for
/// [`OVERLAP`] since `n + 1` was first presented, and only while `n + 2` was never presented; later
/// the family dies. What a stranger shows is refused before anything about the family is looked at,
/// so that nobody can kill a family that is not theirs.
#[must_use]
pub fn judge(facts: &FamilyFacts, generation: u32, now: Timestamp) -> Judgement {
    if !facts.same_client && !weakened("a_018") {
        return Judgement::Refused(RefreshMismatch::Client);
    }
    if !facts.proved && !weakened("n_as_32c") {
        return Judgement::Refused(RefreshMismatch::ClientProof);
    }
    if !facts.active || generation == 0 || generation > facts.presented.saturating_add(1) {
        return Judgement::Refused(RefreshMismatch::Unknown);
    }
    if facts.revoked && !weakened("a_023") {
        return Judgement::Refused(RefreshMismatch::Revoked);
    }
    if now >= facts.expires_at && !weakened("a_032") {
        return Judgement::Refused(RefreshMismatch::Expired);
    }
    if !facts.same_resource {
        return Judgement::Refused(RefreshMismatch::Resource);
    }
    match facts.presented.checked_sub(generation) {
        None => Judgement::First,
        Some(0) => Judgement::Again,
        Some(1) if within_overlap(facts, now) && !weakened("a_021") => Judgement::Again,
        Some(1) if weakened("a_022") => Judgement::Again,
        Some(_) if weakened("n_as_26") => Judgement::Again,
        Some(_) => Judgement::Reused,
    }
}

/// A family with presentations but no time of the last one is inconsistent: no overlap (R3).
fn within_overlap(facts: &FamilyFacts, now: Timestamp) -> bool {
    facts
        .presented_at
        .is_some_and(|at| now.since(at) <= OVERLAP)
}

#[cfg(test)]
mod tests;
