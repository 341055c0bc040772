//! The rotation of the signing keys: next, current, retired (docs/keys.md).
//!
//! A key is published before it signs and after it signed, so that whoever keeps the published set
//! for a while never meets a token whose key he cannot have.

use std::time::Duration;

use keystile_protocol::jwt::claims::MAX_LIFETIME;
use keystile_protocol::jwt::sign::JWKS_MAX_AGE;
use keystile_protocol::mutation::weakened;
use thiserror::Error;

use crate::records::{SealedSigningKey, SigningKeyState};
use crate::time::Timestamp;

/// How long a key signs before the next one does it by itself.
pub const ROTATE_EVERY: Duration = Duration::from_secs(90 * 24 * 3600);

/// How long a key is published before it signs by itself, and after it signed: the longest life of a
/// token and as long as others keep the set.
pub const OVERLAP: Duration = Duration::from_secs(MAX_LIFETIME + JWKS_MAX_AGE);

/// At most so many retired keys are published. Who rotates more often than that has to wait for
/// their tokens to end.
pub const MOST_RETIRED: usize = 8;

/// Nothing was rotated.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NotRotated {
    /// There is no current key.
    #[error("there is no signing key to be rotated")]
    NoCurrent,
    /// Tokens of this many keys may still live.
    #[error(
        "tokens of {MOST_RETIRED} retired signing keys may still live; the first of them can go in {} min", .0.as_secs().div_ceil(60)
    )]
    TooOften(Duration),
}

/// What a rotation shall do.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// Signs from now on instead of the key that is next, which goes; for another algorithm.
    pub instead_of_next: Option<SealedSigningKey>,
    /// The new next key.
    pub new_next: SealedSigningKey,
    /// One of the keys has leaked. All of them go at once, and with them every access token; what was
    /// next lay beside the others, so it goes unused.
    pub forget_old: bool,
}

/// The keys after a rotation.
///
/// # Errors
/// [`NotRotated`].
pub fn rotate(
    keys: &[SealedSigningKey],
    rotation: Rotation,
    now: Timestamp,
) -> Result<Vec<SealedSigningKey>, NotRotated> {
    let in_state = |state| keys.iter().find(move |key| key.state == state).cloned();
    let current = in_state(SigningKeyState::Current).ok_or(NotRotated::NoCurrent)?;
    let successor = rotation
        .instead_of_next
        .or_else(|| in_state(SigningKeyState::Next).filter(|_| !rotation.forget_old))
        .unwrap_or_else(|| rotation.new_next.clone());
    let mut wanted = Vec::new();
    if !rotation.forget_old {
        wanted = keys.to_vec();
        wanted.retain(|key| key.state == SigningKeyState::Retired && !is_over(key, now));
        if wanted.len() >= MOST_RETIRED {
            let first = wanted.iter().map(|key| key.since).min().unwrap_or(now);
            return Err(NotRotated::TooOften(first.plus(OVERLAP).since(now)));
        }
        wanted.push(at(current, SigningKeyState::Retired, now));
    }
    let next_is_new = successor.kid != rotation.new_next.kid;
    wanted.push(at(successor, SigningKeyState::Current, now));
    if next_is_new {
        wanted.push(at(rotation.new_next, SigningKeyState::Next, now));
    }
    Ok(wanted)
}

/// Whether the next key shall sign now by itself: the current one is old, and everybody has had the
/// time to read the next one.
#[must_use]
pub fn is_due(keys: &[SealedSigningKey], every: Duration, now: Timestamp) -> bool {
    let current = keys
        .iter()
        .find(|key| key.state == SigningKeyState::Current);
    current.is_some_and(|current| now.since(current.since) >= every) && is_known(keys, now)
}

/// Whether everybody who keeps the published set has had the time to read the key that is next: it
/// was published for [`OVERLAP`], or from the beginning.
#[must_use]
pub fn is_known(keys: &[SealedSigningKey], now: Timestamp) -> bool {
    let next = keys.iter().find(|key| key.state == SigningKeyState::Next);
    let Some(next) = next else { return false };
    let from_the_beginning = keys.iter().all(|key| next.created_at <= key.created_at);
    from_the_beginning || now.since(next.since) >= OVERLAP || weakened("a_082c")
}

/// Whether no token of a retired key can live any more.
#[must_use]
pub fn is_over(key: &SealedSigningKey, now: Timestamp) -> bool {
    let over = key.state == SigningKeyState::Retired && now.since(key.since) >= OVERLAP;
    over && !weakened("a_082d")
}

fn at(key: SealedSigningKey, state: SigningKeyState, since: Timestamp) -> SealedSigningKey {
    SealedSigningKey {
        state,
        since,
        ..key
    }
}

#[cfg(test)]
mod tests;
