//! rmcp's own message types as a reader.

use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};

use crate::reading::Tree;

/// Who is to understand a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    Client,
    Server,
}

/// Whether rmcp takes the message; it may refuse what is no message of MCP.
///
/// # Errors
/// It read something that does not stand there.
pub(crate) fn reads(bytes: &[u8], tree: &Tree, sender: Sender) -> Result<bool, String> {
    let written = match sender {
        Sender::Client => written::<ClientJsonRpcMessage>(bytes),
        Sender::Server => written::<ServerJsonRpcMessage>(bytes),
    };
    let Some(theirs) = written else {
        return Ok(false);
    };
    let theirs = Tree::read(&theirs).map_err(|error| format!("rmcp writes no JSON: {error}"))?;
    for path in PATHS {
        let (ours, theirs) = (at(tree, path), at(&theirs, path));
        let demanded = path.len() == 1 || is_named(tree);
        let same = match (ours, theirs) {
            (Some(ours), Some(theirs)) => ours.canonical() == theirs.canonical(),
            (None, None) => true,
            // An error without an id may say null.
            (Some(ours), None) => !demanded || is_empty(ours),
            (None, Some(theirs)) => is_empty(theirs),
        };
        if !same {
            return Err(format!("rmcp reads another {}: {theirs:?}", path.join(".")));
        }
    }
    Ok(true)
}

/// What rmcp has read, as it would send it on.
fn written<T: serde::de::DeserializeOwned + serde::Serialize>(bytes: &[u8]) -> Option<Vec<u8>> {
    let message: T = serde_json::from_slice(bytes).ok()?;
    Some(serde_json::to_vec(&message).expect("rmcp writes what it reads"))
}

/// Only these have a name that a server decides on.
fn is_named(tree: &Tree) -> bool {
    let method = tree.member("method").and_then(Tree::text);
    matches!(
        method,
        Some("tools/call" | "prompts/get" | "resources/read")
    )
}

fn at<'a>(tree: &'a Tree, path: &[&str]) -> Option<&'a Tree> {
    path.iter().try_fold(tree, |tree, name| tree.member(name))
}

/// A default.
fn is_empty(tree: &Tree) -> bool {
    match tree {
        Tree::Null => true,
        Tree::Object(members) => members.is_empty(),
        _ => false,
    }
}

const PATHS: [&[&str]; 6] = [
    &["jsonrpc"],
    &["id"],
    &["method"],
    &["params", "name"],
    &["params", "uri"],
    &["params", "arguments"],
];
