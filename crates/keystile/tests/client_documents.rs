//! Client ID Metadata Documents against the real binary: a TLS host on loopback publishes them, good and bad ones.

#[path = "client_documents/caching.rs"]
mod caching;
#[path = "client_documents/clients.rs"]
mod clients;
#[path = "client_documents/closed.rs"]
mod closed;
#[path = "client_documents/consent.rs"]
mod consent;
#[path = "support/gate.rs"]
mod gate;
#[path = "client_documents/judged.rs"]
mod judged;
#[path = "client_documents/person.rs"]
mod person;
#[path = "support/process.rs"]
mod process;
#[path = "client_documents/published.rs"]
mod published;
#[path = "client_documents/signing.rs"]
mod signing;
#[path = "client_documents/snapshot.rs"]
mod snapshot;
#[path = "client_documents/start.rs"]
mod start;
#[path = "support/tools.rs"]
mod tools;
#[path = "client_documents/trust.rs"]
mod trust;
