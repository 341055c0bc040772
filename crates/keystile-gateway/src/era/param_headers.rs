//! `Mcp-Param-…`: tool parameters that a 2026-07-28 HTTP server wants mirrored into headers (SEP-2243, "Custom Headers from
//! Tool Parameters"). A 2025 client knows nothing of them, so the bridge adds them; a server that sees no headers can't
//! compare them, so the gateway does.

use std::{borrow::Cow, collections::HashMap};

use http::HeaderMap;
use keystile_protocol::mcp::RpcError;
use keystile_protocol::mcp::headers::{PARAM_PREFIX, decode, encode};
use keystile_protocol::mutation::weakened;

use super::json::Node;

/// Which parameters of which tools are mirrored, as far as tools have been listed.
#[derive(Debug, Default)]
pub(crate) struct ParamHeaders(HashMap<String, Vec<Mirrored>>);

/// One parameter: the keys that lead to it in `arguments`, and its header.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mirrored {
    path: Vec<String>,
    name: String,
}

impl ParamHeaders {
    /// Reads the result of a `tools/list`.
    pub(crate) fn learn(&mut self, result: Node<'_>) {
        for tool in result.member("tools").into_iter().flat_map(Node::elements) {
            let Some(name) = tool.member("name").and_then(Node::string) else {
                continue;
            };
            let mut found = Vec::new();
            if let Some(schema) = tool.member("inputSchema") {
                search(schema, &mut Vec::new(), &mut found);
            }
            if self.0.len() < MAX_TOOLS {
                self.0.insert(name.into_owned(), found);
            }
        }
    }

    /// Compares the headers that came with a call with its arguments: a parameter that is mirrored has its header, with
    /// the same value, and none without a value. Headers that the tool knows nothing of mean nothing (CHECKLIST N-TR-09).
    ///
    /// # Errors
    /// −32020.
    pub(crate) fn agree(
        &self,
        tool: &str,
        arguments: Option<Node<'_>>,
        sent: &HeaderMap,
    ) -> Result<(), RpcError<'static>> {
        for mirrored in self.0.get(tool).into_iter().flatten() {
            let mut steps = mirrored.path.iter();
            let value = arguments
                .and_then(|node| steps.try_fold(node, |node, key| node.member(key)))
                .filter(|value| is_primitive(*value));
            if let Err(why) = one(&mirrored.name, sent).and_then(|header| compare(header, value))
                && !weakened("n_tr_09")
            {
                let sentence = format!("{} {why}", mirrored.name);
                return Err(RpcError::new(RpcError::HEADER_MISMATCH, sentence));
            }
        }
        Ok(())
    }

    /// The headers of a call, name and value.
    pub(crate) fn of(&self, tool: &str, arguments: Node<'_>) -> Vec<(String, String)> {
        let mirrored = self.0.get(tool).into_iter().flatten();
        let headers = mirrored.filter_map(|mirrored| {
            let mut steps = mirrored.path.iter();
            let value = steps.try_fold(arguments, |node, key| node.member(key))?;
            Some((mirrored.name.clone(), text(value)?))
        });
        headers.collect()
    }
}

/// The headers of a request that mirror parameters.
pub(crate) fn sent(headers: &HeaderMap) -> HeaderMap {
    let mirroring = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with(PARAM_PREFIX));
    mirroring
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The only value of a header, decoded, or none.
fn one<'a>(name: &str, sent: &'a HeaderMap) -> Result<Option<Cow<'a, str>>, &'static str> {
    let mut values = sent.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err("is sent twice");
    }
    let Ok(value) = value.to_str() else {
        return Err("has characters that a header can't have");
    };
    match decode(value) {
        Some(value) => Ok(Some(value)),
        None => Err("is not valid Base64 of UTF-8"),
    }
}

fn compare(header: Option<Cow<'_, str>>, value: Option<Node<'_>>) -> Result<(), &'static str> {
    match (header, value) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err("is missing"),
        (Some(_), None) => Err("is sent without a value in the body"),
        (Some(header), Some(value)) => {
            let same = match value.string() {
                Some(text) => text == header,
                None => value.text() == header || same_number(value.text(), &header),
            };
            if same {
                Ok(())
            } else {
                Err("and the value in the body differ")
            }
        }
    }
}

/// Numbers are compared by value, integers exactly: 42 is 42.0, and 2⁵³ is not 2⁵³ + 1.
fn same_number(one: &str, other: &str) -> bool {
    let integer = |text: &str| serde_json::from_str::<i64>(text).ok();
    if let (Some(one), Some(other)) = (integer(one), integer(other)) {
        return one == other;
    }
    let number = |text: &str| serde_json::from_str::<f64>(text).ok();
    let (Some(one), Some(other)) = (number(one), number(other)) else {
        return false;
    };
    one.total_cmp(&other).is_eq() && one.abs() <= EXACT
}

fn is_primitive(value: Node<'_>) -> bool {
    let text = value.text();
    text != "null" && !text.starts_with(['{', '['])
}

/// Parameters that are reached over `properties` alone: "statically reachable".
fn search(schema: Node<'_>, path: &mut Vec<String>, found: &mut Vec<Mirrored>) {
    if path.len() > MAX_DEPTH || found.len() >= MAX_HEADERS {
        return;
    }
    for property in schema
        .member("properties")
        .into_iter()
        .flat_map(Node::members)
    {
        path.push(property.key.into_owned());
        let name = property.value.member("x-mcp-header").and_then(Node::string);
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            found.push(Mirrored {
                path: path.clone(),
                name: format!("mcp-param-{name}"),
            });
        }
        search(property.value, path, found);
        path.pop();
    }
}

/// "Value Encoding": strings as they are or in Base64, integers and booleans as their JSON; nothing for `null`.
fn text(value: Node<'_>) -> Option<String> {
    match value.string() {
        Some(text) => Some(encode(&text).into_owned()),
        None => is_primitive(value).then(|| value.text().to_owned()),
    }
}

/// 2⁵³ − 1: up to here a double says which integer it is.
const EXACT: f64 = 9_007_199_254_740_991.0;
const MAX_TOOLS: usize = 10_000;
const MAX_HEADERS: usize = 64;
const MAX_DEPTH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotated_parameters_are_mirrored() {
        let list = r#"{"tools":[{"name":"q","inputSchema":{"properties":{
            "region":{"type":"string","x-mcp-header":"Region"},
            "deep":{"properties":{"n":{"type":"integer","x-mcp-header":"N"}}},
            "list":{"items":{"properties":{"no":{"x-mcp-header":"No"}}}},
            "flag":{"type":"boolean","x-mcp-header":"Flag"},
            "none":{"x-mcp-header":"None"}}}}]}"#;
        let mut known = ParamHeaders::default();
        known.learn(Node::root(list));
        let of = |tool, arguments| known.of(tool, Node::root(arguments));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            of(
                "q",
                r#"{"region":"Zürich","deep":{"n":42},"flag":true,"none":null,"other":1}"#
            ),
            [
                pair("mcp-param-Region", "=?base64?WsO8cmljaA==?="),
                pair("mcp-param-N", "42"),
                pair("mcp-param-Flag", "true"),
            ]
        );
        assert!(of("q", "{}").is_empty());
        assert!(of("other", r#"{"region":"x"}"#).is_empty());
    }

    /// Whether this value and these headers agree, for a tool that mirrors `v`.
    fn agrees(value: &str, headers: &[&str]) -> bool {
        let mut known = ParamHeaders::default();
        known.learn(Node::root(
            r#"{"tools":[{"name":"q","inputSchema":{"properties":{"v":{"x-mcp-header":"V"}}}}]}"#,
        ));
        let arguments = format!("{{\"v\":{value}}}");
        let mut sent = HeaderMap::new();
        for header in headers {
            let value = http::HeaderValue::from_bytes(header.as_bytes()).expect("a value");
            sent.append("mcp-param-v", value);
        }
        sent.insert(
            "mcp-param-unknown",
            http::HeaderValue::from_static("anything"),
        );
        known
            .agree("q", Some(Node::root(&arguments)), &sent)
            .is_ok()
    }

    #[test]
    fn n_tr_09_a_mirrored_parameter_is_what_its_header_says() {
        let agree: &[(&str, &[&str])] = &[
            (r#""us""#, &["us"]),
            (r#""Zürich""#, &["=?base64?WsO8cmljaA==?="]),
            (r#""Hello""#, &["=?base64?SGVsbG8=?="]),
            (r#""SGVsbG8=""#, &["SGVsbG8="]),
            (r#""=?base64?SGVsbG8=""#, &["=?base64?SGVsbG8="]),
            (r#""42""#, &["42"]),
            ("42", &["42"]),
            ("42", &["42.0"]),
            ("4.2e1", &["42"]),
            ("9007199254740992", &["9007199254740992"]),
            ("true", &["true"]),
            ("null", &[]),
            ("{}", &[]),
        ];
        for (value, headers) in agree {
            assert!(agrees(value, headers), "{value} and {headers:?}");
        }
        let differ: &[(&str, &[&str])] = &[
            (r#""us""#, &[]),
            (r#""us""#, &["eu"]),
            (r#""us""#, &["US"]),
            (r#""us""#, &["us", "us"]),
            (r#""Hello""#, &["=?base64?SGVsbG8?="]),
            (r#""Hello""#, &["=?base64?SGVs!!!bG8=?="]),
            (r#""Zürich""#, &["Zürich"]),
            (r#""42""#, &["42.0"]),
            ("42", &["43"]),
            ("42", &["forty-two"]),
            ("9007199254740992", &["9007199254740993"]),
            ("9007199254740993", &["9007199254740992.0"]),
            ("true", &["false"]),
            ("null", &["null"]),
            ("{}", &["{}"]),
        ];
        for (value, headers) in differ {
            assert!(!agrees(value, headers), "{value} and {headers:?}");
        }
    }
}
