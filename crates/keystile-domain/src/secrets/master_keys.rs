//! The master keys of an installation over time: one that seals, and earlier ones that only open.
//!
//! All stand in one file, so that one rename replaces them and no crash leaves half of a rotation
//! (docs/keys.md).

use zeroize::Zeroizing;

use crate::ports::Rng;
use crate::secrets::master::{MasterKey, MasterKeyError};
use crate::time::Timestamp;

/// At most so many earlier keys are kept. Each is tried for what does not name its key.
pub const MOST_OLD: usize = 4;

/// Bytes of a key, and of a key that only opens: when that began, in milliseconds, stands before it.
const KEY: usize = 32;
const OLD_KEY: usize = 8 + KEY;

/// One key that seals and at most [`MOST_OLD`] that only open, the latest of them first.
pub struct MasterKeys {
    sealing: MasterKey,
    old: Vec<OldMasterKey>,
}

/// A key that seals nothing any more.
pub struct OldMasterKey {
    key: MasterKey,
    /// When another took its place.
    pub since: Timestamp,
}

impl OldMasterKey {
    /// The key.
    #[must_use]
    pub const fn key(&self) -> &MasterKey {
        &self.key
    }
}

/// There are [`MOST_OLD`] earlier keys already, and none may be forgotten.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{MOST_OLD} earlier master keys are kept already, and there is no room for one more")]
pub struct TooManyOld;

impl From<MasterKey> for MasterKeys {
    fn from(sealing: MasterKey) -> Self {
        Self {
            sealing,
            old: Vec::new(),
        }
    }
}

impl MasterKeys {
    /// As [`to_bytes`](Self::to_bytes) wrote them. One key alone is its 32 bytes.
    ///
    /// # Errors
    /// Another length, a placeholder among them, or two that can't be told apart.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MasterKeyError> {
        let wrong = MasterKeyError::Length(bytes.len());
        let Some((first, rest)) = bytes.split_at_checked(KEY) else {
            return Err(wrong);
        };
        let (entries, tail) = rest.as_chunks::<OLD_KEY>();
        if !tail.is_empty() || entries.len() > MOST_OLD {
            return Err(wrong);
        }
        let mut keys = Self::from(MasterKey::from_bytes(first)?);
        for entry in entries {
            let (since, key) = entry.split_at(OLD_KEY - KEY);
            let since = since.try_into().expect("eight bytes");
            let key = MasterKey::from_bytes(key)?;
            if keys.all().any(|known| known.id() == key.id()) {
                return Err(MasterKeyError::Doubled);
            }
            keys.old.push(OldMasterKey {
                key,
                since: Timestamp(i64::from_be_bytes(since)),
            });
        }
        Ok(keys)
    }

    /// For the key file: the sealing key, then for each earlier one when it ceased to seal (eight
    /// bytes, big-endian milliseconds) and the key.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // With its final capacity, so that no copy of a key is left behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY + OLD_KEY * MOST_OLD));
        bytes.extend_from_slice(self.sealing.as_bytes());
        for old in &self.old {
            bytes.extend_from_slice(&old.since.0.to_be_bytes());
            bytes.extend_from_slice(old.key.as_bytes());
        }
        bytes
    }

    /// The key that makes new things.
    #[must_use]
    pub const fn sealing(&self) -> &MasterKey {
        &self.sealing
    }

    /// Those that only open, the latest first.
    #[must_use]
    pub fn old(&self) -> &[OldMasterKey] {
        &self.old
    }

    /// All of them, the sealing one first.
    pub fn all(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.sealing).chain(self.old.iter().map(OldMasterKey::key))
    }

    /// What there shall be instead: a fresh key that seals, and the one that sealed until now only
    /// opens. With `forget_old` the earlier ones are gone; never the one that sealed until now, so
    /// that a rotation by itself signs nobody out.
    ///
    /// # Errors
    /// [`TooManyOld`].
    pub fn rotated(
        &self,
        rng: &dyn Rng,
        now: Timestamp,
        forget_old: bool,
    ) -> Result<Self, TooManyOld> {
        if self.old.len() >= MOST_OLD && !forget_old {
            return Err(TooManyOld);
        }
        let copy = |key: &MasterKey, since| OldMasterKey {
            key: key.copy(),
            since,
        };
        let mut old = vec![copy(&self.sealing, now)];
        if !forget_old {
            old.extend(self.old.iter().map(|old| copy(&old.key, old.since)));
        }
        // Two bytes name a key, so one in some 16,000 has to be made again.
        let sealing = loop {
            let fresh = MasterKey::generate(rng);
            if self.all().all(|known| known.id() != fresh.id()) {
                break fresh;
            }
        };
        Ok(Self { sealing, old })
    }
}

#[cfg(test)]
mod tests;
