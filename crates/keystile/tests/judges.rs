//! Foreign judges of the authorization server: the official conformance suite, oauth4webapi and openid-client.

#[path = "support/gate.rs"]
mod gate;
#[path = "judges/mistakes.rs"]
mod mistakes;
#[path = "support/port.rs"]
mod port;
#[path = "support/process.rs"]
mod process;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/script.rs"]
mod script;
#[path = "support/tools.rs"]
mod tools;

use std::path::Path;
use std::process::Command;

use gate::Gate;
use process::Process;
use script::{events, node};
use serde_json::Value;
use tools::Tools;

const SCOPE: &str = "knowledge-base:call";

/// The official suite's two scenarios at one revision. It sends no `scope`, and `resource` only when told to.
fn passes_the_official_suite(revision: &str, with_resource: bool) {
    let gate = demo();
    let port = port::free();
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
    assert_eq!(passed_scenarios(&mut judge), 2);
    gate.stop();
}

/// How many scenarios of the official suite passed, where none failed.
fn passed_scenarios(judge: &mut Command) -> usize {
    let verdict = only(events(Process::start(judge)));
    assert_eq!(verdict["exit"], 0, "{verdict:#}");
    let complaints = verdict["complaints"].as_array().expect("a list");
    assert!(complaints.is_empty(), "{verdict:#}");
    let scenarios = verdict["scenarios"].as_array().expect("a list");
    let clean = scenarios
        .iter()
        .filter(|scenario| scenario["failed"] == 0 && scenario["passed"].as_u64() > Some(0));
    clean.count()
}

fn only(mut verdicts: Vec<Value>) -> Value {
    assert_eq!(verdicts.len(), 1, "one verdict, not {verdicts:#?}");
    verdicts.remove(0)
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

/// A client without a person that the official suite approves of (which brings an authorization server of its own) is
/// registered here with the same name and the same secret or key, and gets in.
fn serves_a_client_that_the_official_suite_approved(scenario: &str, auth: &str) {
    let tools = Tools::find();
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let noted = folder.path().join("context.json");
    let mut judge = node(&tools, "judges/official-client.mjs");
    judge.args([scenario, "machine.mjs"]);
    assert_eq!(passed_scenarios(judge.env("KEYSTILE_CONTEXT", &noted)), 1);

    let noted = std::fs::read_to_string(&noted).expect("the driver wrote it");
    let noted: Value = serde_json::from_str(&noted).expect("it is JSON");
    let mut context = noted["context"].clone();
    let id = context["client_id"].as_str().expect("it has an id");
    let gate = demo();
    let mut add = vec!["client", "add", "--name", "conformance", "--client-id", id];
    add.extend(["--auth", auth, "--grant", "client_credentials"]);
    add.extend(["--scope", SCOPE]);
    let keys = folder.path().join("jwks.json");
    if !noted["jwks"].is_null() {
        add.extend(["--jwks", written(&noted["jwks"], &keys)]);
    }
    let added = gate.administer(&add);
    if let Some(secret) = added.get("client_secret") {
        context["client_secret"] = secret.clone();
    }
    let mut machine = node(&tools, "clients/machine.mjs");
    machine.env("MCP_CONFORMANCE_CONTEXT", context.to_string());
    let seen = only(events(Process::start(machine.arg(gate.said("mcp_url")))));
    let names = seen["names"].as_array().expect("a list of tools");
    assert!(names.contains(&"search".into()), "{seen:#}");
    gate.stop();
}

/// The file with a client's public keys, as it is named on a command line.
fn written<'a>(jwks: &Value, file: &'a Path) -> &'a str {
    std::fs::write(file, jwks.to_string()).expect("it is a new file");
    file.to_str()
        .expect("a temporary directory has a plain name")
}

#[test]
fn a_client_with_a_key_that_the_official_suite_approved_gets_in() {
    serves_a_client_that_the_official_suite_approved(
        "auth/client-credentials-jwt",
        "private_key_jwt",
    );
}

#[test]
fn a_client_with_a_secret_that_the_official_suite_approved_gets_in() {
    serves_a_client_that_the_official_suite_approved(
        "auth/client-credentials-basic",
        "client_secret_basic",
    );
}

/// A judge with one line a check.
fn finds_no_fault(judge: &mut Command, least: usize) {
    let checks = events(Process::start(judge));
    let failed: Vec<_> = checks.iter().filter(|check| check["ok"] != true).collect();
    let (failures, all) = (failed.len(), checks.len());
    assert_eq!(failures, 0, "of {all} checks: {failed:#?}");
    assert!(all >= least, "the judge ended early, after {checks:#?}");
}

#[test]
fn n_as_01_a_strict_client_finds_no_fault_with_the_authorization_server() {
    let gate = demo();
    let mut judge = node(&Tools::find(), "judges/authorization-server.mjs");
    judge.args([gate.said("issuer"), gate.said("mcp_url"), SCOPE]);
    finds_no_fault(&mut judge, 24);
    gate.stop();
}

#[test]
fn n_as_01_openid_client_finds_no_fault_with_the_authorization_server() {
    let gate = demo();
    let mut add = vec!["client", "add", "--name", "job", "--scope", SCOPE];
    add.extend([
        "--auth",
        "client_secret_basic",
        "--grant",
        "client_credentials",
    ]);
    let own = gate.administer(&add);
    let text = |name: &str| own[name].as_str().expect("it is a text").to_owned();
    let mut judge = node(&Tools::find(), "judges/openid-client.mjs");
    judge.args([gate.said("issuer"), gate.said("mcp_url"), SCOPE]);
    judge
        .env("CLIENT_ID", text("client_id"))
        .env("CLIENT_SECRET", text("client_secret"));
    finds_no_fault(&mut judge, 10);
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
            SCOPE,
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
