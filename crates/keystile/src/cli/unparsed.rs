//! A command line that can't be understood: it fails in the same shape as every command does.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::output;
use crate::cli::protect::is_runner;
use crate::failure::Failure;

/// Prints what clap has to say, help and version included, and gives the exit code (DESIGN §2).
pub(super) fn answer(mut error: clap::Error) -> ExitCode {
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
    if let Some(meant) = command_without_dashes(std::env::args().skip(1)) {
        let tip = format!("a command goes after --: {meant}");
        let tip = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tip);
    }
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

/// What `keystile protect npx -y some-server` was meant to be.
fn command_without_dashes(words: impl Iterator<Item = String>) -> Option<String> {
    let words: Vec<String> = words.skip_while(|word| word != "protect").collect();
    let command = words.iter().position(|word| is_runner(word))?;
    let (ours, theirs) = words.split_at(command);
    let forgotten = !ours.iter().any(|word| word == "--");
    forgotten.then(|| format!("keystile {} -- {}", ours.join(" "), theirs.join(" ")))
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
    fn a_command_goes_after_two_dashes() {
        let meant = |line: &str| command_without_dashes(line.split(' ').map(str::to_owned));
        assert_eq!(
            meant("--json protect --port 0 npx -y some-server").as_deref(),
            Some("keystile protect --port 0 -- npx -y some-server")
        );
        assert_eq!(meant("protect --frob -- npx -y some-server"), None);
        assert_eq!(meant("protect --frob http://127.0.0.1:3000/mcp"), None);
    }

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
