//! Sessions that were found lately. A person who answers a page or two is looked up once.

use std::collections::HashMap;

use keystile_domain::records::{PersonRecord, SessionRecord};
use keystile_domain::secrets::digest::Digest;
use parking_lot::Mutex;

/// What was read of sessions and people since the last commit that may have changed any of them.
#[derive(Default)]
pub(crate) struct FoundSessions(Mutex<Found>);

#[derive(Default)]
struct Found {
    /// Grows with each such commit.
    changes: u64,
    sessions: HashMap<Digest, (SessionRecord, PersonRecord)>,
}

/// When a look into the database began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Began(u64);

impl FoundSessions {
    /// The session, if it is known; else what [`keep`](Self::keep) wants to know afterwards.
    pub(crate) fn find(&self, digest: &Digest) -> Result<(SessionRecord, PersonRecord), Began> {
        let found = self.0.lock();
        let known = found.sessions.get(digest);
        known.cloned().ok_or(Began(found.changes))
    }

    /// Keeps what was read, unless something was committed since the look began: it may be what was before.
    pub(crate) fn keep(&self, began: Began, session: &SessionRecord, person: &PersonRecord) {
        let mut found = self.0.lock();
        if found.changes != began.0 {
            return;
        }
        if found.sessions.len() >= MOST {
            found.sessions.clear();
        }
        found
            .sessions
            .insert(session.digest, (session.clone(), person.clone()));
    }

    /// After a commit, and before anybody hears of it.
    pub(crate) fn forget(&self) {
        let mut found = self.0.lock();
        found.changes += 1;
        found.sessions.clear();
    }
}

/// About 4 MiB.
const MOST: usize = 8_192;

#[cfg(test)]
mod tests {
    use keystile_domain::ids::PersonId;
    use keystile_domain::time::Timestamp;

    use super::*;

    fn read() -> (SessionRecord, PersonRecord) {
        let id: PersonId = "01990000-0000-7000-8000-000000000001".parse().unwrap();
        let session = SessionRecord {
            digest: Digest::of("cookie"),
            person: id,
            created_at: Timestamp(0),
            expires_at: Timestamp(1),
        };
        let person = PersonRecord {
            id,
            name: "alice".to_owned(),
            password_hash: String::new(),
            created_at: Timestamp(0),
            disabled_at: None,
        };
        (session, person)
    }

    #[test]
    fn what_was_read_before_a_commit_is_not_kept_after_it() {
        let found = FoundSessions::default();
        let (session, person) = read();
        let began = found.find(&session.digest).unwrap_err();
        found.forget();
        found.keep(began, &session, &person);
        let again = found.find(&session.digest).unwrap_err();
        found.keep(again, &session, &person);
        assert!(found.find(&session.digest).is_ok());
        found.forget();
        assert!(found.find(&session.digest).is_err());
    }
}
