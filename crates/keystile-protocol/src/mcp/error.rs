//! JSON-RPC error bodies (JSON-RPC 2.0 §5.1; MCP 2026-07-28, streamable HTTP).

use std::borrow::Cow;
use std::fmt::Write as _;

/// An error object and the id of the request that it answers.
///
/// ```
/// use keystile_protocol::mcp::RpcError;
///
/// let error = RpcError::new(RpcError::METHOD_NOT_FOUND, "no such method").with_id(Some("7"));
/// assert_eq!(
///     error.to_json(),
///     r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"no such method"}}"#,
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcError<'a> {
    /// One of the constants below, or the upstream's.
    pub code: i32,
    /// A sentence that may be shown.
    pub message: Cow<'a, str>,
    /// JSON text for `data`.
    pub data: Option<Cow<'a, str>>,
    /// JSON text of the id; `null` without one (JSON-RPC 2.0 §5).
    pub id: Option<Cow<'a, str>>,
}

impl<'a> RpcError<'a> {
    /// Not JSON.
    pub const PARSE_ERROR: i32 = -32700;
    /// JSON, but no message.
    pub const INVALID_REQUEST: i32 = -32600;
    /// A method that nobody knows; over HTTP with status 404 (MCP 2026-07-28).
    pub const METHOD_NOT_FOUND: i32 = -32601;
    /// Parameters that the method can't take, among them a missing required `_meta`.
    pub const INVALID_PARAMS: i32 = -32602;
    /// Something broke on our side or behind us.
    pub const INTERNAL_ERROR: i32 = -32603;
    /// Headers and body disagree (MCP 2026-07-28, SEP-2243).
    pub const HEADER_MISMATCH: i32 = -32020;
    /// The client did not declare a capability that the operation needs (MCP 2026-07-28).
    pub const MISSING_CAPABILITY: i32 = -32021;
    /// A revision that is not spoken here (MCP 2026-07-28).
    pub const UNSUPPORTED_VERSION: i32 = -32022;

    /// An error that answers no request in particular.
    #[must_use]
    pub fn new(code: i32, message: impl Into<Cow<'a, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
            id: None,
        }
    }

    /// The id of the request, as JSON text.
    #[must_use]
    pub fn with_id(mut self, id: Option<&'a str>) -> Self {
        self.id = id.map(Cow::Borrowed);
        self
    }

    /// Details for programs, as JSON text.
    #[must_use]
    pub fn with_data(mut self, json: impl Into<Cow<'a, str>>) -> Self {
        self.data = Some(json.into());
        self
    }

    /// The message's bytes.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(128);
        out.push_str("{\"jsonrpc\":\"2.0\",\"id\":");
        out.push_str(self.id.as_deref().unwrap_or("null"));
        let message = serde_json::Value::from(&*self.message);
        write!(
            out,
            ",\"error\":{{\"code\":{},\"message\":{message}",
            self.code
        )
        .expect("writing to a String cannot fail");
        if let Some(data) = &self.data {
            out.push_str(",\"data\":");
            out.push_str(data);
        }
        out.push_str("}}");
        out
    }
}
