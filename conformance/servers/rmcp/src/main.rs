//! An open MCP server with the tools, prompts and resources that the official server conformance suite calls, in both eras.
//!
//! usage: keystile-rmcp-server \[PORT\]; prints `{"url":…}` when it listens (loopback only) and ends with SIGTERM.

#![expect(
    deprecated,
    reason = "sampling and logging are what the 2025 revisions have"
)]

mod asking;
mod catalog;
mod content;
mod fixture;
mod jobs;
mod rounds;
mod streams;

use std::sync::Arc;

use anyhow::{Context as _, Result};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use fixture::{Fixture, Shared};

#[tokio::main]
async fn main() -> Result<()> {
    let port = match std::env::args().nth(1) {
        Some(port) => port.parse().context("the port is a number")?,
        None => 0,
    };
    let sessions = Arc::new(LocalSessionManager::default());
    let shared = Arc::new(Shared::new(Arc::clone(&sessions))?);
    let config = StreamableHttpServerConfig::default().with_allowed_origins([
        "http://localhost:*",
        "http://127.0.0.1:*",
        "http://[::1]:*",
    ]);
    let service = StreamableHttpService::new(
        move || Ok(Fixture::new(Arc::clone(&shared))),
        sessions,
        config,
    );
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    println!(
        "{}",
        serde_json::json!({ "url": format!("http://{address}/mcp") })
    );
    axum::serve(listener, axum::Router::new().nest_service("/mcp", service)).await?;
    Ok(())
}
