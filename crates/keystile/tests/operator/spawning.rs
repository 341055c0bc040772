//! No request ever says what is started (CHECKLIST R12).

use std::path::Path;

use serde_json::{Value, json};

use super::fake_server::that_runs_what_it_is_told;
use super::flow::{Client, connect, initialize};
use super::http::Request;
use super::installation::Installation;
use super::processes::descendants;
use super::{NAME, PASSWORD};

#[test]
fn a_164_no_endpoint_starts_what_a_request_names() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let mark = installation.beside("started-by-a-request");
    let gate = installation.serve(&["demo"]);
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    let token = connect(&client, NAME, PASSWORD).access;
    let endpoint = gate.endpoint();
    let first = Request::mcp(&endpoint, &token, initialize()).send(gate.port);
    let session = first.header("mcp-session-id").to_owned();
    let before = programs(gate.program.pid());
    assert_eq!(before.len(), 1, "the demo's one command: {before:?}");
    attack(gate.port, &mark, |request| {
        request
            .header("authorization", &format!("Bearer {token}"))
            .header("mcp-session-id", &session)
    });
    let authorized = |request: Request| {
        request
            .header("accept", "application/json, text/event-stream")
            .header("authorization", &format!("Bearer {token}"))
            .header("mcp-session-id", &session)
    };
    for body in bodies(&mark) {
        authorized(Request::json(&endpoint, body)).send(gate.port);
    }
    assert!(!mark.exists());
    assert_eq!(programs(gate.program.pid()), before);
    gate.stop();
}

#[test]
fn a_server_that_runs_what_it_is_told_is_noticed() {
    let installation = Installation::new();
    let mark = installation.beside("started-by-a-request");
    let twin = url::Url::parse(&that_runs_what_it_is_told()).expect("it is one");
    attack(twin.port().expect("it has one"), &mark, |request| request);
    assert!(mark.exists());
}

/// The command lines of what a process started.
fn programs(of: u32) -> Vec<String> {
    let read = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
    let all = descendants(of).into_iter().filter_map(|pid| read(pid).ok());
    let mut all: Vec<_> = all.collect();
    all.sort();
    all.dedup();
    all
}

/// Every body to every path where a gateway has had such an endpoint, and ours.
fn attack(port: u16, mark: &Path, authorized: impl Fn(Request) -> Request) {
    let paths = [
        "/",
        "/mcp",
        "/servers",
        "/config",
        "/connect",
        "/test",
        "/api/test",
        "/mcp-rest/test/connection",
        "/mcp-rest/test/tools/list",
        "/ks/admin",
        "/ks/servers",
        "/oauth/register",
        "/oauth/token",
        "/oauth/authorize",
    ];
    for body in bodies(mark) {
        for path in paths {
            for method in ["POST", "PUT"] {
                let request = Request::new(method, path)
                    .header("content-type", "application/json")
                    .header("x-mcp-command", "touch")
                    .body(body.to_string());
                authorized(request).send(port);
            }
        }
    }
    for path in paths {
        let query = format!("{path}?command=touch&args={}", mark.display());
        authorized(Request::get(&query)).send(port);
    }
}

/// What gateways have taken for a command to run, in each place of a message.
fn bodies(mark: &Path) -> Vec<Value> {
    let mark = mark.to_str().expect("a plain path");
    let command = json!({
        "command": "touch", "args": [mark], "env": {"PATH": "/usr/bin:/bin"},
        "transport": "stdio", "type": "stdio", "cmd": format!("touch {mark}"), "argv": ["touch", mark],
    });
    let mut bodies = vec![
        command.clone(),
        json!({"mcpServers": {"x": command}}),
        json!({"server": command, "config": command}),
        json!({"redirect_uris": ["http://127.0.0.1/cb"], "command": "touch", "args": [mark], "jwks": command}),
    ];
    let methods = [
        "initialize",
        "tools/call",
        "tools/list",
        "server/connect",
        "completion/complete",
    ];
    for method in methods {
        let mut params = command.clone();
        params["name"] = "search".into();
        params["arguments"] = command.clone();
        params["_meta"] = command.clone();
        params["clientInfo"] =
            json!({"name": "x", "version": "1", "command": "touch", "args": [mark]});
        params["protocolVersion"] = "2025-06-18".into();
        params["capabilities"] = json!({"experimental": command});
        bodies.push(json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
    }
    bodies
}
