//! What MCP clients of each era write.

use anyhow::Result;
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use serde_json::{Value, json};

/// The endpoint of every server that [`crate::keystile::Program`] guards.
pub const PATH: &str = "/bench/mcp";
/// Of a client without sessions.
pub const STATELESS: &str = "2026-07-28";
/// Of a client with a session.
pub const SESSION: &str = "2025-11-25";

/// A request with this token; without a message it asks for a stream, or says goodbye.
///
/// # Errors
/// A header is none.
pub fn request(
    (method, path): (Method, &str),
    token: &str,
    headers: &[(&str, &str)],
    message: Option<&Value>,
) -> Result<Request<Full<Bytes>>> {
    let accept = match message {
        Some(_) => "application/json, text/event-stream",
        None => "text/event-stream",
    };
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::ACCEPT, accept)
        .header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let text = message.map(Value::to_string).unwrap_or_default();
    Ok(request.body(Full::new(Bytes::from(text)))?)
}

/// A request of 2026-07-28, with the name of what it is about.
///
/// # Errors
/// As of [`request`].
pub fn stateless(
    token: &str,
    id: u64,
    (method, name): (&str, Option<&str>),
    mut params: Value,
) -> Result<Request<Full<Bytes>>> {
    let meta = &mut params["_meta"];
    meta["io.modelcontextprotocol/protocolVersion"] = json!(STATELESS);
    meta["io.modelcontextprotocol/clientInfo"] = json!({ "name": "bench", "version": "1" });
    meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
    let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    let mut headers = vec![("mcp-protocol-version", STATELESS), ("mcp-method", method)];
    headers.extend(name.map(|name| ("mcp-name", name)));
    request((Method::POST, PATH), token, &headers, Some(&message))
}

/// A request of 2025-11-25, in this session if there is one yet.
///
/// # Errors
/// As of [`request`].
pub fn in_session(
    method: Method,
    token: &str,
    session: &str,
    message: Option<&Value>,
) -> Result<Request<Full<Bytes>>> {
    let mut headers = vec![("mcp-protocol-version", SESSION)];
    if !session.is_empty() {
        headers.push(("mcp-session-id", session));
    }
    request((method, PATH), token, &headers, message)
}

/// The params of `initialize`.
#[must_use]
pub fn introduction(revision: &str) -> Value {
    json!({
        "protocolVersion": revision, "capabilities": {},
        "clientInfo": { "name": "bench", "version": "1" },
    })
}

/// Of a message, the id of the subscription that it belongs to.
#[must_use]
pub fn subscription(message: &Value) -> &Value {
    &message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"]
}
