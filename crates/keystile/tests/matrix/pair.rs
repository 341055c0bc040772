//! One client with one server: directly where they speak the same, and through the gate.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::gate::Gate;
use crate::process::Process;
use crate::script::{events, node};
use crate::tools::{Tools, conformance};

/// What the two sides of a pair may differ in most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// Up to 2025-11-25: a session with a handshake.
    Legacy,
    /// Since 2026-07-28: each request for itself.
    Stateless,
}

/// How the two talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    Stdio,
    /// Streamable HTTP.
    Http,
    /// HTTP+SSE of 2024-11-05.
    Sse,
}

/// A client SDK (`conformance/clients/features`) or a server on one (`conformance/servers/features`), over one transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Side {
    pub(crate) era: Era,
    pub(crate) carrier: Carrier,
}

/// What became of one feature, as the driver says it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Feature {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
}

/// The outcome itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "saw", rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// All that the feature promises came.
    Worked,
    /// An error instead; `code` if it was one of JSON-RPC.
    Refused { code: Option<i64>, message: String },
    /// No error, and nothing came.
    Dropped,
    /// One of the two SDKs has no such thing.
    Absent,
    /// Anything else, and always a defect: of the gate, or of the programs here.
    Broken { message: String },
}

/// Every feature without the gate, over the transport of the server.
pub(crate) fn directly(tools: &Tools, server: Side) -> Vec<Feature> {
    let (target, process) = start(tools, server);
    let features = play(tools, server, &target);
    stop(process);
    features
}

/// Every feature through the gate.
pub(crate) fn through_the_gate(tools: &Tools, client: Side, server: Side) -> Vec<Feature> {
    let (target, process) = start(tools, server);
    let arguments = ["protect", "--name", "features"].map(str::to_owned);
    let gate = Gate::start(&[&arguments[..], &target].concat()).with_account();
    let target = [gate.said("mcp_url"), gate.said("issuer"), "features:call"];
    let features = play(tools, client, &target.map(str::to_owned));
    let grants = gate.administer(&["grant", "list"]);
    assert_eq!(
        grants[0]["resource"], target[0],
        "the person signed in: {grants:#}"
    );
    gate.stop();
    stop(process);
    features
}

/// What names a server on a command line (a URL, or `--` and a command), and the process behind a URL.
fn start(tools: &Tools, server: Side) -> (Vec<String>, Option<Process>) {
    let program = match server.era {
        Era::Legacy => "servers/features/legacy.mjs",
        Era::Stateless => "servers/features/stateless.mjs",
    };
    let (node, program) = (tools.path("node"), conformance(program));
    if server.carrier == Carrier::Stdio {
        let words = [Path::new("--"), &node, &program, Path::new("stdio")];
        let words = words.map(|word| word.to_str().expect("a plain path").to_owned());
        return (words.to_vec(), None);
    }
    let carrier = if server.carrier == Carrier::Sse {
        "sse"
    } else {
        "http"
    };
    let process = Process::start(Command::new(node).arg(program).arg(carrier));
    let line = process.line().expect("it says where it listens");
    let ready: Value = serde_json::from_str(&line).expect("in JSON");
    let url = ready["url"].as_str().expect("a URL").to_owned();
    (vec![url], Some(process))
}

fn play(tools: &Tools, client: Side, target: &[String]) -> Vec<Feature> {
    let name = match (client.era, client.carrier) {
        (Era::Legacy, Carrier::Sse) => "ts-v1+sse",
        (Era::Legacy, _) => "ts-v1",
        (Era::Stateless, _) => "ts-v2",
    };
    let mut driver = node(tools, "clients/features.mjs");
    let mut events = events(Process::start(driver.arg(name).args(target)));
    let last = events.pop();
    let done = last.as_ref().is_some_and(|event| event["event"] == "done");
    assert!(done, "{name} with {target:?} stopped after {last:#?}");
    let features = events.into_iter().map(serde_json::from_value);
    features
        .map(|feature| feature.expect("as the driver describes it"))
        .collect()
}

fn stop(process: Option<Process>) {
    if let Some(mut process) = process {
        process.stop();
    }
}
