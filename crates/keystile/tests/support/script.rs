//! Scripts of `conformance/` that run under Node and print one JSON object a line.

use std::process::Command;

use serde_json::Value;

use super::gate::{NAME, PASSWORD};
use super::process::Process;
use super::tools::{Tools, conformance};

/// A script of Node's, run as the person of the gate's one account.
pub(crate) fn node(tools: &Tools, script: &str) -> Command {
    let mut command = as_the_person(Command::new(tools.path("node")));
    command.arg(conformance(script));
    command
}

/// A program that signs in as that person.
pub(crate) fn as_the_person(mut command: Command) -> Command {
    command
        .env("KEYSTILE_PERSON_NAME", NAME)
        .env("KEYSTILE_PERSON_PASSWORD", PASSWORD);
    command
}

/// Everything that it printed until it ended.
pub(crate) fn events(process: Process) -> Vec<Value> {
    let lines = std::iter::from_fn(|| process.line());
    lines
        .map(|line| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}
