//! Identifiers: UUIDv7 as lower-case text, sortable by the time they were made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ports::Rng;
use crate::time::Timestamp;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id (RFC 9562 §5.7: 48 bits of time, 74 random bits).
            #[must_use]
            pub fn new(now: Timestamp, rng: &dyn Rng) -> Self {
                let mut random = [0; 10];
                rng.fill(&mut random);
                let millis = u64::try_from(now.0).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            /// The sixteen bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// An id from its sixteen bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Uuid::try_parse(text).map(Self).map_err(|_| NotAnId)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )+};
}

/// The text is no id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("it is not an id; ids look like 0198c0de-7f3a-7bcd-8e21-5a1f0c9d2b44")]
pub struct NotAnId;

ids! {
    /// A grant: one person's yes to one client for one resource. `sid` of its access tokens, and
    /// the family of its refresh tokens.
    GrantId,
    /// A person with a local account; `sub` of their tokens.
    PersonId,
    /// One authorization request on its way through sign-in and consent.
    TransactionId,
    /// A token: `jti`.
    TokenId,
    /// One request of a device (RFC 8628) on its way to a person's answer.
    DeviceRequestId,
    /// An initial access token (RFC 7591 §1.2), as an operator names it; not its text.
    InitialAccessTokenId,
}
