use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn refused(body: &str) -> EnvelopeError {
    Envelope::parse(body.as_bytes()).expect_err(body)
}

#[test]
fn the_four_kinds_are_told_apart() {
    for (body, kind) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, Kind::Request),
        (
            r#"{"id":"a","method":"ping","params":{},"jsonrpc":"2.0"}"#,
            Kind::Request,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            Kind::Notification,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, Kind::Response),
        (
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#,
            Kind::Error,
        ),
        (
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}"#,
            Kind::Error,
        ),
        (
            r#"{"jsonrpc":"2.0","error":{"code":1,"message":"x"}}"#,
            Kind::Error,
        ),
    ] {
        assert_eq!(
            Envelope::parse(body.as_bytes()).expect(body).kind(),
            kind,
            "{body}"
        );
    }
}

#[test]
fn what_is_no_message_is_refused_with_its_code_and_id() {
    for (body, code, id) in [
        ("", -32700, None),
        ("nonsense", -32700, None),
        ("{\"jsonrpc\":\"2.0\",\"id\":7,", -32700, Some("7")),
        ("{}", -32600, None),
        ("[]", -32600, None),
        (
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            -32600,
            None,
        ),
        (r#"{"id":1,"method":"ping"}"#, -32600, Some("1")),
        (
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            -32600,
            Some("1"),
        ),
        (
            r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#,
            -32600,
            Some("1"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            -32600,
            Some("null"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            -32600,
            None,
        ),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600, None),
        (
            r#"{"jsonrpc":"2.0","id":"x","method":"ping","params":[1]}"#,
            -32600,
            Some("\"x\""),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#,
            -32600,
            Some("1"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":1}"#,
            -32600,
            Some("1"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":1,"error":{}}"#,
            -32600,
            Some("1"),
        ),
        (r#"{"jsonrpc":"2.0","result":1}"#, -32600, None),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"name":1}}"#,
            -32600,
            Some("1"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":1}}"#,
            -32600,
            Some("1"),
        ),
    ] {
        let error = refused(body);
        assert_eq!(
            (error.code, error.id.as_deref()),
            (code, id),
            "{body}: {error}"
        );
    }
}

#[test]
fn a_103_members_are_compared_exactly() {
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"METHOD":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"param\u{17f}\":{}}",
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","x":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","NAME":"b"}}"#,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"t\",\"params\":{\"argument\u{17f}\":{}}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"t\",\"params\":{\"ta\u{17f}\u{212a}Id\":\"1\"}}",
        r#"{"jsonrpc":"2.0","id":1,"method":"t","params":{"taskid":"1"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"t","params":{"_Meta":{}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"t","params":{"_meta":{"progresstoken":1}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"t","params":{"_meta":{"io.modelcontextprotocol/protocolversion":""}}}"#,
    ] {
        assert_eq!(refused(body).code, -32600, "{body}");
    }
    let other = r#"{"jsonrpc":"2.0","id":1,"method":"t","params":{"arguments":{"Name":1,"name":2},"cursor":"x"}}"#;
    assert!(
        Envelope::parse(other.as_bytes()).is_ok(),
        "a tool's own arguments are its own"
    );
}

#[test]
fn what_policy_needs_is_found() {
    let body = r#"{"jsonrpc":"2.0","id":"q","method":"tools/c\u0061ll","params":{"_meta":{
        "io.modelcontextprotocol/protocolVersion":"2026-07-28",
        "io.modelcontextprotocol/clientCapabilities":{"sampling":{}},
        "io.modelcontextprotocol/clientInfo":{"name":"x"},"progressToken":"p","io.other/x":1},
        "name":"re\u0061d","arguments":{"a":[1]},"uri":"file:///x","taskId":"t"}}"#;
    let message = Envelope::parse(body.as_bytes()).unwrap();
    let params = message.params();
    assert_eq!(message.method(), Some("tools/call"));
    assert_eq!(params.name.as_deref(), Some("read"));
    assert_eq!(params.uri.as_deref(), Some("file:///x"));
    assert_eq!(params.task_id.as_deref(), Some("t"));
    assert_eq!(
        params.arguments.map(|span| message.slice(span)),
        Some(r#"{"a":[1]}"#)
    );
    assert_eq!(params.meta.protocol_version.as_deref(), Some("2026-07-28"));
    let capabilities = params
        .meta
        .client_capabilities
        .map(|span| message.slice(span));
    assert_eq!(capabilities, Some(r#"{"sampling":{}}"#));
    assert_eq!(
        params.meta.progress_token.map(|span| message.slice(span)),
        Some("\"p\"")
    );
}

#[test]
fn an_edit_replaces_only_that_members_bytes() {
    let body = r#"{ "id" : 007e, "jsonrpc":"2.0" }"#;
    assert!(Envelope::parse(body.as_bytes()).is_err());
    let body = "{ \"params\":{\"x\":1.0e1 ,\"_meta\":{\"progressToken\": 5}},\t\"id\" : 12 , \"method\":\"a\",\"jsonrpc\":\"2.0\" }\n";
    let message = Envelope::parse(body.as_bytes()).unwrap();
    let id = message.id().unwrap();
    let token = message.params().meta.progress_token.unwrap();
    assert_eq!(id.lexeme, "12");
    let edited = message.edited(&mut [(id.span, "\"k\""), (token, "\"t\"")]);
    let wanted = body.replace("12", "\"k\"").replace(" 5", " \"t\"");
    assert_eq!(String::from_utf8(edited).unwrap(), wanted);
}

proptest! {
    #[test]
    fn an_envelope_says_what_serde_would(
        id in prop_oneof![any::<i64>().prop_map(Value::from), any::<String>().prop_map(Value::from)],
        method in any::<String>(), name in any::<String>(), token in any::<u32>(), argument in any::<i64>(),
    ) {
        let tree = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {
            "name": name, "arguments": {"x": argument}, "_meta": {"progressToken": token}}});
        let text = serde_json::to_string(&tree).unwrap();
        let message = Envelope::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(message.method(), Some(method.as_str()));
        prop_assert_eq!(message.params().name.as_deref(), Some(name.as_str()));
        let lexeme: Value = serde_json::from_str(message.id().unwrap().lexeme).unwrap();
        prop_assert_eq!(lexeme, id.clone());
        let edited = message.replaced(message.id().unwrap().span, "1");
        let mut wanted = tree.clone();
        wanted["id"] = json!(1);
        prop_assert_eq!(serde_json::from_slice::<Value>(&edited).unwrap(), wanted);
    }
}
