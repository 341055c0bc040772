//! Foreign judges of the authorization server: the official conformance suite, and a suite on oauth4webapi.

#[path = "support/gate.rs"]
mod gate;
#[path = "support/process.rs"]
mod process;
#[path = "support/script.rs"]
mod script;
#[path = "support/tools.rs"]
mod tools;

use std::net::TcpListener;

use gate::Gate;
use process::Process;
use script::{events, node};
use tools::Tools;

/// The official suite's two scenarios at one revision. It sends no `scope`, and `resource` only when told to.
fn passes_the_official_suite(revision: &str, with_resource: bool) {
    let gate = demo();
    let port = free_port();
    let redirect = format!("http://127.0.0.1:{port}/callback");
    let client = gate.administer(&[
        "client",
        "add",
        "--name",
        "conformance",
        "--redirect-uri",
        &redirect,
    ]);
    let id = client["client_id"].as_str().expect("a client has an id");
    let mut judge = node(&Tools::find(), "judges/official.mjs");
    judge.args([gate.said("issuer"), id, &port.to_string(), revision]);
    if with_resource {
        judge.arg(gate.said("mcp_url"));
    }
    let verdicts = events(Process::start(&mut judge));
    let [verdict] = verdicts.as_slice() else {
        panic!("one verdict, not {verdicts:#?}")
    };
    assert_eq!(verdict["exit"], 0, "{verdict:#}");
    assert_eq!(
        verdict["complaints"].as_array().map(Vec::len),
        Some(0),
        "{verdict:#}"
    );
    let scenarios = verdict["scenarios"].as_array().expect("a list");
    let passed: Vec<_> = scenarios
        .iter()
        .filter(|scenario| scenario["failed"] == 0)
        .collect();
    assert_eq!(passed.len(), 2, "two of two scenarios: {verdict:#}");
    gate.stop();
}

#[test]
fn the_official_suite_passes_at_2025_03_26() {
    passes_the_official_suite("2025-03-26", false);
}

#[test]
fn the_official_suite_passes_at_2025_06_18() {
    passes_the_official_suite("2025-06-18", false);
}

#[test]
fn the_official_suite_passes_at_2025_11_25() {
    passes_the_official_suite("2025-11-25", false);
}

#[test]
fn the_official_suite_passes_at_2026_07_28() {
    passes_the_official_suite("2026-07-28", false);
}

#[test]
fn the_official_suite_passes_with_a_resource_indicator() {
    passes_the_official_suite("2026-07-28", true);
}

#[test]
fn a_strict_client_finds_no_fault_with_the_authorization_server() {
    let gate = demo();
    let mut judge = node(&Tools::find(), "judges/authorization-server.mjs");
    let checks = events(Process::start(judge.args([
        gate.said("issuer"),
        gate.said("mcp_url"),
        "knowledge-base:call",
    ])));
    let failed: Vec<_> = checks.iter().filter(|check| check["ok"] != true).collect();
    assert!(
        failed.is_empty(),
        "{} of {} checks failed: {failed:#?}",
        failed.len(),
        checks.len()
    );
    assert!(
        checks.len() >= 24,
        "the suite ended early, after {checks:#?}"
    );
    gate.stop();
}

#[test]
fn foreign_verifiers_take_the_tokens_of_each_algorithm() {
    let gate = demo();
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        let rotated = gate.administer(&["key", "rotate", "--algorithm", algorithm]);
        let mut judge = node(&Tools::find(), "judges/keys.mjs");
        let verdicts = events(Process::start(judge.args([
            gate.said("issuer"),
            gate.said("mcp_url"),
            "knowledge-base:call",
        ])));
        let [verdict] = verdicts.as_slice() else {
            panic!("one verdict, not {verdicts:#?}")
        };
        assert_eq!(verdict["alg"], algorithm);
        assert_eq!(verdict["kid"], rotated["kid"]);
        let published = verdict["published"].as_array().expect("a list");
        assert!(published.contains(&rotated["next"]), "{verdict:#}");
    }
    gate.stop();
}

fn demo() -> Gate {
    Gate::start(&["demo"]).with_account()
}

/// Free a moment ago: the suite has to be told a port.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it listens").port()
}
