//! What OAuth and MCP say, as types: no I/O, no async, no clock.
//!
//! Messages of the authorization server (RFC 6749, 7591, 7009, 8414, 8707, 9207), of the resource
//! server (RFC 6750, 9068, 9728) and of MCP (JSON-RPC envelope, headers, revisions), with the rules
//! that need nothing but the message itself.

pub mod challenge;
pub mod client_id_url;
pub mod client_metadata;
pub mod error;
pub mod form;
pub mod issuer;
pub mod jwt;
pub mod mcp;
pub mod metadata;
pub mod mutation;
pub mod pkce;
pub mod redirect;
pub mod resource;
pub mod scope;
pub mod strict_json;
pub mod token;
