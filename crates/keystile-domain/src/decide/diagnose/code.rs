//! Authorization codes that are refused. Of a code's text nothing is shown but its kind and length (CHECKLIST A-031).

use super::Diagnosis;
use crate::ids::GrantId;
use crate::secrets::code::{AUTHORIZATION_CODE, CODE_LENGTH};
use crate::secrets::kind_of;

/// The reason of a spent code that came again, otherwise than it is redeemed.
pub const REUSED_WRONGLY: &str = "code_reused_wrongly";

/// The reason of a code that was spent before, and came again as it is redeemed.
pub const REUSED: &str = "code_reused";

/// A code that gave its tokens before and came again, with something wrong besides. For log and doctor: whoever shows it
/// may be anybody, and nothing was changed (CHECKLIST A-019).
#[must_use]
pub fn reused_wrongly(grant: GrantId, wrong: Diagnosis) -> Diagnosis {
    if wrong.reason == REUSED_WRONGLY {
        return wrong;
    }
    let found = format!(
        "The code gave its tokens before, and this request does not repeat that one ({}). {}",
        wrong.reason, wrong.found
    );
    let diagnosis = Diagnosis::named(REUSED_WRONGLY, found).filled("GRANT_ID", &grant.to_string());
    Diagnosis {
        fix: format!("{} {}", diagnosis.fix, wrong.fix),
        ..diagnosis
    }
}

/// A text that no code of this server can be, by what its form shows. The client knows what it sent.
#[must_use]
pub fn damaged(text: &str) -> Diagnosis {
    let length = text.chars().count();
    // Quotation marks, white space or an escape may stand before it, and its underscore may be an escape.
    let beginning = AUTHORIZATION_CODE.trim_end_matches('_');
    let at = text.to_ascii_lowercase().find(beginning);
    if at.is_none_or(|at| at > FARTHEST) {
        let what = match kind_of(text) {
            Some(kind) => format!("The code that came begins as {kind} of Keystile does"),
            None => format!("The code that came does not begin with {AUTHORIZATION_CODE}"),
        };
        return Diagnosis::named(
            "code_not_ours",
            format!("{what}; it has {length} characters."),
        );
    }
    let legal = |char: char| char.is_ascii_alphanumeric() || "-_".contains(char);
    let strange = text.chars().filter(|char| !legal(*char)).count();
    let what = if text.contains('%') {
        "a % stands in it, so it was percent-encoded once too often".to_owned()
    } else if text.trim() != text {
        "white space stands before or behind it".to_owned()
    } else if text.contains(char::is_whitespace) {
        "white space stands in it".to_owned()
    } else if strange > 0 {
        format!("characters stand in it that no code has ({strange})")
    } else if !text.starts_with(AUTHORIZATION_CODE) {
        "its beginning was changed: other characters, or upper and lower case".to_owned()
    } else if length < CODE_LENGTH {
        "it was cut off".to_owned()
    } else {
        "something else stands behind it".to_owned()
    };
    let found = format!("The code that came has {length} characters of {CODE_LENGTH}, and {what}.");
    Diagnosis::named("code_damaged", found)
}

/// So many bytes may stand before a code that is still known as one.
const FARTHEST: usize = 6;

/// A code of the right form that nobody has here (any more).
#[must_use]
pub fn unknown() -> Diagnosis {
    Diagnosis::named(
        "code_unknown",
        format!(
            "The code that came has the right form and all {CODE_LENGTH} characters, and is not in this database."
        ),
    )
}
