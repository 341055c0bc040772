//! `cargo xtask deny`: what may come in from outside (`deny.toml`).

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cached_tool::CARGO_DENY;
use crate::workspace::{Workspace, succeed};

/// Licences, bans and sources always; advisories where a local copy of the database exists, because a build machine may
/// reach the package registries and nothing else.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let program = CARGO_DENY.ensure(workspace)?;
    let deny = |global: &[&str], checks: &[&str]| {
        let mut command = Command::new(&program);
        command
            .current_dir(&workspace.root)
            .args(["--workspace", "--locked"])
            .args(global);
        command
            .args(["check", "--hide-inclusion-graph"])
            .args(checks);
        succeed(&mut command)
    };
    deny(&[], &["licenses", "bans", "sources"])?;
    if advisory_database().is_some() {
        return deny(&["--offline"], &["advisories"]);
    }
    eprintln!(
        "advisories NOT checked: no local copy of the database (`cargo deny fetch db` makes one)"
    );
    Ok(())
}

fn advisory_database() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")))?;
    let folder = home.join("advisory-dbs");
    let filled = std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
    filled.then_some(folder)
}
