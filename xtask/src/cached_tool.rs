//! Cargo tools that take minutes to build: built once, into the cache outside of the clone.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::workspace::{Workspace, succeed};

/// A tool, pinned: another version is another folder, so two clones never fight over one.
pub(crate) struct CachedTool {
    /// The crate and the program in it.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

/// Licences, bans and sources.
pub(crate) const CARGO_DENY: CachedTool = CachedTool {
    name: "cargo-deny",
    version: "0.20.2",
};

/// The test runner; used only where the machine has none of its own.
pub(crate) const CARGO_NEXTEST: CachedTool = CachedTool {
    name: "cargo-nextest",
    version: "0.9.143",
};

impl CachedTool {
    /// The program's path, built first if this machine has not done so yet.
    ///
    /// Unoptimised: the tool runs for seconds and its optimised build takes ten minutes on two cores.
    pub(crate) fn ensure(&self, workspace: &Workspace) -> Result<PathBuf> {
        let root = workspace
            .cache
            .join("tools")
            .join(format!("{}-{}", self.name, self.version));
        let program = root.join("bin").join(self.name);
        if program.is_file() {
            return Ok(program);
        }
        eprintln!(
            "building {} {} once, into {}",
            self.name,
            self.version,
            root.display()
        );
        let mut install = workspace.cargo([
            "install",
            "--locked",
            "--quiet",
            "--debug",
            "--version",
            self.version,
        ]);
        install
            .args(["--root".as_ref(), root.as_os_str()])
            .arg(self.name);
        install.env("CARGO_TARGET_DIR", workspace.cache.join("tools/build"));
        install.env("CARGO_PROFILE_DEV_DEBUG", "false");
        succeed(&mut install)?;
        Ok(program)
    }
}

/// `cargo nextest`: the machine's own where it has one.
pub(crate) fn nextest(workspace: &Workspace) -> Result<Command> {
    let mut version = workspace.cargo(["nextest", "--version"]);
    let own = version.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let mut command = workspace.cargo(["nextest"]);
    if !own.is_ok_and(|status| status.success()) {
        // A cargo subcommand is a program on the PATH that is told its own name.
        let program = CARGO_NEXTEST.ensure(workspace)?;
        let folder = program.parent().unwrap_or(&program).to_path_buf();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(folder).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path)?);
    }
    Ok(command)
}
