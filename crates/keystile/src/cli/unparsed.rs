//! A command line that can't be understood: it fails in the same shape as every command does.

use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::cli::output;
use crate::failure::Failure;

/// Prints what clap has to say, help and version included, and gives the exit code (DESIGN §2).
pub(super) fn answer(error: &clap::Error) -> ExitCode {
    let code = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that is gone (a closed pipe) wants no answer.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        ErrorKind::InvalidSubcommand => "unknown_command",
        ErrorKind::UnknownArgument => "unknown_argument",
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "missing_command"
        }
        ErrorKind::MissingRequiredArgument => "missing_argument",
        ErrorKind::ArgumentConflict => "conflicting_arguments",
        ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::InvalidUtf8 => {
            "invalid_value"
        }
        _ => "usage",
    };
    let said = error.render();
    let failure = failure(code, &said.to_string());
    if wants_json() {
        output::failure(&failure, true);
    } else {
        let _ = error.print();
        output::line_err(&format!("  code: {code}"));
    }
    ExitCode::from(failure.exit)
}

/// The first paragraph says what is wrong, the others what would be right.
fn failure(code: &str, said: &str) -> Failure {
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    if code == "missing_command" {
        return Failure::usage(code, "there is no command", "see keystile --help");
    }
    let (what, rest) = said.split_once("\n\n").unwrap_or((said, ""));
    let what = what.strip_prefix("error: ").unwrap_or(what);
    Failure::usage(code, line(what), line(rest))
}

/// Nothing was parsed, so the flag is looked for as it stands; after `--` it belongs to another.
fn wants_json() -> bool {
    std::env::args_os()
        .take_while(|word| word != "--")
        .any(|word| word == "--json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clap_says_becomes_one_line_each() {
        let said = "error: the following required arguments were not provided:\n  <URL>\n\nUsage: keystile protect <URL>\n\nFor more information, try '--help'.\n";
        let failure = failure("missing_argument", said);
        assert_eq!(
            failure.message,
            "the following required arguments were not provided: <URL>"
        );
        assert_eq!(
            failure.help,
            "Usage: keystile protect <URL> For more information, try '--help'."
        );
        assert_eq!(failure.exit, 2);
    }
}
