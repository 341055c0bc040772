//! What kind of JSON-RPC message a text is, and the parts that a relay touches.

use std::borrow::Cow;

use super::json::{Node, Reshape, quoted, replaced};

/// A JSON-RPC message, as spans of its text.
///
/// The text has been through the strict parser; see [`super::json`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    text: &'a str,
    pub(crate) root: Node<'a>,
}

/// The three kinds of JSON-RPC message (MCP basic, "Messages").
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    Request { id: &'a str, method: Cow<'a, str> },
    Notification { method: Cow<'a, str> },
    Response { id: &'a str },
}

impl<'a> Message<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self {
            text,
            root: Node::root(text),
        }
    }

    /// `None` for what is no JSON-RPC message. The id is the lexeme, quotes included.
    pub(crate) fn kind(self) -> Option<Kind<'a>> {
        let id = self.root.member("id").map(Node::text);
        let method = self.root.member("method").and_then(Node::string);
        match (id, method) {
            (Some(id), Some(method)) => Some(Kind::Request { id, method }),
            (None, Some(method)) => Some(Kind::Notification { method }),
            (Some(id), None) if self.result().is_some() || self.error().is_some() => {
                Some(Kind::Response { id })
            }
            _ => None,
        }
    }

    pub(crate) fn params(self) -> Option<Node<'a>> {
        self.root.member("params")
    }

    pub(crate) fn result(self) -> Option<Node<'a>> {
        self.root.member("result")
    }

    pub(crate) fn error(self) -> Option<Node<'a>> {
        self.root.member("error")
    }

    pub(crate) fn error_code(self) -> Option<i64> {
        self.error()?.member("code")?.integer()
    }

    /// `params._meta[key]`.
    pub(crate) fn meta(self, key: &str) -> Option<Node<'a>> {
        self.root.path(["params", "_meta", key])
    }

    /// This text with this id, a lexeme. An error need not have had one.
    pub(crate) fn with_id(self, id: &str) -> String {
        match self.root.member("id") {
            Some(node) => replaced(self.text, node, id),
            None => Reshape::of(Some(self.root)).set("id", id).finish(),
        }
    }

    /// This text with another `params` (`None`: without).
    pub(crate) fn with_params(self, params: Option<String>) -> String {
        let root = Reshape::of(Some(self.root));
        match params {
            Some(params) => root.set("params", params),
            None => root.drop("params"),
        }
        .finish()
    }

    /// This text with another `result`.
    pub(crate) fn with_result(self, result: String) -> String {
        Reshape::of(Some(self.root)).set("result", result).finish()
    }

    /// This text with `node`, a span of it, replaced.
    pub(crate) fn with(self, node: Node<'_>, text: &str) -> String {
        replaced(self.text, node, text)
    }
}

/// What two ids are compared by while both are in flight (CHECKLIST A-158).
///
/// Looser than JSON-RPC on purpose: `1`, `1.0` and `"1"` are one id, because some peer will take them for one.
pub(crate) fn id_key(lexeme: &str) -> Box<str> {
    let node = Node::root(lexeme);
    if let Some(text) = node.string() {
        return text.into();
    }
    match lexeme.parse::<i64>() {
        Ok(integer) => integer.to_string().into(),
        Err(_) => match lexeme.parse::<f64>() {
            Ok(number) => number.to_string().into(),
            Err(_) => lexeme.into(),
        },
    }
}

/// A request of our own.
pub(crate) fn request(id: &str, method: &str, params: Option<&str>) -> String {
    let params = params
        .map(|params| format!(r#","params":{params}"#))
        .unwrap_or_default();
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":{}{params}}}"#,
        quoted(method)
    )
}

/// A notification of our own.
pub(crate) fn notification(method: &str, params: Option<&str>) -> String {
    let params = params
        .map(|params| format!(r#","params":{params}"#))
        .unwrap_or_default();
    format!(r#"{{"jsonrpc":"2.0","method":{}{params}}}"#, quoted(method))
}

/// A result of our own; `id` is a lexeme.
pub(crate) fn result(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

/// 2025-11-25 and earlier: no such resource. 2026-07-28 says −32602 and forbids this code.
pub(crate) const RESOURCE_NOT_FOUND_2025: i64 = -32002;

/// 2025-11-25 only: the user must visit a URL first.
pub(crate) const URL_ELICITATION_REQUIRED_2025: i64 = -32042;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_follows_the_members() {
        let kind = |text| Message::of(text).kind().map(|kind| format!("{kind:?}"));
        assert!(
            kind(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
                .unwrap()
                .contains("Request")
        );
        assert!(
            kind(r#"{"jsonrpc":"2.0","method":"x"}"#)
                .unwrap()
                .contains("Notification")
        );
        assert!(
            kind(r#"{"jsonrpc":"2.0","id":"a","result":{}}"#)
                .unwrap()
                .contains("\\\"a\\\"")
        );
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":"a"}"#), None);
        assert_eq!(kind("[]"), None);
    }

    #[test]
    fn ids_that_some_peer_takes_for_one_have_one_key() {
        for lexeme in ["1", "1.0", "\"1\"", "1e0"] {
            assert_eq!(&*id_key(lexeme), "1", "{lexeme}");
        }
        assert_ne!(id_key("\"a\""), id_key("\"A\""));
        assert_ne!(id_key("2"), id_key("1"));
    }
}
