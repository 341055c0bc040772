//! What Keystile remembers: SQLite behind the ports of `keystile_domain`, and the audit trail as
//! append-only segment files.
//!
//! [`Store`] answers the ports for people, sessions, clients, grants, bindings and signing
//! keys. All its writes pass one writer task, which commits many of them at once
//! (docs/adr/0001-single-writer.md).
//! [`audit::AuditLog`] is the trail, [`RevocationFeed`] what the gateway asks at each call.

pub mod audit;
mod failure;
mod feed;
mod row;
mod store;
mod weaken;
mod writer;

pub use feed::RevocationFeed;
pub use store::Store;
pub use store::open::OpenError;
pub use store::prune::Pruned;
