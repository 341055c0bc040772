//! `cargo xtask mutants`: each row's test has been seen to fail.
//!
//! All tests are built once with the feature `mutations`. A row's test then runs twice, directly: as it is, and with
//! `KEYSTILE_MUTATION=<id>`, which switches the row's rule off. It must pass, then fail.

pub(crate) mod built;
mod run_test;

use std::collections::BTreeMap;
use std::sync::Mutex;

use anyhow::Result;
use clap::Args;

use crate::coverage::table::{Proof, Row, Table};
use crate::steps::Counts;
use crate::workspace::Workspace;
use built::{Built, BuiltTest};
use run_test::Verdict;

#[derive(Args, Default)]
pub(crate) struct Options {
    /// Only rows whose id or test contains one of these (any case)
    pub(crate) rows: Vec<String>,
    /// Build only these packages, and look only at the rows with tests in them
    #[arg(long = "package", short = 'p')]
    pub(crate) packages: Vec<String>,
}

/// Proves each wanted row; the error names those whose test survived, and everything else that is wrong.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<Counts> {
    let counts = count(workspace, options)?;
    anyhow::ensure!(
        counts.failed == 0,
        "{} of {} rows are not proven",
        counts.failed,
        counts.failed + counts.passed
    );
    Ok(counts)
}

/// The same, counting failures instead of ending in an error.
pub(crate) fn count(workspace: &Workspace, options: &Options) -> Result<Counts> {
    let table = Table::read(workspace)?;
    let built = Built::build(workspace, &options.packages)?;
    let mut rows = table.rows;
    rows.retain(|row| options.wants(row));
    if !options.packages.is_empty() {
        rows.retain(|row| !built.named(&row.test).is_empty());
    }
    let verdicts = prove_all(&rows, &built);
    let mut counts = Counts::default();
    for (row, wrong) in rows.iter().zip(verdicts) {
        match wrong {
            None => counts.passed += 1,
            Some(wrong) => {
                counts.failed += 1;
                eprintln!("{} {}: {wrong}", row.id, row.test);
            }
        }
    }
    eprintln!("{} rows proven, {} not", counts.passed, counts.failed);
    Ok(counts)
}

impl Options {
    fn wants(&self, row: &Row) -> bool {
        let holds = |text: &str, part: &String| text.to_lowercase().contains(&part.to_lowercase());
        self.rows.is_empty()
            || self
                .rows
                .iter()
                .any(|part| holds(&row.id, part) || holds(&row.test, part))
    }
}

/// What is wrong with each row, in the rows' order; as many at a time as there are cores.
fn prove_all(rows: &[Row], built: &Built) -> Vec<Option<String>> {
    let found = Mutex::new(BTreeMap::new());
    let waiting = Mutex::new(rows.iter().enumerate());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some((at, row)) = next(&waiting) {
                    let wrong = prove(row, built);
                    found.lock().expect("no worker panics").insert(at, wrong);
                }
            });
        }
    });
    found
        .into_inner()
        .expect("no worker panics")
        .into_values()
        .collect()
}

fn next<'a>(waiting: &Mutex<impl Iterator<Item = (usize, &'a Row)>>) -> Option<(usize, &'a Row)> {
    waiting.lock().expect("no worker panics").next()
}

/// `None` when the row is proven.
fn prove(row: &Row, built: &Built) -> Option<String> {
    match &row.proof {
        Proof::Mutation(id) => each(&row.test, built, |test| {
            passes(built, test)?;
            match run_test::run(built, test, Some(id)) {
                Verdict::Failed(_) => Ok(()),
                Verdict::Passed => Err(format!("SURVIVED: it passes with KEYSTILE_MUTATION={id}")),
                Verdict::NotRun(why) => Err(why),
            }
        }),
        Proof::Twin(twin) => {
            let pass = |test: &BuiltTest| passes(built, test);
            each(&row.test, built, pass).or_else(|| each(twin, built, pass))
        }
    }
}

/// Asks this of each built test of that name; there must be one.
fn each(
    name: &str,
    built: &Built,
    ask: impl Fn(&BuiltTest) -> Result<(), String>,
) -> Option<String> {
    let tests = built.named(name);
    if tests.is_empty() {
        return Some(format!("no built test has the name {name}"));
    }
    tests.iter().find_map(|test| {
        ask(test)
            .err()
            .map(|wrong| format!("{} in {}: {wrong}", test.path, test.suite))
    })
}

fn passes(built: &Built, test: &BuiltTest) -> Result<(), String> {
    match run_test::run(built, test, None) {
        Verdict::Passed => Ok(()),
        Verdict::Failed(output) => Err(format!("it fails as it is\n{output}")),
        Verdict::NotRun(why) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A test binary whose test does what the script says, and the row that it should prove.
    fn verdict(script: &str, proof: &str) -> Option<String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let binary = folder.path().join("tests");
        std::fs::write(&binary, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(&binary, Permissions::from_mode(0o700)).expect("executable");
        let test = BuiltTest {
            suite: "suite".to_owned(),
            binary,
            folder: folder.path().to_path_buf(),
            path: "module::a_015_x".to_owned(),
            ignored: false,
        };
        let built = Built {
            tests: vec![test],
            program: "/nowhere".into(),
            tools_file: "/nowhere".into(),
        };
        let table = Table::parse(&format!("| A-015 | a_015_x | src | {proof} |"));
        prove(&table.rows[0], &built)
    }

    const PASS: &str = "echo 'test result: ok. 1 passed; 0 failed; 0 ignored'";
    const FAIL: &str = "echo 'test result: FAILED. 0 passed; 1 failed; 0 ignored'; exit 101";

    #[test]
    fn a_test_that_fails_only_with_its_mutation_proves_its_row() {
        let script = format!("if [ \"$KEYSTILE_MUTATION\" = a_015 ]; then {FAIL}; else {PASS}; fi");
        assert_eq!(verdict(&script, "mutation a_015"), None);
        assert!(verdict(&script, "mutation a_016").is_some_and(|wrong| wrong.contains("SURVIVED")));
    }

    #[test]
    fn a_test_that_fails_anyway_or_never_runs_proves_nothing() {
        let wrong = verdict(FAIL, "mutation a_015").expect("not proven");
        assert!(wrong.contains("fails as it is"), "{wrong}");
        let script = format!("if [ -n \"$KEYSTILE_MUTATION\" ]; then exit 1; else {PASS}; fi");
        let wrong = verdict(&script, "mutation a_015").expect("not proven");
        assert!(wrong.contains("no verdict"), "{wrong}");
        let wrong = verdict(
            "echo 'test result: ok. 0 passed; 0 failed'",
            "mutation a_015",
        )
        .expect("not proven");
        assert!(wrong.contains("no verdict"), "{wrong}");
    }

    #[test]
    fn a_twin_must_be_there() {
        assert_eq!(verdict(PASS, "twin a_015_x"), None);
        let wrong = verdict(PASS, "twin nobody").expect("not proven");
        assert!(
            wrong.contains("no built test has the name nobody"),
            "{wrong}"
        );
    }
}
