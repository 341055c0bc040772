//! One MCP server served to clients of both eras over HTTP, whatever carries the server's messages.
//!
//! `serve` sorts requests by era. Clients of 2025 have sessions (`legacy`), each with a conversation of its own;
//! stateless clients share one per person and client (`stateless`); those of 2024-11-05 have a stream that names where
//! they post (`channel`). Where the server speaks the other era, a bridge
//! stands between (`legacy_bridge`, `stateless_bridge`) which drives the pure translations of `era`.

mod answer;
mod batch;
mod caller;
mod channel;
mod eras;
mod failure;
mod http_bridge;
mod http_link;
mod legacy;
mod legacy_bridge;
mod link;
mod listing;
mod outbox;
mod peer;
mod reach;
mod serve;
mod session;
mod spare;
mod sse_link;
mod stateless;
mod stateless_bridge;
mod strange;
mod upkeep;

pub use caller::{Caller, Ports};
pub(crate) use caller::{Lasts, Over};
pub(crate) use channel::Channel;
pub use failure::Failure;
pub use http_bridge::HttpBridge;
pub(crate) use link::{Connect, Link, Outgoing, Received, Wire};
pub use reach::Transport;
pub(crate) use reach::{Reach, Spoken};
pub(crate) use serve::{Admitted, Relay};
pub(crate) use strange::Strange;
pub(crate) use upkeep::{Limits, call_limit};
