//! `[tokens]`: how long they live.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::form::{Key, Kind, Section};
use super::reader::Reader;

pub(super) static FORM: Section = Section {
    name: "tokens",
    is_named: false,
    about: "How long tokens live, and the keys that sign them.",
    keys: &[
        Key {
            name: "access_token_lifetime",
            kind: Kind::Time,
            default: "10m",
            about: "How long an access token lives, 1s to 60m. Short ones are refreshed without anybody noticing.",
            example: "\"10m\"",
            flag: Some("--access-token-lifetime"),
        },
        Key {
            name: "key_rotation",
            kind: Kind::Time,
            default: "90d",
            about: "How long a key signs access tokens before the next one takes its place, 1d to 365d.",
            example: "\"90d\"",
            flag: Some("--key-rotation"),
        },
    ],
};

/// What `[tokens]` says, or the flags.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) access_token_lifetime: Duration,
    pub(crate) key_rotation: Duration,
}

/// How long an access token may live.
pub(crate) const LIVES_FOR: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(3600);
/// How long a signing key may be asked to sign.
pub(crate) const SIGNS_FOR: RangeInclusive<Duration> =
    Duration::from_secs(24 * 3600)..=Duration::from_secs(365 * 24 * 3600);

impl Tokens {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let lifetime = reader.time("access_token_lifetime", &LIVES_FOR);
        let rotation = reader.time("key_rotation", &SIGNS_FOR);
        Self {
            access_token_lifetime: lifetime.unwrap_or(Duration::from_secs(600)),
            key_rotation: rotation.unwrap_or(Duration::from_secs(90 * 24 * 3600)),
        }
    }
}
