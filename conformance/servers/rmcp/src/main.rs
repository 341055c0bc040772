//! An open MCP server with the tools, prompts and resources that the official server conformance suite calls, in both eras.
//!
//! usage: `keystile-rmcp-server [--era=2025|--era=2026] [--stdio | PORT]`; over HTTP it prints `{"url":…}` when it listens, on
//! loopback only, and ends with SIGTERM.

#![expect(
    deprecated,
    reason = "sampling and logging are what the 2025 revisions have"
)]

mod asking;
mod catalog;
mod content;
mod fixture;
mod jobs;
mod questions;
mod rounds;
mod streams;

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use rmcp::ServiceExt as _;
use rmcp::model::ProtocolVersion;
use rmcp::transport::stdio;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use fixture::{Fixture, Shared};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    let versions = match arguments
        .next_if(|word| word.starts_with("--era="))
        .as_deref()
    {
        None => ProtocolVersion::KNOWN_VERSIONS,
        Some("--era=2025") => ProtocolVersion::known_up_to(&ProtocolVersion::V_2025_11_25),
        Some("--era=2026") => &[ProtocolVersion::V_2026_07_28],
        Some(other) => bail!("{other}: the eras are 2025 and 2026"),
    };
    let sessions = Arc::new(LocalSessionManager::default());
    let shared = Arc::new(Shared::new(Arc::clone(&sessions), versions)?);
    if arguments.next_if_eq("--stdio").is_some() {
        let service = Fixture::new(shared).serve(stdio()).await?;
        service.waiting().await?;
        return Ok(());
    }
    let port = match arguments.next() {
        Some(port) => port.parse().context("the port is a number")?,
        None => 0,
    };
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
    let ready = serde_json::json!({ "url": format!("http://{address}/mcp") });
    println!("{ready}");
    axum::serve(listener, axum::Router::new().nest_service("/mcp", service)).await?;
    Ok(())
}
