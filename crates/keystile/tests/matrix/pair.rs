//! One client with one server: directly where they speak the same, and through the gate.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::gate::Gate;
use crate::process::Process;
use crate::script::{as_the_person, events, node};
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

/// A client or a server (`conformance/servers/features`), over one transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Side {
    pub(crate) era: Era,
    pub(crate) carrier: Carrier,
}

/// What a client is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sdk {
    /// 1.x for the one era, 2.x for the other (`conformance/clients/features`).
    TypeScript,
    /// `conformance/clients/features.py`
    Python,
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
    let features = play(tools, Sdk::TypeScript, server, &target);
    stop(process);
    features
}

/// Every feature through the gate, as TypeScript sees it, and in front of an HTTP server Python too.
pub(crate) fn through_the_gate(tools: &Tools, client: Side, server: Side) -> Vec<Feature> {
    let seen = with(tools, Sdk::TypeScript, client, server);
    if server.carrier != Carrier::Http {
        return seen;
    }
    let also = with(tools, Sdk::Python, client, server);
    assert_eq!(
        seen.len(),
        also.len(),
        "both drivers play the same features"
    );
    let both = seen.into_iter().zip(also);
    both.map(|(seen, also)| {
        agreed(seen, also).unwrap_or_else(|both| panic!("{client:?} → {server:?}: {both}"))
    })
    .collect()
}

/// The word of both SDKs; where only one has a feature, its word counts.
fn agreed(seen: Feature, also: Feature) -> Result<Feature, String> {
    match (&seen.outcome, &also.outcome) {
        _ if seen.name != also.name => Err(format!("{} is not {}", seen.name, also.name)),
        (Outcome::Absent, _) => Ok(also),
        (_, Outcome::Absent) => Ok(seen),
        (one, other) if one == other => Ok(seen),
        (one, other) => Err(format!(
            "{}: {one:?} with TypeScript, {other:?} with Python",
            seen.name
        )),
    }
}

fn with(tools: &Tools, sdk: Sdk, client: Side, server: Side) -> Vec<Feature> {
    let (target, process) = start(tools, server);
    let arguments = ["protect", "--name", "features"].map(str::to_owned);
    let gate = Gate::start(&[&arguments[..], &target].concat()).with_account();
    let target = [gate.said("mcp_url"), gate.said("issuer"), "features:call"];
    let features = play(tools, sdk, client, &target.map(str::to_owned));
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

fn play(tools: &Tools, sdk: Sdk, client: Side, target: &[String]) -> Vec<Feature> {
    let name = match (sdk, client.era, client.carrier) {
        (Sdk::TypeScript, Era::Legacy, Carrier::Sse) => "ts-v1+sse",
        (Sdk::TypeScript, Era::Legacy, _) => "ts-v1",
        (Sdk::TypeScript, Era::Stateless, _) => "ts-v2",
        (Sdk::Python, Era::Legacy, Carrier::Sse) => "legacy+sse",
        (Sdk::Python, Era::Legacy, _) => "legacy",
        (Sdk::Python, Era::Stateless, _) => "2026-07-28",
    };
    let mut driver = match sdk {
        Sdk::TypeScript => node(tools, "clients/features.mjs"),
        Sdk::Python => python(tools, "clients/features.py"),
    };
    let mut events = events(Process::start(driver.arg(name).args(target)));
    let last = events.pop();
    let done = last.as_ref().is_some_and(|event| event["event"] == "done");
    assert!(done, "{name} with {target:?} stopped after {last:#?}");
    let features = events.into_iter().map(serde_json::from_value);
    features
        .map(|feature| feature.expect("as the driver describes it"))
        .collect()
}

/// A script that signs in with Node's help.
fn python(tools: &Tools, script: &str) -> Command {
    let mut command = as_the_person(Command::new(tools.path("python_mcp")));
    command
        .arg(conformance(script))
        .env("KEYSTILE_NODE", tools.path("node"));
    command
}

fn stop(process: Option<Process>) {
    if let Some(mut process) = process {
        process.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_language_may_lack_a_feature_and_never_see_another_fate() {
        let saw = |outcome: &Outcome| Feature {
            name: "ping".to_owned(),
            outcome: outcome.clone(),
        };
        let agreed = |one, other| agreed(saw(one), saw(other)).map(|feature| feature.outcome);
        let (worked, absent, dropped) = (Outcome::Worked, Outcome::Absent, Outcome::Dropped);
        assert_eq!(agreed(&worked, &worked), Ok(Outcome::Worked));
        assert_eq!(agreed(&absent, &dropped), Ok(Outcome::Dropped));
        assert_eq!(agreed(&worked, &absent), Ok(Outcome::Worked));
        assert!(agreed(&worked, &dropped).is_err());
    }
}
