//! The test suites, and how many tests each ran.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::cached_tool::nextest;
use crate::steps::Counts;
use crate::tools;
use crate::workspace::{Workspace, succeed};

/// Test binaries that start real clients, a browser or foreign judges (`.config/nextest.toml` knows them too).
const END_TO_END: &str = "binary(/^(e2e|browser|judges|client_documents|differential|matrix|server_conformance|smuggling)$/)";

/// Every test that needs nothing but Rust.
pub(super) fn quick(workspace: &Workspace) -> Result<Counts> {
    run(workspace, &format!("not ({END_TO_END})"))
}

/// The tests against real clients, a browser and foreign judges.
pub(super) fn end_to_end(workspace: &Workspace) -> Result<Counts> {
    tools::ensure(workspace)?;
    succeed(&mut workspace.cargo(["build", "--quiet", "--locked", "--package", "keystile"]))?;
    run(workspace, END_TO_END)
}

/// Writes the table of `docs/compatibility.md`, where `end_to_end` compares it.
pub(crate) fn write_matrix(workspace: &Workspace) -> Result<()> {
    tools::ensure(workspace)?;
    let mut command = nextest(workspace)?;
    command.args([
        "run",
        "--locked",
        "--package",
        "keystile",
        "--test",
        "matrix",
    ]);
    command.env("KEYSTILE_TOOLS", workspace.tools_file());
    succeed(command.env("KEYSTILE_WRITE_MATRIX", "1"))
}

/// The examples in the documentation.
pub(super) fn doc(workspace: &Workspace) -> Result<Counts> {
    let mut command = workspace.cargo([
        "test",
        "--quiet",
        "--locked",
        "--workspace",
        "--doc",
        "--no-fail-fast",
    ]);
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let printed = child.stdout.take().context("its output is piped")?;
    let mut counts = Counts::default();
    for line in BufReader::new(printed).lines() {
        let line = line?;
        eprintln!("{line}");
        if let Some(more) = result_line(&line) {
            counts = Counts {
                passed: counts.passed + more.passed,
                failed: counts.failed + more.failed,
            };
        }
    }
    let status = child.wait()?;
    ensure!(
        status.success() || counts.failed > 0,
        "cargo test --doc ended with {status}"
    );
    Ok(counts)
}

fn run(workspace: &Workspace, filter: &str) -> Result<Counts> {
    let report = workspace.root.join("target/nextest/default/junit.xml");
    if report.exists() {
        std::fs::remove_file(&report)?;
    }
    let mut command: Command = nextest(workspace)?;
    command.args([
        "run",
        "--locked",
        "--workspace",
        "--no-fail-fast",
        "--no-tests",
        "fail",
        "--filterset",
        filter,
    ]);
    command.env("KEYSTILE_BIN", workspace.target.join("debug/keystile"));
    command.env("KEYSTILE_TOOLS", workspace.tools_file());
    let status = command.status()?;
    let counts =
        read(&report).with_context(|| format!("nextest ended with {status} and left no report"))?;
    ensure!(
        status.success() || counts.failed > 0,
        "nextest ended with {status}"
    );
    Ok(counts)
}

fn read(report: &Path) -> Result<Counts> {
    let text = std::fs::read_to_string(report)?;
    totals(&text).context("the report has another shape")
}

/// Of `<testsuites name="…" tests="12" failures="1" errors="0" …>`.
fn totals(report: &str) -> Option<Counts> {
    let (_, rest) = report.split_once("<testsuites ")?;
    let (attributes, _) = rest.split_once('>')?;
    let number = |name: &str| -> Option<u64> {
        let (_, rest) = attributes.split_once(&format!("{name}=\""))?;
        rest.split_once('"')?.0.parse().ok()
    };
    let failed = number("failures")? + number("errors")?;
    Some(Counts {
        passed: number("tests")?.checked_sub(failed)?,
        failed,
    })
}

/// Of `test result: ok. 3 passed; 0 failed; …`.
fn result_line(line: &str) -> Option<Counts> {
    let rest = line.trim().strip_prefix("test result: ")?;
    let number = |name: &str| -> Option<u64> {
        let before = rest.split_once(name)?.0.trim_end();
        before.rsplit([' ', ';']).next()?.parse().ok()
    };
    Some(Counts {
        passed: number("passed")?,
        failed: number("failed")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_counted() {
        let report = "<?xml?>\n<testsuites name=\"nextest-run\" tests=\"12\" failures=\"1\" errors=\"2\" uuid=\"x\">\n";
        let counts = totals(report).expect("has totals");
        assert_eq!((counts.passed, counts.failed), (9, 3));
        assert!(totals("<testsuites>").is_none());
    }

    #[test]
    fn a_result_line_is_counted() {
        let counts =
            result_line("test result: FAILED. 3 passed; 2 failed; 0 ignored").expect("is one");
        assert_eq!((counts.passed, counts.failed), (3, 2));
        assert!(result_line("running 3 tests").is_none());
    }
}
