//! What is generally expected, and what to do: one line for each name that log and doctor may show.

mod authorization;
mod clients;
mod codes;
mod gateway;
mod grants;
mod pages;
mod requests;

/// What goes with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// The stable name, or its beginning when it ends in `*`.
    pub reason: &'static str,
    /// What would have been right.
    pub expected: &'static str,
    /// What to do, for whom.
    pub fix: &'static str,
}

/// What to do about anything else.
pub const ANY_FIX: &str = "Start connecting again from the app. If it fails again in the same way, \
                           the fault is the app's: tell its maker what was expected and found.";

/// Every line by what it is about, in the order in which they are looked at: what `docs/failures.md` is made of.
pub const SUBJECTS: [(&str, &[Advice]); 7] = [
    (
        "Authorization requests: PKCE, redirects, resources",
        authorization::LINES,
    ),
    ("Codes, devices and refresh tokens", grants::LINES),
    ("Clients and their registration", clients::LINES),
    (
        "Access tokens, MCP messages and the servers behind",
        gateway::LINES,
    ),
    ("Addresses, bodies and methods", requests::LINES),
    ("Pages", pages::LINES),
    ("OAuth's own codes, where nothing above fits", codes::LINES),
];

/// Every line. Each name that is given anywhere has one; a test looks (`tests/advice.rs`).
pub fn all() -> impl Iterator<Item = &'static Advice> {
    SUBJECTS.into_iter().flat_map(|(_, lines)| lines)
}

/// The advice for a name; the first that fits.
#[must_use]
pub fn find(reason: &str) -> Option<&'static Advice> {
    all().find(|advice| match advice.reason.strip_suffix('*') {
        Some(beginning) => reason.starts_with(beginning),
        None => advice.reason == reason,
    })
}

/// The advice for a name, or for anything.
#[must_use]
pub fn of(reason: &str) -> Advice {
    find(reason).copied().unwrap_or(Advice {
        reason: "",
        expected: "",
        fix: ANY_FIX,
    })
}

const fn on(reason: &'static str, expected: &'static str, fix: &'static str) -> Advice {
    Advice {
        reason,
        expected,
        fix,
    }
}

const SAME_RESOURCE: &str = "Give the app exactly the MCP URL that Keystile prints, remove the old connection and sign in again.";
const CLIENT_SIDE: &str = "The fault is in the app's code: tell its maker.";
const SIGN_IN_AGAIN: &str = "Connect again from the app: it signs in anew.";
