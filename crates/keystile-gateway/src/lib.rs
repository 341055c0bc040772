//! The reverse proxy in front of MCP servers: HTTP upstreams, stdio children, and the bridge between the eras.

mod era;
pub mod relay;
pub mod stdio;
