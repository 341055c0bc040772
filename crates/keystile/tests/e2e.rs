//! Real, unmodified clients in front of real servers: from no token to a tool's result, then a call after the token
//! expired, then one after the grant was revoked.
//!
//! One test per client and server. What a client does is in `conformance/clients`; `conformance/README.md` tells how to
//! run one by hand.

#[path = "e2e/client.rs"]
mod client;
#[path = "support/gate.rs"]
mod gate;
#[path = "e2e/orphans.rs"]
mod orphans;
#[path = "support/process.rs"]
mod process;
#[path = "e2e/scenario.rs"]
mod scenario;
#[path = "e2e/server.rs"]
mod server;
#[path = "support/tools.rs"]
mod tools;

use client::*;
use scenario::{is_refused_once_the_grant_is_revoked, signs_in_refreshes_and_signs_in_again};
use server::*;

// keystile demo

#[test]
fn ts_v1_calls_a_tool_of_the_demo() {
    signs_in_refreshes_and_signs_in_again(&TS_V1, demo);
}

#[test]
fn ts_v2_legacy_calls_a_tool_of_the_demo() {
    signs_in_refreshes_and_signs_in_again(&TS_V2_LEGACY, demo);
}

#[test]
fn ts_v2_auto_calls_a_tool_of_the_demo() {
    signs_in_refreshes_and_signs_in_again(&TS_V2_AUTO, demo);
}

#[test]
fn ts_v2_2026_calls_a_tool_of_the_demo() {
    signs_in_refreshes_and_signs_in_again(&TS_V2_2026, demo);
}

#[test]
fn mcp_remote_calls_a_tool_of_the_demo() {
    signs_in_refreshes_and_signs_in_again(&MCP_REMOTE, demo);
}

#[test]
fn python_sdk_calls_a_tool_of_the_demo() {
    signs_in_refreshes_and_signs_in_again(&PYTHON_SDK, demo);
}

#[test]
fn fastmcp_client_calls_a_tool_of_the_demo() {
    signs_in_refreshes_and_signs_in_again(&FASTMCP_CLIENT, demo);
}

#[test]
fn rmcp_calls_a_tool_of_the_demo() {
    signs_in_refreshes_and_signs_in_again(&RMCP, demo);
}

// npm server-everything over stdio: 2025 revisions only

#[test]
fn ts_v1_calls_a_tool_of_server_everything() {
    signs_in_refreshes_and_signs_in_again(&TS_V1, everything);
}

#[test]
fn ts_v2_legacy_calls_a_tool_of_server_everything() {
    signs_in_refreshes_and_signs_in_again(&TS_V2_LEGACY, everything);
}

#[test]
fn ts_v2_auto_calls_a_tool_of_server_everything() {
    signs_in_refreshes_and_signs_in_again(&TS_V2_AUTO, everything);
}

#[test]
fn ts_v2_2026_calls_a_tool_of_server_everything() {
    signs_in_refreshes_and_signs_in_again(&TS_V2_2026, everything);
}

#[test]
fn mcp_remote_calls_a_tool_of_server_everything() {
    signs_in_refreshes_and_signs_in_again(&MCP_REMOTE, everything);
}

#[test]
fn python_sdk_calls_a_tool_of_server_everything() {
    signs_in_refreshes_and_signs_in_again(&PYTHON_SDK, everything);
}

#[test]
fn fastmcp_client_calls_a_tool_of_server_everything() {
    signs_in_refreshes_and_signs_in_again(&FASTMCP_CLIENT, everything);
}

#[test]
fn rmcp_calls_a_tool_of_server_everything() {
    signs_in_refreshes_and_signs_in_again(&RMCP, everything);
}

// PyPI mcp-server-git over stdio: both eras

#[test]
fn ts_v1_calls_a_tool_of_mcp_server_git() {
    signs_in_refreshes_and_signs_in_again(&TS_V1, git);
}

#[test]
fn ts_v2_legacy_calls_a_tool_of_mcp_server_git() {
    signs_in_refreshes_and_signs_in_again(&TS_V2_LEGACY, git);
}

#[test]
fn ts_v2_auto_calls_a_tool_of_mcp_server_git() {
    signs_in_refreshes_and_signs_in_again(&TS_V2_AUTO, git);
}

#[test]
fn ts_v2_2026_calls_a_tool_of_mcp_server_git() {
    signs_in_refreshes_and_signs_in_again(&TS_V2_2026, git);
}

#[test]
fn mcp_remote_calls_a_tool_of_mcp_server_git() {
    signs_in_refreshes_and_signs_in_again(&MCP_REMOTE, git);
}

#[test]
fn python_sdk_calls_a_tool_of_mcp_server_git() {
    signs_in_refreshes_and_signs_in_again(&PYTHON_SDK, git);
}

#[test]
fn fastmcp_client_calls_a_tool_of_mcp_server_git() {
    signs_in_refreshes_and_signs_in_again(&FASTMCP_CLIENT, git);
}

#[test]
fn rmcp_calls_a_tool_of_mcp_server_git() {
    signs_in_refreshes_and_signs_in_again(&RMCP, git);
}

// a FastMCP server over HTTP: both eras

#[test]
fn ts_v1_calls_a_tool_of_fastmcp_over_http() {
    signs_in_refreshes_and_signs_in_again(&TS_V1, fastmcp);
}

#[test]
fn ts_v2_legacy_calls_a_tool_of_fastmcp_over_http() {
    signs_in_refreshes_and_signs_in_again(&TS_V2_LEGACY, fastmcp);
}

#[test]
fn ts_v2_auto_calls_a_tool_of_fastmcp_over_http() {
    signs_in_refreshes_and_signs_in_again(&TS_V2_AUTO, fastmcp);
}

#[test]
fn ts_v2_2026_calls_a_tool_of_fastmcp_over_http() {
    signs_in_refreshes_and_signs_in_again(&TS_V2_2026, fastmcp);
}

#[test]
fn mcp_remote_calls_a_tool_of_fastmcp_over_http() {
    signs_in_refreshes_and_signs_in_again(&MCP_REMOTE, fastmcp);
}

#[test]
fn python_sdk_calls_a_tool_of_fastmcp_over_http() {
    signs_in_refreshes_and_signs_in_again(&PYTHON_SDK, fastmcp);
}

#[test]
fn fastmcp_client_calls_a_tool_of_fastmcp_over_http() {
    signs_in_refreshes_and_signs_in_again(&FASTMCP_CLIENT, fastmcp);
}

#[test]
fn rmcp_calls_a_tool_of_fastmcp_over_http() {
    signs_in_refreshes_and_signs_in_again(&RMCP, fastmcp);
}

// A server that speaks 2026-07-28 only.

#[test]
fn ts_v1_calls_a_tool_of_a_2026_only_server() {
    signs_in_refreshes_and_signs_in_again(&TS_V1, modern_only);
}

#[test]
fn ts_v2_auto_calls_a_tool_of_a_2026_only_server() {
    signs_in_refreshes_and_signs_in_again(&TS_V2_AUTO, modern_only);
}

// Servers that speak HTTP+SSE of 2024-11-05 only.

#[test]
fn ts_v1_calls_a_tool_of_a_typescript_server_over_sse() {
    signs_in_refreshes_and_signs_in_again(&TS_V1, ts_over_sse);
}

#[test]
fn ts_v2_2026_calls_a_tool_of_a_typescript_server_over_sse() {
    signs_in_refreshes_and_signs_in_again(&TS_V2_2026, ts_over_sse);
}

#[test]
fn python_sdk_calls_a_tool_of_a_python_server_over_sse() {
    signs_in_refreshes_and_signs_in_again(&PYTHON_SDK, python_over_sse);
}

#[test]
fn rmcp_calls_a_tool_of_a_python_server_over_sse() {
    signs_in_refreshes_and_signs_in_again(&RMCP, python_over_sse);
}

// Clients that speak HTTP+SSE of 2024-11-05 only.

#[test]
fn ts_v1_over_sse_calls_a_tool_of_server_everything() {
    signs_in_refreshes_and_signs_in_again(&TS_V1_SSE, everything);
}

#[test]
fn ts_v1_over_sse_calls_a_tool_of_a_2026_only_server() {
    signs_in_refreshes_and_signs_in_again(&TS_V1_SSE, modern_only);
}

#[test]
fn python_sdk_over_sse_calls_a_tool_of_fastmcp_over_http() {
    signs_in_refreshes_and_signs_in_again(&PYTHON_SDK_SSE, fastmcp);
}

#[test]
fn python_sdk_over_sse_calls_a_tool_of_a_python_server_over_sse() {
    signs_in_refreshes_and_signs_in_again(&PYTHON_SDK_SSE, python_over_sse);
}

// Revoked means now.

#[test]
fn a_stateless_call_is_refused_once_the_grant_is_revoked() {
    is_refused_once_the_grant_is_revoked(&TS_V2_AUTO, demo);
}

#[test]
fn a_session_is_refused_once_the_grant_is_revoked() {
    is_refused_once_the_grant_is_revoked(&TS_V1, everything);
}
