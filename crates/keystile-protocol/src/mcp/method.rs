//! The methods that clients may call, in any revision, and what servers may say.

/// Which member of `params` names the thing that a method works on, and so what `Mcp-Name` mirrors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    /// `params.name`
    Name,
    /// `params.uri`
    Uri,
    /// `params.taskId`
    TaskId,
}

/// Is this a method that a client may send as a request? Compared exactly: `tools/Call` is none.
#[must_use]
pub fn is_request(method: &str) -> bool {
    matches!(
        method,
        "tools/call"
            | "tasks/get"
            | "tasks/update"
            | "tasks/cancel"
            | "tasks/list"
            | "tasks/result"
    ) || is_looking_request(method)
}

/// Is this a method that a client may send as a notification?
///
/// Receivers ignore those that they don't know (JSON-RPC 2.0 §4.1), so the whole family passes.
#[must_use]
pub fn is_notification(method: &str) -> bool {
    method.strip_prefix("notifications/").is_some_and(|rest| {
        !rest.is_empty()
            && rest.len() <= 128
            && rest.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'.')
            })
    })
}

/// Is this a method that a server may send as a notification? As with those of clients, what no revision knows passes: an
/// extension's, perhaps.
#[must_use]
pub fn is_notification_of_servers(method: &str) -> bool {
    let of_clients = matches!(
        method,
        "notifications/initialized" | "notifications/roots/list_changed"
    );
    is_notification(method) && !of_clients
}

/// Is this a request that a server may send (MCP 2025-11-25 and before; since then there are none)? What is not known here
/// may be anything, and a client might do it.
#[must_use]
pub fn is_request_of_servers(method: &str) -> bool {
    matches!(
        method,
        "ping"
            | "sampling/createMessage"
            | "elicitation/create"
            | "roots/list"
            | "tasks/get"
            | "tasks/result"
            | "tasks/list"
            | "tasks/cancel"
    )
}

/// Does a server only show something when this is called? Tools may do anything, tasks are what tools
/// do, and what is not known here may be worse; only the notifications of the specification are.
#[must_use]
pub fn only_looks(method: &str) -> bool {
    is_looking_request(method)
        || matches!(
            method,
            "notifications/initialized"
                | "notifications/cancelled"
                | "notifications/progress"
                | "notifications/roots/list_changed"
        )
}

fn is_looking_request(method: &str) -> bool {
    matches!(
        method,
        "tools/list"
            | "initialize"
            | "ping"
            | "server/discover"
            | "prompts/list"
            | "prompts/get"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
            | "resources/directory/read"
            | "resources/subscribe"
            | "resources/unsubscribe"
            | "skills/list"
            | "skills/get"
            | "completion/complete"
            | "logging/setLevel"
            | "subscriptions/listen"
    )
}

/// What `Mcp-Name` mirrors for this method (MCP 2026-07-28, streamable HTTP; SEP-2663 for tasks).
#[must_use]
pub fn named_by(method: &str) -> Option<NamedBy> {
    match method {
        "tools/call" | "prompts/get" => Some(NamedBy::Name),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => Some(NamedBy::Uri),
        "tasks/get" | "tasks/update" | "tasks/cancel" => Some(NamedBy::TaskId),
        _ => None,
    }
}
