//! `keystile doctor`: why an attempt failed, and what to do.

use clap::Args;
use keystile_domain::flow::{Attempt, Step};
use keystile_domain::shown;
use keystile_domain::time::Timestamp;
use serde::Deserialize as _;
use serde_json::Value;

use crate::admin::Request;
use crate::cli::{Global, output};
use crate::control;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The reference of an attempt, as the page, `error_description` and the log show it. Without
    /// one: the latest failed attempts, newest first.
    #[arg(value_name = "REF")]
    reference: Option<String>,
}

impl Doctor {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let Some(reference) = self.reference else {
            let answer = control::ask(global, Request::FailedAttempts)?;
            return output::answer(global.json, &answer, || list(&answer));
        };
        let answer = control::ask(global, Request::Explain { reference })?;
        output::answer(global.json, &answer, || {
            match Attempt::deserialize(&answer) {
                Ok(attempt) => told(&attempt),
                Err(_) => answer.to_string(),
            }
        })
    }
}

fn list(answer: &Value) -> String {
    if answer.as_array().is_some_and(Vec::is_empty) {
        return "No attempt has failed lately.".to_owned();
    }
    let fields = ["reference", "at", "stage", "reason", "client"];
    let mut rows = control::rows(answer, fields);
    for row in &mut rows {
        row[1] = output::moment_of(&row[1]);
    }
    let table = output::table(["REFERENCE", "AT", "AT THE", "REASON", "APP"], &rows);
    format!("{table}\n\nMore about one of them: keystile doctor REFERENCE")
}

/// One attempt for a person.
fn told(attempt: &Attempt) -> String {
    let mut lines = vec![format!(
        "{}, {}",
        attempt.reference,
        output::moment(attempt.begun_at)
    )];
    for (name, value) in [
        ("app", &attempt.client),
        ("redirect", &attempt.redirect_uri),
        ("resource", &attempt.resource),
    ] {
        lines.extend(value.as_ref().map(|value| format!("  {name}: {value}")));
    }
    lines.push(String::new());
    for (index, step) in attempt.steps.iter().enumerate() {
        lines.extend(step_lines(index + 1, step, attempt.begun_at));
    }
    if attempt.left_out > 0 {
        lines.push(format!(
            "  ({} steps in the middle are left out)",
            attempt.left_out
        ));
    }
    lines.push(String::new());
    lines.push(match attempt.failure() {
        Some((_, diagnosis)) => format!("What to do: {}", diagnosis.fix.trim()),
        None => "Nothing of it failed so far.".to_owned(),
    });
    let lines: Vec<_> = lines.iter().map(|line| shown::line(line)).collect();
    lines.join("\n")
}

fn step_lines(number: usize, step: &Step, begun_at: Timestamp) -> Vec<String> {
    let after = step.at.since(begun_at).as_secs();
    let title = step.stage.title();
    let Some(diagnosis) = &step.refused else {
        return vec![format!("{number:3}. +{after} s  {title}: {}", step.note)];
    };
    let mut lines = vec![format!(
        "{number:3}. +{after} s  {title}: REFUSED ({})",
        diagnosis.reason
    )];
    for (name, text) in [
        ("expected", &diagnosis.expected),
        ("found", &diagnosis.found),
        ("to do", &diagnosis.fix),
    ] {
        if !text.is_empty() {
            lines.push(format!("       {name}: {}", text.trim()));
        }
    }
    lines
}
