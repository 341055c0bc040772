//! `keystile doctor`: why an attempt failed, and what to do.

use clap::Args;
use keystile_domain::decide::diagnose::advice;
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
    /// one: the latest failed attempts, newest first, one of each reason.
    #[arg(value_name = "REF")]
    reference: Option<String>,
    /// List every failed attempt that is kept.
    #[arg(long, conflicts_with = "reference")]
    all: bool,
    /// List every failed attempt of this reason.
    #[arg(long, value_name = "REASON", conflicts_with = "reference")]
    reason: Option<String>,
}

impl Doctor {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let Some(reference) = self.reference else {
            let mut answer = control::ask(global, Request::FailedAttempts)?;
            let mut none = NONE.to_owned();
            if let (Some(reason), Some(failed)) = (&self.reason, answer.as_array_mut()) {
                let all = failed.len();
                failed.retain(|attempt| attempt["reason"] == reason.as_str());
                if failed.is_empty() {
                    known(reason)?;
                    none = none_of(reason, all);
                }
            }
            let each = self.all || self.reason.is_some();
            return output::answer(global.json, &answer, || list(&answer, each, none));
        };
        let answer = control::ask(global, Request::Explain { reference })?;
        output::answer(global.json, &answer, || {
            match Attempt::deserialize(&answer) {
                Ok(attempt) => told(&attempt, answer["connection"].as_str()),
                Err(_) => answer.to_string(),
            }
        })
    }
}

/// Nothing has failed for this reason: because nothing does, if there is no such name.
fn known(reason: &str) -> Result<(), Failure> {
    if advice::find(reason).is_some() {
        return Ok(());
    }
    Err(Failure::usage(
        "reason_unknown",
        format!("no attempt is kept that failed for {reason}, and no reason here has that name"),
        "take one of the column REASON: keystile doctor",
    ))
}

/// Nothing that is kept failed for this reason, and so much did for another.
fn none_of(reason: &str, others: usize) -> String {
    let others = match others {
        0 => return NONE.to_owned(),
        1 => "1 for another reason".to_owned(),
        others => format!("{others} for other reasons"),
    };
    format!("No attempt that is kept failed for {reason}, and {others}: keystile doctor")
}

/// What is listed where nothing is kept.
const NONE: &str = "No attempt has failed lately.";

/// Each attempt, or the newest of each reason: a flood of one reason hides no other.
fn list(answer: &Value, each: bool, none: String) -> String {
    if answer.as_array().is_some_and(Vec::is_empty) {
        return none;
    }
    let fields = ["reference", "at", "stage", "reason", "client"];
    let all = control::rows(answer, fields);
    let mut rows: Vec<[String; 6]> = Vec::new();
    for [reference, at, stage, reason, client] in all {
        let same = rows.iter().position(|row| row[3] == reason);
        let Some(row) = same.filter(|_| !each).and_then(|at| rows.get_mut(at)) else {
            let at = output::moment_of(&at);
            rows.push([reference, at, stage, reason, "1".to_owned(), client]);
            continue;
        };
        let times = row[4].parse::<u32>().unwrap_or(1);
        row[4] = (times + 1).to_string();
    }
    let some_are_left_out = rows.iter().any(|row| row[4] != "1");
    for row in &mut rows {
        row[4] = match row[4].as_str() {
            "1" => String::new(),
            times => format!("×{times}"),
        };
    }
    let table = output::table(["LAST", "AT", "AT THE", "REASON", "TIMES", "APP"], &rows);
    let more = match some_are_left_out {
        true => "; each of them: keystile doctor --all, or --reason REASON",
        false => "",
    };
    format!("{table}\n\nMore about one of them: keystile doctor REFERENCE{more}")
}

/// One attempt for a person, and whose connection it was, where the database could be asked.
fn told(attempt: &Attempt, connection: Option<&str>) -> String {
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
    lines.extend(attempt.grant.map(|grant| match connection {
        Some(whose) => format!("  connection: {grant} {whose}"),
        None => format!("  connection: {grant}"),
    }));
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
