//! A 2026-07-28 client in front of a server of 2025-11-25 or earlier: message in, message out.
//!
//! What survives and what does not stands in `docs/adr/0004-era-bridge.md`.

use std::borrow::Cow;

use keystile_protocol::mcp::{Revision, RpcError};

use super::{
    json::{Node, Reshape, quoted},
    message::{Message, RESOURCE_NOT_FOUND_2025, URL_ELICITATION_REQUIRED_2025},
    meta,
};

/// What the client lets a server ask of its user, from its `clientCapabilities`.
///
/// It is all of the client's capabilities that the server behind the bridge is told: sampling and roots would need
/// an answer in the middle of any call, and are refused (DESIGN §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Elicitation {
    pub(crate) form: bool,
    pub(crate) url: bool,
}

impl Elicitation {
    pub(crate) fn declared(message: Message<'_>) -> Self {
        let Some(elicitation) = message
            .meta(meta::CLIENT_CAPABILITIES)
            .and_then(|capabilities| capabilities.member("elicitation"))
        else {
            return Self::default();
        };
        let url = elicitation.member("url").is_some();
        // An empty object means form (2025-11-25, elicitation, "Capabilities").
        Self {
            form: elicitation.member("form").is_some() || !url,
            url,
        }
    }

    /// Whether a server may ask this of the client; `params` are those of `elicitation/create`.
    pub(crate) fn allows(self, params: Option<Node<'_>>) -> bool {
        let mode = params.and_then(|params| params.member("mode"));
        match mode.map(Node::string) {
            None => self.form,
            Some(mode) => match mode.as_deref() {
                Some("form") => self.form,
                Some("url") => self.url,
                _ => false,
            },
        }
    }

    fn capabilities(self) -> String {
        let mut modes = Reshape::of(None);
        if self.form {
            modes = modes.set("form", "{}");
        }
        if self.url {
            modes = modes.set("url", "{}");
        }
        match modes.finish_unless_empty() {
            Some(modes) => Reshape::of(None).set("elicitation", modes).finish(),
            None => "{}".into(),
        }
    }
}

/// The params of the `initialize` that the gateway sends in the client's place.
pub(crate) fn initialize_params(elicitation: Elicitation) -> String {
    Reshape::of(None)
        .set("protocolVersion", quoted(Revision::NEWEST_LEGACY.as_str()))
        .set("capabilities", elicitation.capabilities())
        .set(
            "clientInfo",
            format!(
                r#"{{"name":"keystile","version":{}}}"#,
                quoted(env!("CARGO_PKG_VERSION"))
            ),
        )
        .finish()
}

/// The result of `server/discover`, from the server's `initialize` result.
pub(crate) fn discover_result(initialized: Node<'_>) -> String {
    let capabilities = Reshape::of(initialized.member("capabilities"))
        .drop("tasks")
        .finish();
    let mut result = Reshape::of(None)
        .set("resultType", "\"complete\"")
        .set(
            "supportedVersions",
            format!("[{}]", quoted(Revision::V2026_07_28.as_str())),
        )
        .set("capabilities", capabilities);
    if let Some(instructions) = initialized.member("instructions") {
        result = result.set("instructions", instructions.text());
    }
    result = result.set("ttlMs", "0").set("cacheScope", "\"private\"");
    if let Some(info) = initialized.member("serverInfo") {
        result = result.set(
            "_meta",
            Reshape::of(None)
                .set(meta::SERVER_INFO, info.text())
                .finish(),
        );
    }
    result.finish()
}

/// Methods of 2026-07-28 that an older server has too.
pub(crate) fn is_bridged(method: &str) -> bool {
    matches!(
        method,
        "tools/list"
            | "tools/call"
            | "prompts/list"
            | "prompts/get"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
            | "completion/complete"
    )
}

/// Requests that may answer `input_required` ("Supported Requests").
pub(crate) fn may_ask(method: &str) -> bool {
    matches!(method, "tools/call" | "prompts/get" | "resources/read")
}

/// The request without what only 2026-07-28 knows.
pub(crate) fn request(message: Message<'_>) -> String {
    let params = message.params();
    let meta = params.and_then(|params| params.member("_meta"));
    let meta = Reshape::of(meta)
        .drop(meta::PROTOCOL_VERSION)
        .drop(meta::CLIENT_INFO)
        .drop(meta::CLIENT_CAPABILITIES)
        .drop(meta::LOG_LEVEL)
        .finish_unless_empty();
    let params = Reshape::of(params)
        .drop("inputResponses")
        .drop("requestState");
    let params = match meta {
        Some(meta) => params.set("_meta", meta),
        None => params.drop("_meta"),
    };
    message.with_params(params.finish_unless_empty())
}

/// The answer with what 2026-07-28 demands; `server_info` is JSON text.
pub(crate) fn answer(method: &str, message: Message<'_>, server_info: Option<&str>) -> String {
    let Some(result) = message.result() else {
        return error(message);
    };
    let own_meta = result.member("_meta");
    let mut shaped = Reshape::of(Some(result)).set("resultType", "\"complete\"");
    if let Some(info) = server_info {
        shaped = shaped.set(
            "_meta",
            Reshape::of(own_meta)
                .default(meta::SERVER_INFO, info)
                .finish(),
        );
    }
    if is_cacheable(method) {
        shaped = shaped.set("ttlMs", "0").set("cacheScope", "\"private\"");
    }
    if method == "tools/list"
        && let Some(tools) = result.member("tools")
    {
        shaped = shaped.set("tools", without_task_support(tools));
    }
    message.with_result(shaped.finish())
}

/// `CacheableResult` (2026-07-28 schema).
fn is_cacheable(method: &str) -> bool {
    matches!(
        method,
        "tools/list"
            | "prompts/list"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
    )
}

/// Tasks left the core protocol: a tool that offers them would be misread.
fn without_task_support(tools: Node<'_>) -> Cow<'_, str> {
    if tools
        .elements()
        .all(|tool| tool.member("execution").is_none())
    {
        return tools.text().into();
    }
    let tools: Vec<_> = tools
        .elements()
        .map(|tool| Reshape::of(Some(tool)).drop("execution").finish())
        .collect();
    format!("[{}]", tools.join(",")).into()
}

/// 2026-07-28 forbids the codes of earlier revisions (basic, "Error Codes").
fn error(message: Message<'_>) -> String {
    match (
        message.error_code(),
        message.error().and_then(|error| error.member("code")),
    ) {
        (Some(RESOURCE_NOT_FOUND_2025), Some(code)) => {
            message.with(code, &RpcError::INVALID_PARAMS.to_string())
        }
        (Some(URL_ELICITATION_REQUIRED_2025), Some(code)) => {
            message.with(code, &RpcError::INTERNAL_ERROR.to_string())
        }
        _ => message.with_id(message.root.member("id").map_or("null", Node::text)),
    }
}

/// The elicitations of a −32042 (2025-11-25, "URL Elicitation Required Error") as input requests.
pub(crate) fn required_urls(message: Message<'_>) -> Option<String> {
    if message.error_code() != Some(URL_ELICITATION_REQUIRED_2025) {
        return None;
    }
    let elicitations = message.error()?.path(["data", "elicitations"])?;
    let mut requests = Reshape::of(None);
    let keys: Vec<_> = (0..elicitations.elements().count())
        .map(|n| format!("url-{n}"))
        .collect();
    for (key, elicitation) in keys.iter().zip(elicitations.elements()) {
        requests = requests.set(key, input_request("elicitation/create", Some(elicitation)));
    }
    requests.finish_unless_empty()
}

/// One value of `inputRequests`. 2026-07-28 has no `elicitationId`.
pub(crate) fn input_request(method: &str, params: Option<Node<'_>>) -> String {
    let request = Reshape::of(None).set("method", quoted(method));
    match params {
        Some(params) => {
            let params = Reshape::of(Some(params))
                .drop("elicitationId")
                .drop("_meta")
                .drop("task");
            request.set("params", params.finish())
        }
        None => request,
    }
    .finish()
}

/// The `InputRequiredResult`; `requests` is the JSON text of `inputRequests`.
pub(crate) fn input_required(
    requests: &str,
    state: Option<&str>,
    server_info: Option<&str>,
) -> String {
    let mut result = Reshape::of(None)
        .set("resultType", "\"input_required\"")
        .set("inputRequests", requests);
    if let Some(state) = state {
        result = result.set("requestState", quoted(state));
    }
    if let Some(info) = server_info {
        result = result.set(
            "_meta",
            Reshape::of(None).set(meta::SERVER_INFO, info).finish(),
        );
    }
    result.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_loses_what_only_2026_knows_and_nothing_else() {
        for (stateless, legacy) in [
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"n":1.0},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"progressToken":3,"x/y":1}}}"#,
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"n":1.0},"_meta":{"progressToken":3,"x/y":1}}}"#,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/logLevel":"info"}}}"#,
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            ),
        ] {
            assert_eq!(request(Message::of(stateless)), legacy);
        }
    }

    #[test]
    fn an_answer_gains_what_2026_demands() {
        let info = Some(r#"{"name":"s","version":"1"}"#);
        let of = |method, text| answer(method, Message::of(text), info);
        assert_eq!(
            of(
                "tools/call",
                r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"x":1e2}}"#
            ),
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"x":1e2,"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}}}}"#
        );
        assert_eq!(
            of(
                "tools/list",
                r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","execution":{}},{"name":"b"}]}}"#
            ),
            r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}},"ttlMs":0,"cacheScope":"private","tools":[{"name":"a"},{"name":"b"}]}}"#
        );
    }

    #[test]
    fn the_error_codes_of_earlier_revisions_do_not_pass() {
        let of = |text| answer("resources/read", Message::of(text), None);
        assert!(
            of(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"m"}}"#)
                .contains("-32602")
        );
        assert!(
            of(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"m"}}"#)
                .contains("-32603")
        );
        let plain = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"m"}}"#;
        assert_eq!(of(plain), plain);
    }

    #[test]
    fn discovery_is_what_initialize_said() {
        let initialized = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"tasks":{}},"serverInfo":{"name":"s","version":"1"},"instructions":"i"}"#;
        assert_eq!(
            discover_result(Node::root(initialized)),
            r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true}},"instructions":"i","ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}}}"#
        );
    }

    #[test]
    fn the_server_is_told_of_elicitation_and_of_nothing_else() {
        let declared = |capabilities: &str| {
            let text = format!(
                r#"{{"params":{{"_meta":{{"io.modelcontextprotocol/clientCapabilities":{capabilities}}}}}}}"#
            );
            Elicitation::declared(Message::of(&text)).capabilities()
        };
        assert_eq!(declared(r#"{"sampling":{},"roots":{}}"#), "{}");
        assert_eq!(
            declared(r#"{"elicitation":{}}"#),
            r#"{"elicitation":{"form":{}}}"#
        );
        assert_eq!(
            declared(r#"{"elicitation":{"url":{}}}"#),
            r#"{"elicitation":{"url":{}}}"#
        );
    }

    #[test]
    fn a_client_is_asked_in_the_modes_that_it_declared() {
        let (form, url) = (Some(r#"{"mode":"form"}"#), Some(r#"{"mode":"url"}"#));
        let (other, none) = (Some(r#"{"mode":7}"#), Some("{}"));
        let cases = [
            (false, false, [false, false, false]),
            (true, false, [true, true, false]),
            (false, true, [false, false, true]),
            (true, true, [true, true, true]),
        ];
        for (has_form, has_url, expected) in cases {
            let declared = Elicitation {
                form: has_form,
                url: has_url,
            };
            let allowed = [none, form, url].map(|params| declared.allows(params.map(Node::root)));
            assert_eq!(allowed, expected);
            assert_eq!(declared.allows(None), has_form);
            assert!(!declared.allows(other.map(Node::root)));
        }
    }

    #[test]
    fn a_url_that_must_be_visited_first_becomes_an_input_request() {
        let text = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://x.example/","message":"go"}]}}}"#;
        assert_eq!(
            required_urls(Message::of(text)).unwrap(),
            r#"{"url-0":{"method":"elicitation/create","params":{"mode":"url","url":"https://x.example/","message":"go"}}}"#
        );
    }
}
