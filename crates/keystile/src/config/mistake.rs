//! What is wrong in a configuration, and where.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::failure::Failure;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Mistake {
    pub(crate) place: Place,
    /// What was said and what was expected.
    pub(crate) message: String,
    /// What to do, where the message does not say it.
    pub(crate) help: Option<String>,
}

/// Where something was said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// In the file, both from 1; columns are characters.
    File { line: usize, column: usize },
    /// In an environment variable.
    Variable(String),
    /// Nowhere: something is missing.
    Nowhere,
}

/// Something said is wrong, wherever it was said: in the file, a variable or a flag.
#[derive(Debug)]
pub(crate) struct Problem {
    /// Stable word.
    pub(crate) code: &'static str,
    /// The key that it is about.
    pub(crate) key: &'static str,
    pub(crate) message: String,
    pub(crate) help: String,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::configuration(problem.code, problem.message, problem.help)
    }
}

impl Mistake {
    pub(crate) fn new(place: Place, message: impl Into<String>) -> Self {
        Self {
            place,
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All of them, in the order of the file.
pub(crate) fn failure(mut mistakes: Vec<Mistake>, file: &Path) -> Failure {
    mistakes.sort_by(|one, other| one.place.cmp(&other.place));
    let file_name = file.file_name().unwrap_or_default().to_string_lossy();
    let count = match mistakes.len() {
        1 => "one mistake".to_owned(),
        count => format!("{count} mistakes"),
    };
    let mut text = format!("{} has {count}", file.display());
    for mistake in &mistakes {
        text += &format!("\n  {}", mistake.shown(&file_name));
    }
    Failure::configuration(
        "config",
        text,
        "mend them all and look again with keystile config check; docs/configuration.md has every key",
    )
}

impl Mistake {
    fn shown(&self, file_name: &str) -> String {
        let place = match &self.place {
            Place::File { line, column } => format!("{file_name}:{line}:{column}: "),
            Place::Variable(name) => format!("{name}: "),
            Place::Nowhere => String::new(),
        };
        let help = self.help.as_ref();
        let help = help.map_or(String::new(), |help| format!("\n      {help}"));
        format!("{place}{}{help}", self.message)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown("keystile.toml"))
    }
}
