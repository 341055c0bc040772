//! `cargo xtask check`: everything that can be said without running a test.

use anyhow::Result;

use crate::steps::Steps;
use crate::workspace::{Workspace, succeed};
use crate::{coverage, deny, deps, filesize, generate, links};

/// Runs all checks, also after one failed.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::default();
    add_to(&mut steps, workspace);
    steps.finish()
}

/// The checks, as steps of a larger run.
pub(crate) fn add_to(steps: &mut Steps, workspace: &Workspace) {
    steps.run("fmt", || {
        succeed(&mut workspace.cargo(["fmt", "--all", "--check"]))
    });
    steps.run("filesize", || filesize::run(workspace));
    steps.run("coverage", || coverage::run(workspace));
    steps.run("links", || links::run(workspace));
    steps.run("deps", || deps::run(workspace));
    steps.run("deny", || deny::run(workspace));
    steps.run("clippy", || {
        let lint = [
            "clippy",
            "--quiet",
            "--locked",
            "--workspace",
            "--all-targets",
            "--keep-going",
            "--",
            "-D",
            "warnings",
        ];
        succeed(&mut workspace.cargo(lint))
    });
    steps.run("clippy, with mutations", || {
        let lint = [
            "clippy",
            "--quiet",
            "--locked",
            "--workspace",
            "--keep-going",
            "--features",
            "mutations",
            "--",
            "-D",
            "warnings",
        ];
        succeed(&mut workspace.cargo(lint))
    });
    steps.run("doc", || {
        let doc = [
            "doc",
            "--quiet",
            "--locked",
            "--workspace",
            "--no-deps",
            "--keep-going",
            "--document-private-items",
        ];
        succeed(workspace.cargo(doc).env("RUSTDOCFLAGS", "-D warnings"))
    });
    steps.run("generate --check", || {
        let options = generate::Options {
            check: true,
            matrix: false,
        };
        generate::run(workspace, &options)
    });
}
