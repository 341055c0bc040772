//! What nearly every request could have said, said seldom.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use keystile_domain::time::Timestamp;

/// How long the same is not said again.
const PAUSE: Duration = Duration::from_secs(60);

/// The most that is said of one kind in a pause: whoever makes values up leaves the other kinds theirs.
const MOST_OF_ONE_KIND: usize = 4;

/// What was said lately.
#[derive(Default)]
pub(super) struct Seldom(Mutex<Vec<Said>>);

struct Said {
    kind: String,
    value: String,
    at: Timestamp,
}

impl Seldom {
    /// Whether this is to be said now; then it counts as said.
    pub(super) fn is_due(&self, kind: &str, value: &str, now: Timestamp) -> bool {
        // Whoever panicked left whole entries.
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|it| it.at <= now && now.since(it.at) < PAUSE);
        let same_kind = said.iter().filter(|it| it.kind == kind);
        let again = same_kind.clone().any(|it| it.value == value);
        let due = !again && same_kind.count() < MOST_OF_ONE_KIND;
        if due {
            said.push(Said {
                kind: kind.to_owned(),
                value: value.to_owned(),
                at: now,
            });
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_and_value_is_said_once_in_a_while_and_of_one_kind_only_a_few() {
        let seldom = Seldom::default();
        let due = |kind: &str, value: &str, seconds: i64| {
            seldom.is_due(kind, value, Timestamp(seconds * 1_000))
        };
        assert!(due("host", "a", 0) && due("host", "b", 1) && due("scheme", "a", 1));
        assert!(!due("host", "a", 2) && !due("scheme", "a", 2));
        // Somebody makes hosts up: the other kinds still have their turn.
        let made_up = (0..100).filter(|number| due("host", &number.to_string(), 3));
        assert_eq!(made_up.count(), 2);
        assert!(due("port", "a", 4));
        assert!(!due("host", "a", 59) && due("host", "a", 60), "anew");
        // A clock that is set back silences nothing.
        assert!(due("host", "a", -1_000));
    }
}
