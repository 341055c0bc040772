//! Real clients whose `client_id` is the URL of their document. Registration is off, so nothing else can let them in.

use std::process::Command;

use keystile_testkit::hostile::Hostile;
use serde_json::Value;

use crate::gate::{Gate, NAME, PASSWORD};
use crate::process::Process;
use crate::published::{authority, open_gate, publish_native};
use crate::tools::{Tools, conformance};

const DOCUMENT: &str = "/lantern/client.json";

/// A tool of the demo's, and what it finds in its own documentation.
const TOOL: [&str; 2] = ["search", r#"{"query":"consent"}"#];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ts_v1_signs_in_by_the_url_of_its_document() {
    signs_in_by_its_url("node", Some("ts-v1.mjs"), "auto").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ts_v2_signs_in_by_the_url_of_its_document() {
    signs_in_by_its_url("node", Some("ts-v2.mjs"), "2026-07-28").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_sdk_signs_in_by_the_url_of_its_document() {
    signs_in_by_its_url("python_mcp", Some("py_mcp.py"), "auto").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fastmcp_client_signs_in_by_the_url_of_its_document() {
    signs_in_by_its_url("python_fastmcp", Some("fastmcp_client.py"), "auto").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rmcp_signs_in_by_the_url_of_its_document() {
    signs_in_by_its_url("rmcp_client", None, "auto").await;
}

/// Discovery, sign-in, a tool's result; then a result after the token expired, without a person.
async fn signs_in_by_its_url(program: &str, script: Option<&str>, mode: &str) {
    let host = Hostile::start().await;
    let client_id = publish_native(&host, DOCUMENT, "cache-control: max-age=600\r\n");
    let gate = open_gate(
        &host,
        &["--registration", "off", "--access-token-lifetime", "3s"],
    )
    .with_account();

    let seen = play(&gate, &client_id, program, script, mode);

    let all = |name| seen.iter().filter(move |event| event["event"] == name);
    let results: Vec<_> = all("result").map(|event| &event["act"]).collect();
    assert_eq!(results, ["full", "refresh"], "{seen:#?}");
    let asked: Vec<_> = all("authorize_url").collect();
    assert_eq!(asked.len(), 1, "one sign-in: {asked:#?}");
    let asked = asked[0]["url"].as_str().expect("a URL");
    let asked = url::Url::parse(asked).expect("a URL");
    let sent = asked.query_pairs().find(|(name, _)| name == "client_id");
    assert_eq!(sent.expect("a client_id").1, client_id);
    assert!(
        all("tokens").count() >= 2,
        "the tokens were renewed: {seen:#?}"
    );
    let grants = gate.administer(&["grant", "list"]);
    assert_eq!(grants[0]["client_id"], client_id.as_str(), "{grants:#}");
    let shown = format!("{} (“Lantern”)", authority(&client_id));
    assert_eq!(grants[0]["client_name"], shown);
    assert_eq!(host.hits(DOCUMENT), 1, "it is fresh for ten minutes");
    assert_eq!(host.connections().await, 1);
    gate.stop();
}

/// Every event of the driver (`conformance/clients/script.mjs`).
fn play(
    gate: &Gate,
    client_id: &str,
    program: &str,
    script: Option<&str>,
    mode: &str,
) -> Vec<Value> {
    let tools = Tools::find();
    let mut command = Command::new(tools.path(program));
    if let Some(script) = script {
        command.arg(conformance("clients").join(script));
    }
    let [tool, arguments] = TOOL;
    command.args([gate.said("mcp_url"), tool, arguments, "full,refresh"]);
    command
        .env("MODE", mode)
        .env("CLIENT_METADATA_URL", client_id)
        .env("KEYSTILE_NODE", tools.path("node"))
        .env("KEYSTILE_PERSON", conformance("browser/person.mjs"))
        .env("KEYSTILE_PERSON_NAME", NAME)
        .env("KEYSTILE_PERSON_PASSWORD", PASSWORD);
    let driver = Process::start(&mut command);
    let mut seen: Vec<Value> = Vec::new();
    while let Some(line) = driver.line() {
        let event: Value = serde_json::from_str(&line).expect("drivers print JSON");
        let failed = ["error", "person_failed"].contains(&event["event"].as_str().unwrap_or(""));
        assert!(!failed, "{event:#}\nafter {seen:#?}");
        seen.push(event);
    }
    assert_eq!(seen.last().expect("events")["event"], "done", "{seen:#?}");
    seen
}
