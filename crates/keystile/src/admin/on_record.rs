//! Changes and the audit trail: first the word, then the deed.

use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::ports::AuditFailed;

use super::Admin;
use crate::failure::Failure;

impl Admin {
    /// Makes a change that is on record before it is made: a full disk denies it (DESIGN §4). One
    /// that comes to nothing is on record as that, too.
    pub(crate) async fn recorded<T>(
        &self,
        verb: &str,
        object: &str,
        change: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.record(verb, object, None).await.map_err(|error| {
            Failure::failed(
                "audit_unwritable",
                format!("nothing was changed, because it can't be put on record: {error}"),
                "make room on the disk of the data directory and try again",
            )
        })?;
        let made = change.await;
        if let Err(failure) = &made
            && let Err(error) = self.record(verb, object, Some(&failure.code)).await
        {
            tracing::error!(%error, "the audit trail says {verb} {object}, which came to nothing");
        }
        made
    }

    /// Puts a change on record that was made before: what ends somebody's access does not wait, for a
    /// full disk is no reason to leave somebody in.
    pub(super) async fn on_record_afterwards(
        &self,
        verb: &str,
        object: &str,
        done: &str,
    ) -> Result<(), Failure> {
        self.record(verb, object, None).await.map_err(|error| {
            Failure::failed(
                "audit_unwritable",
                format!("{done}, but the audit trail has no word of it: {error}"),
                "make room on the disk of the data directory",
            )
        })
    }

    pub(super) async fn record(
        &self,
        verb: &str,
        object: &str,
        failed: Option<&str>,
    ) -> Result<(), AuditFailed> {
        let outcome = match failed {
            None => Outcome::Allow,
            Some(_) => Outcome::Deny,
        };
        let event = Event {
            method: Some(verb),
            name: (!object.is_empty()).then_some(object),
            reason: failed,
            ..Event::new(self.clock.now(), Action::Administration, outcome)
        };
        self.audit.record(&event).await
    }
}
