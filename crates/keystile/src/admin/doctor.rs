//! What is known of attempts, for `keystile doctor`.

use std::time::Duration;

use keystile_domain::flow::{Attempt, FlowBook, KEPT_FAILED, KEPT_GOING, MOST_FAILED, MOST_GOING};
use keystile_domain::ids::GrantId;
use keystile_domain::secrets::reference::Reference;
use keystile_domain::time::Timestamp;
use serde_json::{Value, json};

use super::{Admin, Request};
use crate::failure::Failure;

impl Admin {
    /// One attempt, with whose connection it was: its trace has ids only.
    pub(super) async fn explain(&self, reference: &str) -> Result<Value, Failure> {
        let attempts = self.attempts();
        let attempt = attempts.find(reference)?;
        let mut told = json!(attempt);
        if let Some(grant) = attempt.grant {
            told["connection"] = json!(self.connection(grant).await);
        }
        Ok(told)
    }

    /// Whose a connection is and how it stands; `None` where the database does not say.
    async fn connection(&self, grant: GrantId) -> Option<String> {
        let (whose, ended) = match self.grants.lookup(grant).await.ok()? {
            Some(record) => {
                let (person, client) = (&record.person_name, &record.client_name);
                (format!("of {person} with {client}"), record.revoked_why)
            }
            None => {
                let own = self.service_grants.lookup(grant).await.ok()??;
                (format!("of {} itself", own.client_name), own.revoked_why)
            }
        };
        Some(match ended {
            Some(why) => format!("{whose}; it was ended: {why}"),
            None => whose,
        })
    }
}

/// What is known, to whoever asks.
pub(crate) struct Known<'a> {
    pub(crate) flows: &'a FlowBook,
    pub(crate) now: Timestamp,
    /// A process serves: attempts that did not fail are known, too.
    pub(crate) serving: bool,
}

impl Known<'_> {
    /// The answer to a question about attempts; `None` for any other request.
    pub(crate) fn answer(&self, request: &Request) -> Option<Result<Value, Failure>> {
        match request {
            Request::Explain { reference } => {
                Some(self.find(reference).map(|attempt| json!(attempt)))
            }
            Request::FailedAttempts => Some(Ok(self.failed_attempts())),
            _ => None,
        }
    }

    /// One attempt, step by step.
    fn find(&self, text: &str) -> Result<Attempt, Failure> {
        let said = text.trim().to_uppercase();
        let whole = match said.starts_with("KS-") {
            true => said,
            false => format!("KS-{said}"),
        };
        let reference: Reference = whole.parse().map_err(|error| {
            let help = "copy it from the page, from error_description or from the log";
            Failure::usage("reference", format!("{text}: {error}"), help)
        })?;
        let found = self.flows.lookup(&reference, self.now);
        found.ok_or_else(|| {
            let days = KEPT_FAILED.as_secs() / 86_400;
            let others = if self.serving {
                let minutes = KEPT_GOING.as_secs() / Duration::from_secs(60).as_secs();
                format!("; the latest {MOST_GOING} others for {minutes} minutes")
            } else {
                "; others only while keystile serves".to_owned()
            };
            Failure::failed(
                "reference_unknown",
                format!(
                    "nothing is known of {reference}; the latest {MOST_FAILED} failed attempts are kept for {days} days{others}"
                ),
                "let it happen again and use the new reference, or see the latest: keystile doctor; the audit trail keeps the reference longer",
            )
        })
    }

    /// All failed attempts that are kept, newest first.
    pub(super) fn failed_attempts(&self) -> Value {
        let failed = self.flows.failed(self.now);
        let lines = failed.iter().rev().filter_map(|attempt| {
            let (step, diagnosis) = attempt.failure()?;
            Some(json!({
                "reference": attempt.reference,
                "at": step.at,
                "stage": step.stage,
                "reason": diagnosis.reason,
                "client": attempt.client,
                "resource": attempt.resource,
                "found": diagnosis.found,
            }))
        });
        Value::Array(lines.collect())
    }
}
