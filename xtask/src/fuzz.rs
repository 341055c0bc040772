//! `cargo xtask fuzz`: the differential oracle of the gateway, for longer than the test suite has it.
//!
//! It generates its messages: cargo-fuzz needs a nightly compiler, and readers of other languages give no coverage back.

use anyhow::{Result, ensure};
use clap::Args;

use crate::tools;
use crate::workspace::{Workspace, succeed};

#[derive(Args)]
pub(crate) struct Options {
    /// Messages, of clients and of servers
    #[arg(long, default_value_t = 100_000)]
    executions: u64,
    /// The same seed gives the same messages
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What the design asks for: a million messages at least, and 100,000 connections that end in the middle of a request
    #[arg(long)]
    check: bool,
}

/// An error names each message that two readers read in two ways.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let executions = match options.check {
        true => options.executions.max(FULL),
        false => options.executions,
    };
    ensure!(executions >= LEAST, "below {LEAST} the shares say nothing");
    tools::ensure(workspace)?;
    let mut oracle = workspace.cargo([
        "test",
        "--quiet",
        "--locked",
        "--release",
        "--package",
        "keystile-gateway",
        "--test",
        "differential",
        "--",
        "--exact",
        "what_passes_is_the_same_to_every_reader",
        "--nocapture",
    ]);
    oracle.env("KEYSTILE_FUZZ_EXECUTIONS", executions.to_string());
    oracle.env("KEYSTILE_FUZZ_SEED", options.seed.to_string());
    succeed(&mut oracle)?;
    match options.check {
        true => hang_up(workspace),
        false => Ok(()),
    }
}

/// Connections that end in the middle of a request (CHECKLIST A-157).
fn hang_up(workspace: &Workspace) -> Result<()> {
    let mut closes = workspace.cargo([
        "test",
        "--quiet",
        "--locked",
        "--package",
        "keystile-gateway",
        "--test",
        "http",
        "--",
        "--exact",
        "abrupt::a_157_who_hangs_up_or_sends_anything_hurts_nobody_else",
    ]);
    succeed(closes.env("KEYSTILE_ABRUPT_CLOSES", CLOSES.to_string()))
}

const FULL: u64 = 1_000_000;
const CLOSES: u64 = 100_000;
const LEAST: u64 = 10_000;
