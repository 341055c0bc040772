//! `cargo xtask test`: everything, and a line at the end that counts it.

mod suites;

use anyhow::Result;
use clap::Args;

pub(crate) use suites::write_matrix;

use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{check, mutants, release, tools};

#[derive(Args, Default)]
pub(crate) struct Options {
    /// Leave out the suites that start real clients, a browser or foreign judges
    #[arg(long)]
    pub(crate) no_e2e: bool,
    /// Leave out the mutation build
    #[arg(long)]
    pub(crate) no_mutants: bool,
}

/// Runs all steps, also after one failed. The last line on standard output is `N passed, N failed`.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut steps = Steps::default();
    if !options.no_e2e {
        steps.run("tools", || tools::ensure(workspace).map(drop));
    }
    check::add_to(&mut steps, workspace);
    steps.count("unit and integration tests", || suites::quick(workspace));
    steps.count("doc tests", || suites::doc(workspace));
    if !options.no_e2e {
        steps.count("real clients, browser, judges", || {
            suites::end_to_end(workspace)
        });
    }
    if !options.no_mutants {
        steps.count("mutations", || {
            mutants::count(workspace, &mutants::Options::default())
        });
        steps.run("release build", || release::run(workspace));
    }
    let outcome = steps.finish();
    let counts = steps.counts();
    println!("{} passed, {} failed", counts.passed, counts.failed);
    outcome
}
