//! One test of the mutation build, run by itself.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::built::{Built, BuiltTest};

/// A test that takes longer is ended; with its rule switched off it may wait for what never comes, which is a failure.
const LIMIT: Duration = Duration::from_secs(180);

pub(super) enum Verdict {
    Passed,
    /// With the end of what it printed.
    Failed(String),
    /// The test itself never ran, which proves nothing.
    NotRun(String),
}

/// Runs the test, with the named rule switched off.
pub(super) fn run(built: &Built, test: &BuiltTest, mutation: Option<&str>) -> Verdict {
    try_run(built, test, mutation).unwrap_or_else(|error| Verdict::NotRun(format!("{error:#}")))
}

fn try_run(built: &Built, test: &BuiltTest, mutation: Option<&str>) -> Result<Verdict> {
    if test.ignored {
        return Ok(Verdict::NotRun("the test is ignored".to_owned()));
    }
    let printed = tempfile::NamedTempFile::new()?;
    let append = || File::options().append(true).open(printed.path());
    let mut command = Command::new(&test.binary);
    command
        .args(["--exact", &test.path, "--nocapture"])
        .current_dir(&test.folder);
    command
        .stdin(Stdio::null())
        .stdout(append()?)
        .stderr(append()?);
    // What nextest would set, and snapshot tests must not write into the clone.
    command
        .env("NEXTEST", "1")
        .env("CARGO_MANIFEST_DIR", &test.folder)
        .env("INSTA_UPDATE", "no");
    command
        .env("CARGO_BIN_EXE_keystile", &built.program)
        .env("KEYSTILE_BIN", &built.program)
        .env("KEYSTILE_TOOLS", &built.tools_file);
    command
        .env_remove("KEYSTILE_MUTATION")
        .envs(mutation.map(|id| ("KEYSTILE_MUTATION", id)));
    let status = finish(command.process_group(0).spawn()?)?;
    let printed = std::fs::read(printed.path())?;
    Ok(judge(status, &String::from_utf8_lossy(&printed)))
}

/// `None`: it had to be ended.
fn finish(mut child: Child) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // Its own group, so that the servers it started end with it.
    Command::new("kill")
        .args(["-KILL", "--", &format!("-{}", child.id())])
        .status()?;
    child.wait()?;
    Ok(None)
}

fn judge(status: Option<ExitStatus>, printed: &str) -> Verdict {
    let says = |what: &str| printed.contains(what);
    match status {
        None => Verdict::Failed(format!(
            "ended after {} s\n{}",
            LIMIT.as_secs(),
            end_of(printed)
        )),
        Some(status) if status.success() && says("test result: ok. 1 passed; 0 failed") => {
            Verdict::Passed
        }
        Some(_) if says("test result: FAILED. 0 passed; 1 failed") => {
            Verdict::Failed(end_of(printed))
        }
        Some(status) => Verdict::NotRun(format!("no verdict ({status})\n{}", end_of(printed))),
    }
}

fn end_of(printed: &str) -> String {
    let lines: Vec<_> = printed.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
