//! No request ever says what is started (CHECKLIST R12).

use serde_json::{Value, json};

use super::flow::{Client, connect, initialize};
use super::http::Request;
use super::installation::{Installation, bare};
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
    let programs = |of: u32| -> Vec<String> {
        let read = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
        let all = descendants(of).into_iter().filter_map(|pid| read(pid).ok());
        let mut all: Vec<_> = all.collect();
        all.sort();
        all.dedup();
        all
    };
    let before = programs(gate.program.pid());
    assert_eq!(before.len(), 1, "the demo's one command: {before:?}");

    for body in bodies(mark.to_str().expect("a plain path")) {
        let paths = [
            &endpoint,
            "/",
            "/mcp",
            "/api/test",
            "/test",
            "/connect",
            "/config",
            "/mcp-rest/test/connection",
            "/ks/admin",
            "/ks/servers",
            "/oauth/register",
            "/oauth/token",
            "/oauth/authorize",
            "/servers",
        ];
        for path in paths {
            for method in ["POST", "PUT", "PATCH"] {
                let request = Request::new(method, path)
                    .header("content-type", "application/json")
                    .header("accept", "application/json, text/event-stream")
                    .header("authorization", &format!("Bearer {token}"))
                    .header("mcp-session-id", &session)
                    .header("x-mcp-command", "touch")
                    .body(body.to_string());
                request.send(gate.port);
            }
            let query = format!("{path}?command=touch&args={}", mark.display());
            Request::get(&query).send(gate.port);
        }
    }
    assert!(!mark.exists());
    assert_eq!(programs(gate.program.pid()), before);
    gate.stop();
}

/// What gateways have taken for a command to run, in each place of a message.
fn bodies(mark: &str) -> Vec<Value> {
    let command = json!({
        "command": "touch", "args": [mark], "env": {"PATH": "/usr/bin:/bin"},
        "transport": "stdio", "type": "stdio", "cmd": format!("touch {mark}"), "argv": ["touch", mark],
    });
    let mut bodies = vec![
        command.clone(),
        json!({"mcpServers": {"x": command}}),
        json!({"server": command, "config": command}),
        json!({"redirect_uris": ["http://127.0.0.1/cb"], "command": "touch", "args": [mark], "software_statement": command}),
    ];
    for method in [
        "initialize",
        "tools/call",
        "tools/list",
        "ping",
        "server/connect",
        "completion/complete",
    ] {
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

#[test]
fn a_164_a_twin_that_starts_something_would_be_noticed() {
    let installation = Installation::new();
    let mark = installation.beside("started");
    let path = mark.to_str().expect("a plain path");
    let mut child = std::process::Command::new("touch")
        .arg(path)
        .spawn()
        .expect("it starts");
    let seen = descendants(std::process::id());
    assert!(seen.contains(&child.id()), "{seen:?}");
    child.wait().expect("it is ours");
    assert!(mark.exists());
    assert!(
        bare(&["--version"])
            .status()
            .is_ok_and(|status| status.success())
    );
}
