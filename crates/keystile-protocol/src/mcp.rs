//! What an MCP message says, read once and strictly.
//!
//! [`Envelope::parse`] is the one reading of a message (CHECKLIST R1): policy decides on what it
//! found, and the upstream gets the very bytes that were read. An edit replaces one member's bytes
//! ([`Envelope::replaced`]); nothing is ever serialised again.

pub mod batch;
pub mod envelope;
pub mod error;
pub mod headers;
pub mod method;
pub mod revision;

pub use batch::Batch;
pub use envelope::{Envelope, EnvelopeError, Id, Kind, Meta, Params};
pub use error::RpcError;
pub use headers::McpHeaders;
pub use revision::{Era, Revision};
