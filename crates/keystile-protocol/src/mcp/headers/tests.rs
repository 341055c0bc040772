use http::HeaderValue;

use super::*;

const MODERN: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name: http::HeaderName = name.parse().unwrap();
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}

fn agree(pairs: &[(&str, &str)], body: &str) -> Result<McpHeaders, i32> {
    let message = Envelope::parse(body.as_bytes()).unwrap();
    McpHeaders::agree(&headers(pairs), &message).map_err(|error| error.code)
}

fn call(name: &str, meta: &str) -> String {
    let comma = if meta.is_empty() { "" } else { "," };
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{name}"{comma}{meta}}}}}"#
    )
}

#[test]
fn n_tr_06_the_version_header_equals_the_version_in_the_body() {
    let body = call("a", MODERN);
    let mirrored = [("mcp-method", "tools/call"), ("mcp-name", "a")];
    let with = |version: &[(&'static str, &'static str)]| {
        agree(&[version, &mirrored[..]].concat(), &body).map(McpHeaders::era)
    };
    assert_eq!(
        with(&[("MCP-Protocol-Version", "2026-07-28")]),
        Ok(Era::Stateless)
    );
    assert_eq!(with(&[]), Err(-32020), "missing");
    assert_eq!(
        with(&[("mcp-protocol-version", "2025-11-25")]),
        Err(-32020),
        "differs"
    );
    let twice = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-protocol-version", "2026-07-28"),
    ];
    assert_eq!(with(&twice), Err(-32020), "doubled");
    assert_eq!(
        with(&[("mcp-protocol-version", "2026-07-29")]),
        Err(-32022),
        "unknown"
    );
    assert_eq!(
        with(&[("mcp-protocol-version", "é")]),
        Err(-32020),
        "not ASCII"
    );
}

#[test]
fn n_tr_07_method_and_name_headers_are_there_and_true() {
    let version = ("mcp-protocol-version", "2026-07-28");
    let body = call("read", MODERN);
    for (wanted, pairs) in [
        (
            Ok(()),
            vec![("mcp-method", "tools/call"), ("mcp-name", "read")],
        ),
        (
            Ok(()),
            vec![
                ("MCP-METHOD", "tools/call"),
                ("Mcp-Name", "=?base64?cmVhZA==?="),
            ],
        ),
        (Err(-32020), vec![("mcp-method", "tools/call")]),
        (Err(-32020), vec![("mcp-name", "read")]),
        (
            Err(-32020),
            vec![("mcp-method", "Tools/Call"), ("mcp-name", "read")],
        ),
        (
            Err(-32020),
            vec![("mcp-method", "tools/list"), ("mcp-name", "read")],
        ),
        (
            Err(-32020),
            vec![("mcp-method", "tools/call"), ("mcp-name", "Read")],
        ),
        (
            Err(-32020),
            vec![("mcp-method", "tools/call"), ("mcp-name", "")],
        ),
        (
            Err(-32020),
            vec![("mcp-method", "tools/call"), ("mcp-name", "=?base64?%?=")],
        ),
        (
            Err(-32020),
            vec![
                ("mcp-method", "tools/call"),
                ("mcp-name", "read"),
                ("mcp-name", "x"),
            ],
        ),
        (
            Err(-32020),
            vec![
                ("mcp-method", "tools/call"),
                ("mcp-method", "tools/call"),
                ("mcp-name", "read"),
            ],
        ),
    ] {
        let all: Vec<_> = [version].into_iter().chain(pairs).collect();
        assert_eq!(agree(&all, &body).map(drop), wanted, "{all:?}");
    }
}

#[test]
fn a_107_a_benign_header_never_hides_a_dangerous_body() {
    for (revision, meta) in [
        (Some("2026-07-28"), MODERN),
        (Some("2025-11-25"), ""),
        (None, ""),
    ] {
        for (name, body_name) in [
            ("read", "delete"),
            ("delete", "read"),
            ("=?base64?cmVhZA==?=", "delete"),
            ("=?base64?cmVhZA==?=", "=?base64?cmVhZA==?="),
        ] {
            let mut pairs = vec![("mcp-method", "tools/call"), ("mcp-name", name)];
            pairs.extend(revision.map(|revision| ("mcp-protocol-version", revision)));
            assert_eq!(
                agree(&pairs, &call(body_name, meta)),
                Err(-32020),
                "{pairs:?}"
            );
        }
        let mut pairs = vec![("mcp-method", "tools/list")];
        pairs.extend(revision.map(|revision| ("mcp-protocol-version", revision)));
        assert_eq!(agree(&pairs, &call("x", meta)), Err(-32020), "{pairs:?}");
    }
}

#[test]
fn old_revisions_need_no_mirrors() {
    for pairs in [&[][..], &[("mcp-protocol-version", "2025-06-18")]] {
        assert_eq!(
            agree(pairs, &call("a", "")).map(McpHeaders::era),
            Ok(Era::Legacy)
        );
    }
}

#[test]
fn a_stateless_request_carries_its_meta() {
    let pairs = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "a"),
    ];
    assert_eq!(agree(&pairs, &call("a", "")), Err(-32602));
    let half = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
    assert_eq!(agree(&pairs, &call("a", half)), Err(-32602));
    let discover = r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#;
    assert_eq!(agree(&[], discover), Err(-32602));
    let notification =
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    let pairs = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "notifications/cancelled"),
    ];
    assert!(agree(&pairs, notification).is_ok());
}

#[test]
fn an_unknown_revision_is_answered_with_the_known_ones() {
    let error = McpHeaders::read(&headers(&[("mcp-protocol-version", "1\"")])).unwrap_err();
    let body: serde_json::Value = serde_json::from_str(&error.to_json()).unwrap();
    assert_eq!(body["error"]["data"]["requested"], "1\"");
    assert_eq!(body["error"]["data"]["supported"][4], "2026-07-28");
}

#[test]
fn an_unknown_revision_without_a_handshake_is_answered_with_what_discover_tells() {
    let pairs = [
        ("mcp-protocol-version", "2099-01-01"),
        ("mcp-method", "server/discover"),
    ];
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let message = Envelope::parse(text.as_bytes()).unwrap();
    let error = McpHeaders::agree(&headers(&pairs), &message).unwrap_err();
    let body: serde_json::Value = serde_json::from_str(&error.to_json()).unwrap();
    let data = serde_json::json!({ "supported": ["2026-07-28"], "requested": "2099-01-01" });
    assert_eq!(body["error"]["data"], data);
}

#[test]
fn n_tr_08_encoded_names_are_decoded_before_they_are_compared() {
    for name in [
        "über",
        " padded",
        "tab\t",
        "=?base64?eA==?=",
        "日本語",
        "plain name",
        "\u{7f}",
    ] {
        let header = encode(name).into_owned();
        let lexeme = serde_json::Value::from(name).to_string();
        let body = call("NAME", MODERN).replace("\"NAME\"", &lexeme);
        let pairs = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", &header),
        ];
        assert!(agree(&pairs, &body).is_ok(), "{header}");
    }
}

#[test]
fn n_tr_11_names_of_headers_ignore_case_and_their_values_do_not() {
    let body = call("read", MODERN);
    for names in [
        ["mcp-protocol-version", "mcp-method", "mcp-name"],
        ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"],
        ["MCP-PROTOCOL-VERSION", "MCP-METHOD", "MCP-NAME"],
        ["mCP-pROTOCOL-vERSION", "mCP-mETHOD", "mCP-nAME"],
    ] {
        let with = |values: [&str; 2]| {
            let pairs = [
                (names[0], "2026-07-28"),
                (names[1], values[0]),
                (names[2], values[1]),
            ];
            agree(&pairs, &body).map(McpHeaders::era)
        };
        assert_eq!(
            with(["tools/call", "read"]),
            Ok(Era::Stateless),
            "{names:?}"
        );
        for values in [
            ["Tools/Call", "read"],
            ["TOOLS/CALL", "read"],
            ["tools/cal\u{212a}", "read"],
            ["tools/call", "Read"],
            ["tools/call", "READ"],
        ] {
            assert_eq!(with(values), Err(-32020), "{names:?} {values:?}");
        }
    }
}
