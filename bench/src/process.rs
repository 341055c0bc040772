//! A server under load, on a core of its own.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// The core of whatever is measured.
pub const SERVER_CORE: &str = "0";
/// The core of the load.
pub const LOAD_CORE: &str = "1";

/// Ended when it is dropped.
pub struct Process(Child);

impl Process {
    /// Starts `program` on [`SERVER_CORE`]; gives its first line, which says that it is ready.
    ///
    /// # Errors
    /// It does not start, or ends without a line.
    pub fn start<S: AsRef<OsStr>>(
        program: &OsStr,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<(Self, String)> {
        let mut command = Command::new("taskset");
        command.args(["-c", SERVER_CORE]).arg(program);
        command.args(arguments).stdout(Stdio::piped());
        command.stderr(Stdio::null());
        let mut child = command.spawn().context("taskset is needed (util-linux)")?;
        let output = child.stdout.take().context("it is piped")?;
        let mut process = Self(child);
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        if line.trim().is_empty() {
            let status = process.0.wait()?;
            bail!("{} did not start: {status}", program.display());
        }
        Ok((process, line))
    }

    /// User and system time so far, in seconds (proc(5), fields 14 and 15; a tick is 10 ms).
    ///
    /// # Errors
    /// It has ended.
    pub fn cpu(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("proc(5) has a parenthesis")?;
        let mut ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: f64 =
            ticks.try_fold(0.0, |sum, field| field.parse().map(|one: f64| sum + one))?;
        Ok(ticks / 100.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended itself; either way it is gone then.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Moves this process to [`LOAD_CORE`]; threads that begin later stay there as well.
///
/// # Errors
/// There is no second core, or no taskset.
pub fn move_to_load_core() -> Result<()> {
    let own = std::process::id().to_string();
    let moved = Command::new("taskset")
        .args(["-a", "-c", "-p", LOAD_CORE, &own])
        .stdout(Stdio::null())
        .status()
        .context("taskset is needed (util-linux)")?;
    ensure!(moved.success(), "the load needs a core of its own");
    Ok(())
}

/// What `cargo xtask bench` hands over.
///
/// # Errors
/// It is not set.
#[expect(
    clippy::disallowed_methods,
    reason = "`cargo xtask bench` hands paths over this way"
)]
pub fn handed_over(name: &str) -> Result<std::path::PathBuf> {
    let path = std::env::var_os(name);
    Ok(path.context("run me as `cargo xtask bench …`")?.into())
}
