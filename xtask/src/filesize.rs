//! `cargo xtask filesize`: files that read from the top to the end.

use anyhow::{Result, bail};

use crate::workspace::Workspace;

/// A Rust file may not be longer.
const STOP: usize = 600;

/// A Rust file longer than this is listed, so that somebody thinks of splitting it.
const TALK: usize = 400;

/// Files that may be longer than [`STOP`], each with the reason.
const ALLOWED: &[(&str, &str)] = &[];

/// Lists the files worth a talk; an error names those over the stop, and entries of the allow-list that need none.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut too_long = Vec::new();
    let mut idle: Vec<_> = ALLOWED.iter().map(|(path, _)| *path).collect();
    for path in workspace.rust_files()? {
        let lines = workspace.read(&path)?.lines().count();
        let path = path.to_string_lossy();
        let reason = ALLOWED
            .iter()
            .find(|(allowed, _)| *allowed == path)
            .map(|(_, reason)| reason);
        match (lines, reason) {
            (..=TALK, _) => {}
            (..=STOP, _) => eprintln!("{lines:>5} lines  {path}"),
            (_, Some(reason)) => {
                idle.retain(|allowed| *allowed != path);
                eprintln!("{lines:>5} lines  {path} (allowed: {reason})");
            }
            (_, None) => too_long.push(format!(
                "{path} has {lines} lines; split it, {STOP} is the most"
            )),
        }
    }
    too_long.extend(
        idle.into_iter()
            .map(|path| format!("{path} is in the allow-list and does not need to be")),
    );
    if !too_long.is_empty() {
        bail!("{}", too_long.join("\n"));
    }
    Ok(())
}
