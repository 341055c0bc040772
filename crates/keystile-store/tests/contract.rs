//! What every store must do, written once against the ports. Each backend mounts it: today SQLite.
#![expect(
    clippy::unwrap_used,
    reason = "the shared parts of these tests may fail like the tests"
)]

#[cfg(test)]
#[path = "shared/code.rs"]
mod code;

mod contract {
    pub(crate) mod clients;
    pub(crate) mod codes;
    pub(crate) mod device;
    pub(crate) mod keeping;
    pub(crate) mod keys;
    pub(crate) mod people;
    pub(crate) mod refresh;
    pub(crate) mod registrations;
    pub(crate) mod revocation;
    pub(crate) mod world;
}
