//! Servers that do not start, do not answer, or answer rubbish.

use std::{path::Path, time::Duration};

use http::StatusCode;
use keystile_domain::flow::Noted;
use keystile_gateway::stdio::StdioConfig;
use serde_json::{Value, json};

use crate::log::Log;
use crate::support::{App, body, config, gone, initialize, told};

async fn refused(config: StdioConfig) -> (u16, String) {
    let app = App::with(config);
    let response = app
        .client("ada", "editor")
        .legacy(initialize(json!({})))
        .await;
    let status = response.status().as_u16();
    let noted = response.extensions().get::<Noted>().cloned();
    let error = body(response).await["error"].clone();
    let noted = noted.expect("doctor knows of it");
    assert_eq!(noted.reference.as_str(), error["data"]["reference"]);
    assert_eq!(
        noted.diagnosis.reason,
        error["data"]["code"].as_str().unwrap()
    );
    assert!(
        error["data"]["hint"]
            .as_str()
            .is_some_and(|hint| !hint.is_empty()),
        "{error}"
    );
    (status, error["data"]["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_server_that_cannot_be_started_is_told_apart_from_one_that_fails() {
    let mut missing = config(&[]);
    missing.argv = vec!["/no/such/command".into()];
    let mut forbidden = config(&[]);
    forbidden.argv = vec!["/etc/passwd".into()];
    let mut long = config(&["too-long"]);
    long.max_message = 1 << 20;
    let mut mute = config(&["mute"]);
    mute.first_answer = Duration::from_millis(200);
    mute.grace = Duration::from_millis(50);
    for (config, status, code) in [
        (missing, 502, "stdio_command_not_found"),
        (forbidden, 502, "stdio_command_not_executable"),
        (config(&["exit"]), 502, "stdio_exited_at_once"),
        (config(&["garbage"]), 502, "upstream_not_mcp"),
        (long, 502, "upstream_message_too_long"),
        (mute, 504, "upstream_handshake_timeout"),
    ] {
        assert_eq!(refused(config).await, (status, code.to_owned()));
    }
}

#[tokio::test]
async fn a_probe_says_at_once_what_clients_would_be_told() {
    let mut missing = config(&[]);
    missing.argv = vec!["no-such-command-anywhere".into()];
    assert_eq!(
        App::with(missing).pool.probe().await.unwrap_err().code(),
        "stdio_command_not_found"
    );
    for era in ["legacy", "stateless", "strict-legacy"] {
        App::of(&[era]).pool.probe().await.unwrap();
    }
}

#[tokio::test]
async fn a_banner_is_forgiven_and_a_broken_answer_is_not() {
    let app = App::of(&["legacy", "banner"]);
    let mut client = app.client("ada", "editor");
    client.initialize(json!({})).await;
    let pid = client.tool("pid").await.as_u64().unwrap();
    let call =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "twice"}});
    let response = client.legacy(call.clone()).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(
        body(response).await["error"]["data"]["code"],
        "upstream_not_mcp"
    );
    gone(pid).await;
    assert_eq!(client.legacy(call).await.status(), StatusCode::NOT_FOUND);
}

fn call(name: &str, lines: Vec<&str>) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": name, "arguments": {"lines": lines}}})
}

#[tokio::test]
async fn what_a_server_logs_on_its_standard_output_is_forgiven_up_to_a_rate() {
    let (log, _listening) = Log::listen();
    let app = App::of(&["legacy"]);
    let mut client = app.client("ada", "editor");
    client.initialize(json!({})).await;
    let logs = vec![
        r#"{"level":"info","id":7,"msg":"ready"}"#,
        "[1]",
        "\"x\"",
        "{",
    ];
    let answer = body(client.legacy(call("chatter", logs)).await).await;
    assert_eq!(told(&answer), "done");
    let response = client.legacy(call("chatter", vec!["{}"; 61])).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    let error = body(response).await["error"].clone();
    assert_eq!(error["data"]["code"], "stdio_too_noisy");
    let said = "more than 64 lines a minute";
    assert!(log.text().contains(said), "{}", log.text());
}

#[tokio::test]
async fn an_answer_behind_something_else_fails_its_call_at_once_and_no_other() {
    let app = App::of(&["legacy"]);
    let mut client = app.client("ada", "editor");
    client.initialize(json!({})).await;
    let pid = client.tool("pid").await;
    let response = client.legacy(call("behind", Vec::new())).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    let error = body(response).await["error"].clone();
    assert_eq!(error["data"]["code"], "stdio_answer_garbled");
    assert_eq!(client.tool("pid").await, pid);
}

#[tokio::test]
async fn a_server_that_is_not_mcp_is_not_started_again_at_once_and_a_few_of_its_lines_are_logged() {
    let (log, _listening) = Log::listen();
    let app = App::of(&["garbage"]);
    for _ in 0..3 {
        let client = app.client("ada", "editor");
        let response = client.legacy(initialize(json!({}))).await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        let error = body(response).await["error"].clone();
        assert_eq!(error["data"]["code"], "upstream_not_mcp");
        app.pool.shutdown().await;
    }
    let times = |what: &str| log.text().matches(what).count();
    assert_eq!(times("stdio server started"), 1, "{}", log.text());
    assert_eq!(times("not started again for 5 s"), 1, "{}", log.text());
    assert_eq!(times("what=the text not MCP at all"), 5, "{}", log.text());
}

#[tokio::test]
async fn a_server_is_heard_out_when_it_is_told_to_end() {
    let (log, _listening) = Log::listen();
    let app = App::of(&["legacy", "wordy"]);
    app.pool.probe().await.unwrap();
    app.pool.shutdown().await;
    let ended = |text: &str| text.contains("all is said") || text.contains("panicked");
    while !ended(&log.text()) {
        tokio::task::yield_now().await;
    }
    let text = log.text();
    assert!(!text.contains("panicked"), "{text}");
    let last = text.lines().find(|line| line.contains("all is said"));
    // It was we who ended it.
    assert!(last.is_some_and(|line| line.contains("DEBUG")), "{last:?}");
}

#[tokio::test]
async fn a_157_a_server_that_dies_takes_only_its_own_calls_along() {
    let app = App::of(&["legacy"]);
    let (mut one, mut other) = (app.client("ada", "editor"), app.client("bob", "editor"));
    one.initialize(json!({})).await;
    other.initialize(json!({})).await;
    let call =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "die"}});
    let response = one.legacy(call).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(
        body(response).await["error"]["data"]["code"],
        "stdio_exited"
    );
    assert!(other.tool("pid").await.is_u64());
    one.session = None;
    one.initialize(json!({})).await;
    assert!(one.tool("pid").await.is_u64());
}

#[tokio::test]
async fn n_tr_20_the_child_gets_the_environment_that_the_operator_named() {
    let mut config = config(&["legacy"]);
    config.env.push(("API_KEY".into(), "k".into()));
    let app = App::with(config);
    let mut client = app.client("ada", "editor");
    client.initialize(json!({})).await;
    assert_eq!(client.tool("environment").await, json!(["API_KEY", "PATH"]));
}

#[tokio::test]
async fn what_a_child_started_goes_with_it() {
    let mut config = config(&["legacy", "deaf"]);
    config.grace = Duration::from_millis(50);
    let app = App::with(config);
    let mut client = app.client("ada", "editor");
    client.initialize(json!({})).await;
    let child = client.tool("pid").await.as_u64().unwrap();
    let grandchild = client.tool("spawn").await.as_u64().unwrap();
    app.pool.shutdown().await;
    gone(child).await;
    gone(grandchild).await;
}

#[tokio::test]
async fn a_pool_that_is_dropped_leaves_nothing_behind() {
    let app = App::of(&["legacy"]);
    let mut client = app.client("ada", "editor");
    client.initialize(json!({})).await;
    let pids = [client.tool("pid").await, client.tool("spawn").await];
    drop((app, client));
    for pid in pids {
        gone(pid.as_u64().unwrap()).await;
    }
}

#[tokio::test]
async fn an_idle_child_is_ended() {
    let mut config = config(&["legacy"]);
    config.idle = Duration::from_millis(100);
    let app = App::with(config);
    let mut client = app.client("ada", "editor");
    client.initialize(json!({})).await;
    gone(client.tool("pid").await.as_u64().unwrap()).await;
    let late = client
        .legacy(json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}))
        .await;
    assert_eq!(late.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_cap_ends_the_longest_unused_child_and_never_one_at_work() {
    let mut config = config(&["legacy"]);
    config.max_children = 2;
    let app = App::with(config);
    let mut clients = [
        app.client("ada", "a"),
        app.client("bob", "b"),
        app.client("cyd", "c"),
    ];
    for client in &mut clients[..2] {
        client.initialize(json!({})).await;
    }
    let first = clients[0].tool("pid").await.as_u64().unwrap();
    let mut hold =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "hold"}});
    hold["params"]["_meta"] = json!({"progressToken": 1});
    let mut busy = crate::support::Events::of(clients[1].legacy(hold.clone()).await);
    busy.next().await.unwrap();
    clients[2].initialize(json!({})).await;
    gone(first).await;

    let mut held = crate::support::Events::of(clients[2].legacy(hold).await);
    held.next().await.unwrap();
    let full = clients[0].clone();
    let response = app.client("dan", "d").legacy(initialize(json!({}))).await;
    drop(full);
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "10");
    assert_eq!(
        body(response).await["error"]["data"]["code"],
        "stdio_too_many"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn newcomers_at_once_each_take_the_place_of_one_that_rests() {
    const CAP: usize = 16;
    let mut config = config(&["legacy"]);
    config.max_children = CAP;
    let app = App::with(config);
    for round in 0..100 {
        let newcomers = (0..CAP).map(|at| {
            let client = app.client(&format!("person-{round}-{at}"), "editor");
            tokio::spawn(async move { client.legacy(initialize(json!({}))).await.status() })
        });
        for status in futures_util::future::join_all(newcomers).await {
            assert_eq!(status.unwrap(), StatusCode::OK, "round {round}");
        }
    }
}

/// What an attacker would have run, in every place where a request can say something.
fn tempting(mark: &Path) -> Vec<Value> {
    let run = json!(["sh", "-c", format!("touch {}", mark.display())]);
    let mut opening =
        initialize(json!({"command": run, "experimental": {"command": {"argv": run}}}));
    opening["params"]["command"] = run[0].clone();
    opening["params"]["args"] = json!([run[1], run[2]]);
    opening["params"]["env"] = json!({"LD_PRELOAD": mark});
    let names = ["echo", "`touch mark`", "$(touch mark)", ";touch mark"];
    let calls = names.map(|name| {
        json!({"jsonrpc": "2.0", "id": name, "method": "tools/call",
            "params": {"name": name, "arguments": {"command": run, "argv": run}}})
    });
    std::iter::once(opening).chain(calls).collect()
}

#[tokio::test]
async fn a_164_nothing_of_a_request_becomes_a_process() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("mark");
    let app = App::of(&["legacy"]);
    let mut client = app.client("ada", "editor");
    for message in tempting(&mark) {
        let response = client.legacy(message).await;
        if let Some(session) = response.headers().get("mcp-session-id") {
            client.session = Some(session.to_str().unwrap().to_owned());
        }
    }
    assert!(client.tool("pid").await.is_u64());
    assert!(!mark.exists());
}

#[test]
fn a_164_a_twin_that_runs_what_it_is_told_would_be_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("mark");
    let opening = &tempting(&mark)[0]["params"];
    let arguments: Vec<_> = opening["args"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let program = opening["command"].as_str().unwrap();
    std::process::Command::new(program)
        .args(arguments)
        .status()
        .unwrap();
    assert!(mark.exists());
}
