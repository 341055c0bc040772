//! The real binary, serving on a free port out of a data directory of its own.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::process::Command;
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use super::process::Process;

/// The one account that there is.
pub(crate) const NAME: &str = "alice";
/// Its password.
pub(crate) const PASSWORD: &str = "kelp-lantern-ostrich-42";

/// A running `keystile`.
pub(crate) struct Gate {
    data: TempDir,
    process: Process,
    ready: Value,
}

impl Gate {
    /// Starts `keystile COMMAND… --port 0 --json FLAGS`, or without a port where the flags say where to listen;
    /// `arguments` begin with the command.
    pub(crate) fn start<S: AsRef<OsStr>>(arguments: &[S]) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory can be made");
        let log = File::create(data.path().join("test.log")).expect("it was just made");
        let (command, rest) = arguments.split_first().expect("a command");
        let mut keystile = keystile(&data);
        keystile.arg(command).args(["--ops-listen", "127.0.0.1:0"]);
        if rest.iter().all(|flag| flag.as_ref() != "--listen") {
            keystile.args(["--port", "0"]);
        }
        let mut process = Process::start(keystile.args(rest).stderr(log));
        let Some(line) = process.line() else {
            let status = process.stop();
            panic!(
                "keystile ended with {status} before it was ready:\n{}",
                read_log(&data)
            );
        };
        let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
        Self {
            data,
            process,
            ready,
        }
    }

    /// What it printed when it was ready: `mcp_url`, `issuer`, …
    pub(crate) fn said(&self, name: &str) -> &str {
        let said = self.ready[name].as_str();
        said.unwrap_or_else(|| panic!("no {name} in {}", self.ready))
    }

    /// Makes an account for [`NAME`].
    pub(crate) fn with_account(self) -> Self {
        let mut command = keystile(&self.data);
        let mut process = Process::start(command.args(["user", "add", NAME, "--password-stdin"]));
        process.say(PASSWORD);
        let status = process.finish();
        assert!(status.success(), "`keystile user add` ended with {status}");
        self
    }

    /// Runs another `keystile` command on the same data directory and gives its answer.
    pub(crate) fn administer(&self, arguments: &[&str]) -> Value {
        let output = keystile(&self.data)
            .args(arguments)
            .output()
            .expect("keystile starts");
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "keystile {arguments:?} ended with {}: {stdout}{stderr}",
            output.status
        );
        serde_json::from_str(&stdout)
            .unwrap_or_else(|error| panic!("keystile {arguments:?} printed {stdout}: {error}"))
    }

    /// What it wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        read_log(&self.data)
    }

    /// Stops it as an operator would.
    pub(crate) fn stop(mut self) {
        let status = self.process.stop();
        assert!(
            status.success(),
            "a gate that is asked to stop ends well, not with {status}"
        );
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(20_000);
            let tail = log.get(tail..).unwrap_or(&log);
            let _ = writeln!(std::io::stderr(), "--- log of keystile\n{tail}");
        }
    }
}

fn keystile(data: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keystile"));
    // It makes the folder itself, with the mode that it wants.
    command
        .args(["--json", "--data-dir"])
        .arg(data.path().join("data"));
    command
}

fn read_log(data: &TempDir) -> String {
    std::fs::read_to_string(data.path().join("test.log")).unwrap_or_default()
}
