//! The official server conformance suite on a fixture of ours, directly and through the gate: no verdict may change.
//! Behind the gate the same fixture also speaks stdio, or the other era only.

#[path = "support/gate.rs"]
mod gate;
#[path = "support/process.rs"]
mod process;
#[path = "support/script.rs"]
mod script;
#[path = "support/tools.rs"]
mod tools;

use std::fmt;
use std::process::Command;

use gate::Gate;
use process::Process;
use script::{events, node};
use serde::Deserialize;
use serde_json::Value;
use tools::Tools;

/// What the suite said in one run (`conformance/judges/official-server.mjs`).
#[derive(Deserialize)]
struct Run {
    exit: Option<i32>,
    scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Scenario {
    name: String,
    required: bool,
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    id: String,
    name: String,
    status: String,
    error: Option<String>,
}

/// One line of the list that must stay as it is.
#[derive(Clone, Copy)]
struct Verdict<'a> {
    scenario: &'a str,
    check: &'a Check,
}

impl Run {
    fn verdicts(&self) -> impl Iterator<Item = Verdict<'_>> {
        self.scenarios.iter().flat_map(|scenario| {
            let verdict = |check| Verdict {
                scenario: &scenario.name,
                check,
            };
            scenario.checks.iter().map(verdict)
        })
    }

    fn count(&self, status: &str) -> usize {
        let verdicts = self.verdicts();
        verdicts
            .filter(|verdict| verdict.check.status == status)
            .count()
    }

    fn required(&self) -> usize {
        let scenarios = self.scenarios.iter();
        scenarios.filter(|scenario| scenario.required).count()
    }
}

impl Verdict<'_> {
    /// What is compared: an error's words may name an address or an id.
    fn key(&self) -> (&str, &str, &str, &str) {
        let Check {
            id, name, status, ..
        } = self.check;
        (self.scenario, id, name, status)
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scenario, id, name, status) = self.key();
        write!(f, "{status} {scenario} {id} ({name})")?;
        match &self.check.error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

/// The lines that only one run has, in order: `-` directly, `+` through the gate.
fn differences(directly: &Run, through: &Run) -> Vec<String> {
    let only = |sign: &str, one: &Run, other: &Run| -> Vec<String> {
        let mut rest: Vec<_> = other.verdicts().collect();
        let mut lines = Vec::new();
        for verdict in one.verdicts() {
            match rest.iter().position(|other| other.key() == verdict.key()) {
                Some(place) => drop(rest.remove(place)),
                None => lines.push(format!("{sign} {verdict}")),
            }
        }
        lines
    };
    let mut lines = only("-", directly, through);
    lines.extend(only("+", through, directly));
    lines
}

/// The fixture, for as long as the test runs.
struct Fixture {
    process: Process,
    url: String,
}

impl Fixture {
    fn start(tools: &Tools, arguments: &[&str]) -> Self {
        let mut command = Command::new(tools.path("rmcp_server"));
        let process = Process::start(command.args(arguments));
        let line = process.line().expect("it says where it listens");
        let ready: Value = serde_json::from_str(&line).expect("in JSON");
        let url = ready["url"].as_str().expect("a URL").to_owned();
        Self { process, url }
    }
}

fn judged(judge: &mut Command) -> Run {
    let mut runs = events(Process::start(judge));
    assert_eq!(runs.len(), 1, "one run, not {runs:#?}");
    serde_json::from_value(runs.remove(0)).expect("a run as the judge describes it")
}

/// A revision, how many scenarios it requires, and how many checks the fixture passes.
struct Asked(&'static str, usize, usize);

const OF_2025: Asked = Asked("2025-11-25", 30, 84);
const OF_2026: Asked = Asked("2026-07-28", 37, 197);

/// Every scenario passes on the fixture itself, those that count and those that are only run.
fn passes_directly(tools: &Tools, Asked(revision, required, passed): &Asked) -> Run {
    let mut fixture = Fixture::start(tools, &[]);
    let mut judge = node(tools, "judges/official-server.mjs");
    let run = judged(judge.args([&fixture.url, *revision]));
    let bad: Vec<_> = run
        .verdicts()
        .filter(|verdict| matches!(verdict.check.status.as_str(), "FAILURE" | "WARNING"))
        .map(|verdict| verdict.to_string())
        .collect();
    assert!(bad.is_empty(), "directly:\n{}", bad.join("\n"));
    assert_eq!(run.exit, Some(0));
    assert_eq!(run.required(), *required, "scenarios that count");
    assert_eq!(run.count("SUCCESS"), *passed, "checks that passed");
    fixture.process.stop();
    run
}

/// Through the gate the suite says the same of every check. `except` names what the server's carrier or era leaves out,
/// as scenario and check.
fn says_the_same_through_the_gate(asked: &Asked, server: &[&str], except: &[(&str, &str)]) {
    let tools = Tools::find();
    let directly = passes_directly(&tools, asked);

    let gate = Gate::start(&[&["protect", "--name", "fixture"], server].concat()).with_account();
    let (url, issuer) = (gate.said("mcp_url"), gate.said("issuer"));
    let mut judge = node(&tools, "judges/official-server.mjs");
    let through = judged(judge.args([url, asked.0, issuer, "fixture:call"]));
    let mut differences = differences(&directly, &through);
    differences.retain(|line| {
        let named =
            |(scenario, check): &(&str, &str)| line.contains(&format!("{scenario} {check} "));
        !except.iter().any(named)
    });
    assert!(
        differences.is_empty(),
        "directly (-) and through the gate (+):\n{}",
        differences.join("\n")
    );
    assert_eq!(through.exit, Some(0));
    let failures = through.count("FAILURE") + through.count("WARNING");
    assert_eq!(failures, 0, "what is left out is not failed");
    let grants = gate.administer(&["grant", "list"]);
    assert_eq!(
        grants[0]["resource"], url,
        "the person signed in once: {grants:#}"
    );
    gate.stop();
}

/// The same for a server over HTTP.
fn says_the_same_of(asked: &Asked, arguments: &[&str], except: &[(&str, &str)]) {
    let mut fixture = Fixture::start(&Tools::find(), arguments);
    says_the_same_through_the_gate(asked, &[&fixture.url], except);
    fixture.process.stop();
}

/// The same for a server on stdio.
fn says_the_same_over_stdio(asked: &Asked, arguments: &[&str], except: &[(&str, &str)]) {
    let program = Tools::find().path("rmcp_server");
    let program = program.to_str().expect("a plain path");
    let command = [&["--", program], arguments, &["--stdio"]].concat();
    says_the_same_through_the_gate(asked, &command, except);
}

/// Where the gate answers on its own it answers in JSON until there is something to stream, which the suite notes without
/// a verdict; and it keeps no events for a client to come back for (see `docs/compatibility.md`, "Limits").
const NO_RESUMPTION: &[(&str, &str)] = &[
    (
        "server-sse-multiple-streams",
        "server-sse-streams-functional",
    ),
    ("server-sse-polling", "server-sse-content-type"),
    ("server-sse-polling", "server-sse-priming-event"),
    ("server-sse-polling", "server-sse-retry-field"),
    ("server-sse-polling", "server-sse-disconnect-resume"),
    ("server-sse-polling", "outgoing-request"),
    ("server-sse-polling", "incoming-response"),
    ("server-sse-polling", "incoming-sse-event"),
    ("server-sse-polling", "stream-closed"),
];

#[test]
fn the_official_suite_says_the_same_of_a_server_of_2025_11_25_through_the_gate() {
    says_the_same_of(&OF_2025, &[], &[]);
}

#[test]
fn the_official_suite_says_the_same_of_a_server_of_2026_07_28_through_the_gate() {
    says_the_same_of(&OF_2026, &[], &[]);
}

#[test]
fn the_official_suite_says_the_same_of_a_server_without_the_other_era() {
    says_the_same_of(&OF_2025, &["--era=2025"], &[]);
    says_the_same_of(&OF_2026, &["--era=2026"], &[]);
}

#[test]
fn the_official_suite_of_2025_11_25_passes_in_front_of_a_server_of_2026_only() {
    says_the_same_of(&OF_2025, &["--era=2026"], NO_RESUMPTION);
}

#[test]
fn the_official_suite_of_2025_11_25_passes_in_front_of_a_stdio_server() {
    says_the_same_over_stdio(&OF_2025, &[], NO_RESUMPTION);
}

#[test]
fn the_official_suite_of_2025_11_25_passes_in_front_of_a_stdio_server_of_2026_only() {
    says_the_same_over_stdio(&OF_2025, &["--era=2026"], NO_RESUMPTION);
}

#[test]
fn the_official_suite_of_2026_07_28_passes_in_front_of_a_stdio_server() {
    says_the_same_over_stdio(&OF_2026, &[], NO_RESUMPTION);
}

#[test]
fn a_verdict_that_changed_is_told_from_both_sides() {
    let run = |status: &str| -> Run {
        let checks = serde_json::json!([
            { "id": "a", "name": "A", "status": "SUCCESS" },
            { "id": "a", "name": "A", "status": status, "error": "late" },
        ]);
        let scenario = serde_json::json!({ "name": "s", "required": true, "checks": checks });
        serde_json::from_value(serde_json::json!({ "exit": 0, "scenarios": [scenario] }))
            .expect("a run")
    };
    assert!(differences(&run("SUCCESS"), &run("SUCCESS")).is_empty());
    assert_eq!(
        differences(&run("SUCCESS"), &run("FAILURE")),
        ["- SUCCESS s a (A): late", "+ FAILURE s a (A): late"]
    );
}
