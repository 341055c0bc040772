//! Steps that all run, whatever happened to the one before, and a table at the end that says how each went.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// What a step that runs tests reports.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

/// The steps run so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Done>,
}

struct Done {
    name: &'static str,
    took: Duration,
    counts: Counts,
    failure: Option<String>,
}

impl Steps {
    /// Runs a step that has no tests to count: it passed or it failed.
    pub(crate) fn run(&mut self, name: &'static str, step: impl FnOnce() -> Result<()>) {
        self.count(name, || step().map(|()| Counts::default()));
    }

    /// Runs a step that counts its tests. A step that ends in an error counts as one failure on top of none.
    pub(crate) fn count(&mut self, name: &'static str, step: impl FnOnce() -> Result<Counts>) {
        eprintln!("\n=== {name}");
        let start = Instant::now();
        let outcome = step();
        let took = start.elapsed();
        let (counts, failure) = match outcome {
            Ok(counts) if counts.failed == 0 => (counts, None),
            Ok(counts) => (counts, Some(format!("{} failed", counts.failed))),
            Err(error) => {
                let counts = Counts {
                    passed: 0,
                    failed: 1,
                };
                (counts, Some(format!("{error:#}")))
            }
        };
        if let Some(failure) = &failure {
            eprintln!("=== {name}: FAILED: {failure}");
        }
        self.done.push(Done {
            name,
            took,
            counts,
            failure,
        });
    }

    /// What all steps counted together.
    pub(crate) fn counts(&self) -> Counts {
        self.done
            .iter()
            .fold(Counts::default(), |sum, step| Counts {
                passed: sum.passed + step.counts.passed,
                failed: sum.failed + step.counts.failed,
            })
    }

    /// Prints the table; an error when any step failed.
    pub(crate) fn finish(&self) -> Result<()> {
        eprintln!();
        for Done {
            name,
            took,
            counts,
            failure,
        } in &self.done
        {
            let verdict = if failure.is_some() { "FAILED" } else { "ok" };
            let tests = match counts {
                Counts {
                    passed: 0,
                    failed: 0,
                } => String::new(),
                Counts { passed, failed: 0 } => format!("{passed} passed"),
                Counts { passed, failed } => format!("{passed} passed, {failed} failed"),
            };
            eprintln!(
                "{verdict:>6}  {:>7.1} s  {name:<28} {tests}",
                took.as_secs_f64()
            );
        }
        let failed: Vec<_> = self
            .done
            .iter()
            .filter(|step| step.failure.is_some())
            .collect();
        if failed.is_empty() {
            return Ok(());
        }
        for step in &failed {
            eprintln!(
                "{}: {}",
                step.name,
                step.failure.as_deref().unwrap_or_default()
            );
        }
        bail!("{} of {} steps failed", failed.len(), self.done.len());
    }
}
