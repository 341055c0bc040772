//! A client of 2025-11-25 or earlier in front of a 2026-07-28 server: message in, message out.
//!
//! What survives and what does not stands in `docs/adr/0004-era-bridge.md`.

use keystile_protocol::mcp::{Era, Revision};

use super::{
    json::{Node, Reshape, quoted},
    message::Message,
    meta,
};

/// What the client said in `initialize` and `logging/setLevel`; a 2026-07-28 server is told with each request.
#[derive(Clone, Debug)]
pub(crate) struct ClientFacts {
    /// JSON text.
    capabilities: String,
    /// JSON text.
    info: Option<String>,
    /// A level that [`meta::severity`] knows.
    pub(crate) log_level: Option<String>,
}

impl ClientFacts {
    /// From the client's `initialize` request.
    pub(crate) fn read(initialize: Message<'_>) -> Self {
        let params = initialize.params();
        let member = |key| params.and_then(|params| params.member(key));
        let capabilities = member("capabilities").filter(|node| node.is_object());
        Self {
            // `tasks` and `roots.listChanged` have left the core protocol.
            capabilities: Reshape::of(capabilities).drop("tasks").finish(),
            info: member("clientInfo").map(|info| info.text().to_owned()),
            log_level: None,
        }
    }

    /// `params._meta` for one request, keeping what the client put there.
    pub(crate) fn meta(&self, own: Option<Node<'_>>) -> String {
        let mut shaped = Reshape::of(own)
            .set(
                meta::PROTOCOL_VERSION,
                quoted(Revision::V2026_07_28.as_str()),
            )
            .set(meta::CLIENT_CAPABILITIES, self.capabilities.clone());
        if let Some(info) = &self.info {
            shaped = shaped.set(meta::CLIENT_INFO, info.clone());
        }
        if let Some(level) = &self.log_level {
            shaped = shaped.set(meta::LOG_LEVEL, quoted(level));
        }
        shaped.finish()
    }

    /// Whether the client can be asked this.
    pub(crate) fn can_answer(&self, method: &str, params: Option<Node<'_>>) -> bool {
        let capabilities = Node::root(&self.capabilities);
        match method {
            "sampling/createMessage" => capabilities.member("sampling").is_some(),
            "roots/list" => capabilities.member("roots").is_some(),
            "elicitation/create" => {
                let Some(elicitation) = capabilities.member("elicitation") else {
                    return false;
                };
                let mode = params
                    .and_then(|params| params.member("mode"))
                    .and_then(Node::string);
                match mode.as_deref() {
                    Some("url") => elicitation.member("url").is_some(),
                    None | Some("form") => {
                        elicitation.member("form").is_some() || elicitation.member("url").is_none()
                    }
                    Some(_) => false,
                }
            }
            _ => false,
        }
    }
}

/// The result of `initialize`, from the server's `server/discover` result.
pub(crate) fn initialize_result(requested: Option<&str>, discovered: Node<'_>) -> String {
    let revision = requested
        .and_then(Revision::parse)
        .filter(|revision| revision.era() == Era::Legacy)
        .unwrap_or(Revision::NEWEST_LEGACY);
    let capabilities = Reshape::of(discovered.member("capabilities"))
        .drop("extensions")
        .finish();
    let info = discovered
        .path(["_meta", meta::SERVER_INFO])
        .or_else(|| discovered.member("serverInfo"))
        .map_or(r#"{"name":"unnamed","version":"0"}"#, Node::text);
    let mut result = Reshape::of(None)
        .set("protocolVersion", quoted(revision.as_str()))
        .set("capabilities", capabilities)
        .set("serverInfo", info);
    if let Some(instructions) = discovered.member("instructions") {
        result = result.set("instructions", instructions.text());
    }
    result.finish()
}

/// Whether a `server/discover` result offers 2026-07-28.
pub(crate) fn offers_stateless(discovered: Node<'_>) -> bool {
    discovered
        .member("supportedVersions")
        .is_some_and(|versions| {
            versions
                .elements()
                .any(|version| version.string().as_deref() == Some(Revision::V2026_07_28.as_str()))
        })
}

/// The request with what 2026-07-28 demands of each.
pub(crate) fn request(message: Message<'_>, facts: &ClientFacts) -> String {
    let params = message.params();
    let meta = facts.meta(params.and_then(|params| params.member("_meta")));
    message.with_params(Some(
        Reshape::of(params).drop("task").set("_meta", meta).finish(),
    ))
}

/// The same request once more, with what the client answered.
///
/// `responses` is the JSON text of `inputResponses`; the state goes back exactly as it came (MRTR, client rule 2).
pub(crate) fn retry(message: Message<'_>, responses: Option<&str>, state: Option<&str>) -> String {
    let mut params = Reshape::of(message.params())
        .drop("inputResponses")
        .drop("requestState");
    if let Some(responses) = responses {
        params = params.set("inputResponses", responses);
    }
    if let Some(state) = state {
        params = params.set("requestState", state);
    }
    message.with_params(Some(params.finish()))
}

/// What a 2026-07-28 answer is for a 2025 client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The last word.
    Complete(String),
    /// The server wants these requests answered first.
    InputRequired {
        /// Key, method and params (JSON text) of each.
        requests: Vec<(String, String, Option<String>)>,
        /// A JSON string.
        state: Option<String>,
    },
    /// A `resultType` that this revision does not define.
    Unknown,
}

pub(crate) fn answer(method: &str, message: Message<'_>) -> Answer {
    let Some(result) = message.result() else {
        return Answer::Complete(
            message.with_id(message.root.member("id").map_or("null", Node::text)),
        );
    };
    match result
        .member("resultType")
        .and_then(Node::string)
        .as_deref()
    {
        None | Some("complete") => Answer::Complete(message.with_result(complete(method, result))),
        Some("input_required") => input_required(result),
        Some(_) => Answer::Unknown,
    }
}

fn input_required(result: Node<'_>) -> Answer {
    let requests = result
        .member("inputRequests")
        .into_iter()
        .flat_map(Node::members);
    let requests = requests
        .filter_map(|member| {
            let method = member.value.member("method")?.string()?.into_owned();
            let params = member
                .value
                .member("params")
                .map(|params| params.text().to_owned());
            Some((member.key.into_owned(), method, params))
        })
        .collect::<Vec<_>>();
    let state = result
        .member("requestState")
        .map(|state| state.text().to_owned());
    if requests.is_empty() && state.is_none() {
        return Answer::Unknown;
    }
    Answer::InputRequired { requests, state }
}

fn complete(method: &str, result: Node<'_>) -> String {
    // Some 2025 clients take an empty result with any member for a broken one.
    let shaped = Reshape::of(Some(result))
        .drop("resultType")
        .drop("ttlMs")
        .drop("cacheScope");
    match method {
        "tools/list" => match result.member("tools") {
            Some(tools) => shaped.set("tools", with_object_schemas(tools)),
            None => shaped,
        },
        "tools/call" => match result.member("structuredContent") {
            Some(content) if !content.is_object() => with_text(shaped, result, content),
            _ => shaped,
        },
        _ => shaped,
    }
    .finish()
}

/// 2025 revisions know output schemas of type `object` only, and clients drop the whole list over another.
fn with_object_schemas(tools: Node<'_>) -> String {
    let fits = |tool: Node<'_>| {
        tool.member("outputSchema").is_none_or(|schema| {
            schema.member("type").and_then(Node::string).as_deref() == Some("object")
        })
    };
    if tools.elements().all(fits) {
        return tools.text().to_owned();
    }
    let tools: Vec<_> = tools
        .elements()
        .map(|tool| {
            if fits(tool) {
                tool.text().to_owned()
            } else {
                Reshape::of(Some(tool)).drop("outputSchema").finish()
            }
        })
        .collect();
    format!("[{}]", tools.join(","))
}

/// Structured content that is no object: 2025 clients get it as text, unless the server gave a text already.
fn with_text<'a>(shaped: Reshape<'a>, result: Node<'a>, content: Node<'a>) -> Reshape<'a> {
    let shaped = shaped.drop("structuredContent");
    if result
        .member("content")
        .is_some_and(|content| content.elements().next().is_some())
    {
        return shaped;
    }
    shaped.set(
        "content",
        format!(r#"[{{"type":"text","text":{}}}]"#, quoted(content.text())),
    )
}

/// The params of a request to the 2025 client. 2025-11-25 wants an `elicitationId` where a URL is to be visited.
pub(crate) fn asked_params(method: &str, params: Option<&str>, id: &str) -> Option<String> {
    let node = Node::root(params?);
    let url = node.member("mode").and_then(Node::string).as_deref() == Some("url");
    if method == "elicitation/create" && url && node.member("elicitationId").is_none() {
        return Some(
            Reshape::of(Some(node))
                .set("elicitationId", quoted(id))
                .finish(),
        );
    }
    params.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"elicitation":{},"tasks":{}},"clientInfo":{"name":"c","version":"1"}}}"#;

    #[test]
    fn each_request_says_who_asks() {
        let mut facts = ClientFacts::read(Message::of(INITIALIZE));
        facts.log_level = Some("info".into());
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"progressToken":1}}}"#;
        assert_eq!(
            request(Message::of(text), &facts),
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"progressToken":1,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}},"io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/logLevel":"info"}}}"#
        );
    }

    #[test]
    fn initialize_is_answered_from_discovery_in_the_revision_that_was_asked_for() {
        let discovered = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"extensions":{}},"instructions":"i","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}}}"#;
        let of = |requested| initialize_result(requested, Node::root(discovered));
        assert_eq!(
            of(Some("2025-06-18")),
            r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"},"instructions":"i"}"#
        );
        for other in [None, Some("2026-07-28"), Some("1999-01-01")] {
            assert!(of(other).contains("2025-11-25"), "{other:?}");
        }
        assert!(offers_stateless(Node::root(discovered)));
        assert!(!offers_stateless(Node::root(
            r#"{"supportedVersions":["2027-01-01"]}"#
        )));
    }

    #[test]
    fn a_complete_answer_loses_what_2025_does_not_know() {
        let of = |method, result: &str| {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
            match answer(method, Message::of(&text)) {
                Answer::Complete(text) => Node::root(&text)
                    .member("result")
                    .unwrap()
                    .text()
                    .to_owned(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(of("x", r#"{"resultType":"complete"}"#), "{}");
        assert_eq!(
            of(
                "tools/list",
                r#"{"resultType":"complete","ttlMs":1,"cacheScope":"public","tools":[{"name":"a","outputSchema":{"type":"array"}}]}"#
            ),
            r#"{"tools":[{"name":"a"}]}"#
        );
        assert_eq!(
            of("tools/call", r#"{"content":[],"structuredContent":[1.0]}"#),
            r#"{"content":[{"type":"text","text":"[1.0]"}]}"#
        );
        assert_eq!(
            of(
                "tools/call",
                r#"{"content":[{}],"structuredContent":{"a":1}}"#
            ),
            r#"{"content":[{}],"structuredContent":{"a":1}}"#
        );
    }

    #[test]
    fn input_that_is_required_is_told_apart() {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":{"message":"m"}}},"requestState":"s\u0061"}}"#;
        assert_eq!(
            answer("tools/call", Message::of(text)),
            Answer::InputRequired {
                requests: vec![(
                    "k".into(),
                    "elicitation/create".into(),
                    Some(r#"{"message":"m"}"#.into())
                )],
                state: Some(r#""s\u0061""#.into()),
            }
        );
        for broken in [
            r#"{"resultType":"input_required"}"#,
            r#"{"resultType":"task"}"#,
        ] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{broken}}}"#);
            assert_eq!(answer("tools/call", Message::of(&text)), Answer::Unknown);
        }
    }

    #[test]
    fn a_retry_carries_the_state_as_it_came() {
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","requestState":"old"}}"#;
        assert_eq!(
            retry(Message::of(text), Some(r#"{"k":{}}"#), Some(r#""s\u0061""#)),
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","inputResponses":{"k":{}},"requestState":"s\u0061"}}"#
        );
    }

    #[test]
    fn a_client_is_only_asked_what_it_declared() {
        let facts = ClientFacts::read(Message::of(INITIALIZE));
        let url = Node::root(r#"{"mode":"url"}"#);
        assert!(facts.can_answer("elicitation/create", None));
        assert!(!facts.can_answer("elicitation/create", Some(url)));
        assert!(!facts.can_answer("sampling/createMessage", None));
        assert!(!facts.can_answer("tools/call", None));
    }

    #[test]
    fn a_url_to_visit_gets_the_id_that_2025_wants() {
        assert_eq!(
            asked_params("elicitation/create", Some(r#"{"mode":"url"}"#), "i").unwrap(),
            r#"{"mode":"url","elicitationId":"i"}"#
        );
        assert_eq!(
            asked_params("elicitation/create", Some(r#"{"message":"m"}"#), "i").unwrap(),
            r#"{"message":"m"}"#
        );
        assert_eq!(asked_params("roots/list", None, "i"), None);
    }
}
