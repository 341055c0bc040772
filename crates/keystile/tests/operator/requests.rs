//! Requests that are malformed, too large, or meant for somebody else.

use serde_json::{Value, json};

use super::fake_server::dead;
use super::flow::{Client, connect};
use super::http::{Reply, Request};
use super::installation::{Gate, Installation};
use super::{NAME, PASSWORD};

fn gate(installation: &Installation) -> Gate {
    installation.add_user(NAME, PASSWORD);
    installation.serve(&["protect", "--name", "notes", &dead()])
}

/// Its status, its stable word, and a sentence.
fn refused(reply: &Reply, status: u16, code: &str, sentence: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    let body = reply.value();
    let known = [&body["error"], &body["error"]["data"]["code"]];
    assert!(known.contains(&&Value::from(code)), "{body}");
    assert!(reply.body.contains(sentence), "{body}");
}

#[test]
fn a_registration_that_is_no_json_or_too_large_is_refused() {
    let installation = Installation::new();
    let gate = gate(&installation);
    let bad = "invalid_client_metadata";
    for (body, sentence) in [
        ("{", "strict JSON"),
        (
            r#"{"redirect_uris":["http://127.0.0.1/a"],"redirect_uris":["http://127.0.0.1/b"]}"#,
            "same name",
        ),
        ("[]", "object"),
        ("{\"client_name\":\"\u{0}\"}", "strict JSON"),
    ] {
        let reply = Request::json("/oauth/register", body).send(gate.port);
        refused(&reply, 400, bad, sentence);
    }
    let deep = "[".repeat(100_000);
    let reply = Request::json("/oauth/register", &deep).send(gate.port);
    refused(&reply, 413, "invalid_request", "65536 bytes");
    let reply = Request::json("/oauth/register", &deep[..60_000]).send(gate.port);
    refused(&reply, 400, bad, "strict JSON");
    let reply = Request::form("/oauth/register", &[("client_name", "x")]).send(gate.port);
    refused(&reply, 400, "invalid_request", "application/json");
    let reply = Request::json(
        "/oauth/register",
        json!({"redirect_uris": "http://127.0.0.1/a"}),
    );
    let reply = reply.send(gate.port);
    refused(&reply, 400, "invalid_redirect_uri", "array of strings");
    let evil = json!({"redirect_uris": ["http://evil.example/cb"]});
    let reply = Request::json("/oauth/register", evil).send(gate.port);
    refused(&reply, 400, "invalid_redirect_uri", "evil.example");
    gate.stop();
}

#[test]
fn an_mcp_message_that_is_malformed_or_too_large_is_refused() {
    let installation = Installation::new();
    let gate = gate(&installation);
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    let token = connect(&client, NAME, PASSWORD).access;
    let send = |body: &str| Request::mcp("/notes/mcp", &token, body).send(gate.port);
    for (body, code) in [
        ("{", -32700),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
            -32600,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"} {}"#, -32700),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600),
        (r#"{"id":1}"#, -32600),
    ] {
        let reply = send(body);
        refused(&reply, 400, "not_a_message", "message");
        assert_eq!(reply.value()["error"]["code"], code, "{body}");
    }
    let padded = |bytes: usize| {
        let text = "x".repeat(bytes);
        json!({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": text}}).to_string()
    };
    let reply = send(&padded(5 << 20));
    refused(&reply, 413, "body_too_large", "at most 4 MiB");
    let reply = Request::new("POST", "/notes/mcp")
        .header("authorization", &format!("Bearer {token}"))
        .header("content-type", "text/plain")
        .body("{}")
        .send(gate.port);
    refused(&reply, 415, "unsupported_media_type", "application/json");
    // The connection to the upstream is what fails then: it is still the same gate, and not confused.
    let reply = send(&padded(1 << 20));
    refused(&reply, 502, "upstream_unreachable", "can't be reached");
    gate.stop();
}

#[test]
fn without_the_right_token_the_way_to_one_is_told() {
    let installation = Installation::new();
    let gate = gate(&installation);
    let metadata = format!(
        "{}/.well-known/oauth-protected-resource/notes/mcp",
        gate.text("issuer")
    );
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    let reply = Request::json("/notes/mcp", &ping).send(gate.port);
    assert_eq!(reply.status, 401);
    let challenge = reply.header("www-authenticate");
    assert!(
        challenge.contains(&format!("resource_metadata=\"{metadata}\"")),
        "{challenge}"
    );
    assert!(!challenge.contains("error="), "{challenge}");
    for token in ["nonsense", "ksr_nonsense", "eyJhbGciOiJub25lIn0.e30."] {
        let reply = Request::mcp("/notes/mcp", token, &ping).send(gate.port);
        assert_eq!(reply.status, 401, "{token}");
        assert!(
            reply
                .header("www-authenticate")
                .contains("error=\"invalid_token\"")
        );
        assert!(!reply.body.contains(token));
    }
    // Where a client's user pasted the wrong path, the right one is told.
    for path in ["/mcp", "/notes", "/notes/mcp/extra", "/other/mcp"] {
        let reply = Request::json(path, &ping).send(gate.port);
        refused(&reply, 404, "not_found", &gate.text("mcp_url"));
    }
    let reply = Request::get("/oauth/tokens").send(gate.port);
    refused(&reply, 404, "invalid_request", "oauth-authorization-server");
    gate.stop();
}

#[test]
fn a_token_request_for_another_resource_gets_no_token() {
    let installation = Installation::new();
    let gate = gate(&installation);
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    let tokens = connect(&client, NAME, PASSWORD);
    let reply = client.ask(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", &tokens.refresh),
        ("resource", "https://other.example/mcp"),
    ]);
    refused(&reply, 400, "invalid_target", "resource");
    // It was not spent by that.
    assert_eq!(client.refresh(&tokens.refresh).status, 200);
    for (fields, code) in [
        (&[("grant_type", "password")][..], "unsupported_grant_type"),
        (&[("grant_type", "refresh_token")], "invalid_request"),
        (
            &[("grant_type", "refresh_token"), ("refresh_token", "ksr_x")],
            "invalid_grant",
        ),
        (
            &[("grant_type", "authorization_code"), ("code", "x")],
            "invalid_request",
        ),
    ] {
        let reply = client.ask(fields);
        refused(&reply, 400, code, "error_description");
    }
    gate.stop();
}

#[test]
fn every_refusal_has_its_reference_in_the_same_field_of_the_log() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let words = [
        "protect",
        "--log-format",
        "json",
        "--name",
        "notes",
        &dead(),
    ];
    let gate = installation.serve(&words);
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    let token = connect(&client, NAME, PASSWORD).access;
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    let by_the_gateway = Request::mcp("/notes/mcp", &token, message).send(gate.port);
    let by_the_issuer = Request::form("/oauth/token", &[("grant_type", "x")]).send(gate.port);
    let by_a_page = Request::get("/ks/consent?tx=nonsense").send(gate.port);
    for refused in [by_the_gateway, by_the_issuer, by_a_page] {
        let (_, reference) = refused.body.split_once("KS-").expect("it has one");
        let reference = format!("\"reference\":\"KS-{}\"", &reference[..8]);
        let line = gate.program.stderr.find(&reference);
        assert!(line.is_some(), "{reference}: {refused:?}");
    }
    gate.stop();
}
