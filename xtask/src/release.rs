//! `cargo xtask release`: what ships has none of the test-only switches.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::mutants::built;
use crate::workspace::{Workspace, succeed};

/// Stands in every program that was built with the feature `mutations`: the variable that it reads.
const SWITCH: &[u8] = b"KEYSTILE_MUTATION";

/// Builds both programs; the release build must not hold the switch, and the mutation build must, or the search
/// proves nothing.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    if holds_switch(&build(workspace)?)? {
        bail!("the release build has the feature `mutations`");
    }
    if !holds_switch(&built::program(workspace)?)? {
        bail!(
            "the mutation build does not read KEYSTILE_MUTATION, so its absence elsewhere proves nothing"
        );
    }
    Ok(())
}

/// `keystile` as it ships, built.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let build = [
        "build",
        "--quiet",
        "--locked",
        "--release",
        "--package",
        "keystile",
    ];
    succeed(&mut workspace.cargo(build))?;
    Ok(workspace.target.join("release/keystile"))
}

fn holds_switch(program: &Path) -> Result<bool> {
    let bytes =
        std::fs::read(program).with_context(|| format!("can't read {}", program.display()))?;
    Ok(bytes.windows(SWITCH.len()).any(|window| window == SWITCH))
}
