//! Between the eras of MCP: up to 2025-11-25 a handshake and a session, from 2026-07-28 neither.
//!
//! Everything here is a function from message to message, without I/O; [`crate::relay`] drives it for stdio children
//! and for HTTP upstreams alike. `docs/compatibility.md` has the table of pairs.

pub(crate) mod json;
pub(crate) mod legacy_to_stateless;
pub(crate) mod message;
pub(crate) mod meta;
pub(crate) mod param_headers;
pub(crate) mod retry;
pub(crate) mod stateless_to_legacy;
pub(crate) mod subscriptions;
