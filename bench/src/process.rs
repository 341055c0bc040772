//! A server under load, on a core of its own.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// The core of whatever is measured.
pub const SERVER_CORE: &str = "0";
/// The core of the load.
pub const LOAD_CORE: &str = "1";

/// A program that has this core for itself.
pub fn on_core(core: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(program);
    command
}

/// Ended when it is dropped.
pub struct Process(Child);

impl Process {
    /// Starts it.
    ///
    /// # Errors
    /// It is not there, or taskset is not.
    pub fn start(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_owned();
        let started = command.spawn();
        let child = started.with_context(|| format!("{} is needed", program.display()))?;
        Ok(Self(child))
    }

    /// Starts it; gives its first line, which says that it is ready.
    ///
    /// # Errors
    /// It does not start, or ends without a line.
    pub fn ready(command: &mut Command) -> Result<(Self, String)> {
        let mut process = Self::start(command.stdout(Stdio::piped()))?;
        let output = process.0.stdout.take().context("it is piped")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        if line.trim().is_empty() {
            bail!("{command:?} did not start: {}", process.0.wait()?);
        }
        Ok((process, line))
    }

    /// User and system time so far, in seconds.
    ///
    /// # Errors
    /// It has ended.
    pub fn cpu(&self) -> Result<f64> {
        cpu_of(self.0.id())
    }

    /// Resident memory in KiB.
    ///
    /// # Errors
    /// It has ended.
    pub fn resident(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// What it holds of the system at this moment, its database aside: how many readers of that there are is no matter
    /// of who is served.
    ///
    /// # Errors
    /// It has ended.
    pub fn held(&self) -> Result<Held> {
        let of_it = format!("/proc/{}", self.0.id());
        let mut held = Held::default();
        for descriptor in std::fs::read_dir(format!("{of_it}/fd"))? {
            // One that was closed meanwhile is none.
            let target = std::fs::read_link(descriptor?.path()).unwrap_or_default();
            let database = target.to_string_lossy().contains("keystile.db");
            held.descriptors += u64::from(!database);
        }
        for thread in std::fs::read_dir(format!("{of_it}/task"))? {
            let thread = thread?.path();
            let name = std::fs::read_to_string(thread.join("comm")).unwrap_or_default();
            held.threads += u64::from(!name.starts_with("sqlx-"));
            let list = std::fs::read_to_string(thread.join("children")).unwrap_or_default();
            held.children += list.split_whitespace().count() as u64;
        }
        Ok(held)
    }

    /// A number of `/proc/PID/status` (proc(5)).
    fn status(&self, name: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        let number = number.with_context(|| format!("no {name}"))?;
        Ok(number.parse()?)
    }
}

/// What a process holds of the system.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Open files and sockets.
    pub descriptors: u64,
    /// Of its own.
    pub threads: u64,
    /// Processes that it has started and that still run.
    pub children: u64,
}

impl Held {
    /// Whether it is no more than that, of anything, but for so many connections and threads that rest.
    #[must_use]
    pub const fn is_within(self, other: Self, resting: u64) -> bool {
        self.descriptors <= other.descriptors + resting
            && self.threads <= other.threads + resting
            && self.children <= other.children
    }
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            descriptors,
            threads,
            children,
        } = self;
        write!(
            f,
            "{descriptors} descriptors, {threads} threads, {children} children"
        )
    }
}

/// User and system time of a process so far, in seconds (proc(5), fields 14 and 15; a tick is 10 ms).
///
/// # Errors
/// It has ended.
pub fn cpu_of(process: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("proc(5) has a parenthesis")?;
    let mut ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = ticks.try_fold(0.0, |sum, field| field.parse().map(|one: f64| sum + one))?;
    Ok(ticks / 100.0)
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
