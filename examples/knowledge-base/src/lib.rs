//! A sample MCP server: full-text search over a folder of Markdown, by SQLite's FTS5.
//!
//! It has one of everything that a client can ask for: tools (`search`, `read`, `add_note`), resources with templates,
//! and a prompt (`ask`). It knows nothing of OAuth: that is what Keystile in front of it is for.

mod address;
mod corpus;
mod error;
mod http;
mod index;
mod query;
mod server;
mod stdio;

pub use crate::{
    error::Error,
    http::{Http, serve_http},
    server::{Eras, Options, Server},
    stdio::{serve_stdio, serve_stdio_eras},
};
