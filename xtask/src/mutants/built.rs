//! The test binaries of the mutation build, and the tests in them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::cached_tool::nextest;
use crate::workspace::{Workspace, output_of, succeed};

/// All tests of the workspace, built with the feature `mutations`.
///
/// They have a target folder of their own: in the shared one their `keystile` would replace, at the same path, the
/// program that somebody's end-to-end tests are running at that moment.
pub(super) struct Built {
    pub(super) tests: Vec<BuiltTest>,
    /// `keystile`, with mutations; handed to tests that start it.
    pub(super) program: PathBuf,
    /// Where the end-to-end tests read what tools there are.
    pub(super) tools_file: PathBuf,
}

/// One test in one binary.
pub(super) struct BuiltTest {
    /// The binary's id, as nextest names it.
    pub(super) suite: String,
    pub(super) binary: PathBuf,
    /// The folder a test starts in: its package's.
    pub(super) folder: PathBuf,
    /// With modules, as `--exact` wants it.
    pub(super) path: String,
    pub(super) ignored: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Listing {
    rust_suites: BTreeMap<String, Suite>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Suite {
    binary_path: PathBuf,
    cwd: PathBuf,
    testcases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    ignored: bool,
}

impl Built {
    /// Builds these packages, or all, and asks nextest what there is.
    pub(super) fn build(workspace: &Workspace, packages: &[String]) -> Result<Self> {
        let program = match packages {
            [] => program(workspace)?,
            _ => folder(workspace).join("debug/keystile"),
        };
        let mut list = nextest(workspace)?;
        list.env("CARGO_TARGET_DIR", folder(workspace));
        list.args([
            "list",
            "--cargo-quiet",
            "--locked",
            "--features",
            "mutations",
            "--message-format",
            "json",
        ]);
        if packages.is_empty() {
            list.arg("--workspace");
        }
        list.args(packages.iter().flat_map(|package| ["--package", package]));
        let listing = output_of(&mut list)?;
        let listing: Listing =
            serde_json::from_slice(&listing).context("nextest's list has another shape")?;
        let tests = listing.rust_suites.into_iter().flat_map(|(id, suite)| {
            let Suite {
                binary_path,
                cwd,
                testcases,
            } = suite;
            testcases.into_iter().map(move |(path, case)| BuiltTest {
                suite: id.clone(),
                binary: binary_path.clone(),
                folder: cwd.clone(),
                path,
                ignored: case.ignored,
            })
        });
        Ok(Self {
            tests: tests.collect(),
            program,
            tools_file: workspace.tools_file(),
        })
    }

    /// The tests whose function has this name, whatever module or binary it stands in.
    pub(super) fn named(&self, name: &str) -> Vec<&BuiltTest> {
        self.tests
            .iter()
            .filter(|test| test.path.rsplit("::").next() == Some(name))
            .collect()
    }
}

/// `keystile` with the feature `mutations`, built.
pub(crate) fn program(workspace: &Workspace) -> Result<PathBuf> {
    let build = [
        "build",
        "--quiet",
        "--locked",
        "--package",
        "keystile",
        "--features",
        "mutations",
    ];
    succeed(
        workspace
            .cargo(build)
            .env("CARGO_TARGET_DIR", folder(workspace)),
    )?;
    Ok(folder(workspace).join("debug/keystile"))
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("mutations")
}
