//! What a command ends in when it fails: a stable code, a sentence, what to do, an exit code.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A command failed; nothing is half done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// Stable word, for scripts and searches.
    pub(crate) code: String,
    /// What happened and what was expected.
    pub(crate) message: String,
    /// What to do now.
    pub(crate) help: String,
    /// 1 failed, 2 usage, 78 configuration (DESIGN §2).
    pub(crate) exit: u8,
}

impl Failure {
    /// Something failed while doing what was asked.
    pub(crate) fn failed(code: &str, message: impl fmt::Display, help: impl fmt::Display) -> Self {
        Self::new(1, code, message, help)
    }

    /// What was asked makes no sense: an argument that clap can't judge.
    pub(crate) fn usage(code: &str, message: impl fmt::Display, help: impl fmt::Display) -> Self {
        Self::new(2, code, message, help)
    }

    /// The installation or its settings are wrong.
    pub(crate) fn configuration(
        code: &str,
        message: impl fmt::Display,
        help: impl fmt::Display,
    ) -> Self {
        Self::new(78, code, message, help)
    }

    fn new(exit: u8, code: &str, message: impl fmt::Display, help: impl fmt::Display) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_string(),
            help: help.to_string(),
            exit,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "error: {}\n  help: {}\n  code: {}",
            self.message, self.help, self.code
        )
    }
}

impl std::error::Error for Failure {}
