//! `Mcp-Param-…`: tool parameters that a 2026-07-28 HTTP server wants mirrored into headers (SEP-2243, "Custom Headers from
//! Tool Parameters"). A 2025 client knows nothing of them, so the bridge adds them.

use std::collections::HashMap;

use keystile_protocol::mcp::headers::encode;

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
        None => Some(value.text().to_owned())
            .filter(|text| text != "null" && !text.starts_with(['{', '['])),
    }
}

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
}
