//! The approval of a person: a grant with its code, in one statement.

use keystile_domain::records::{Approval, Approved};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::failure::Failure;
use crate::writer::SharedVerb;

pub(crate) struct Approve(pub(crate) Approval);

impl SharedVerb for Approve {
    type Answer = Approved;
}

/// One row of what goes in: grant, transaction and person; client's id, name and whether it proves who it is; resource and
/// scopes; beginning and end of the grant; the code's digest, redirect URI, challenge and end. Bytes are in hex.
#[derive(Serialize)]
pub(super) struct Given<'a>(
    String,
    String,
    String,
    (&'a str, &'a str, bool),
    (&'a str, String),
    (i64, i64),
    (String, &'a str, String, i64),
);

/// A grant that was made: its id, and the transaction that it answers.
#[derive(Deserialize, PartialEq, Eq, Hash)]
pub(super) struct Made(String, String);

impl Approve {
    pub(super) fn given(&self) -> Given<'_> {
        let Self(approval) = self;
        let Made(grant, transaction) = self.made();
        Given(
            grant,
            transaction,
            approval.person.to_string(),
            (
                &approval.client_id,
                &approval.client_name,
                approval.client_proves,
            ),
            (&approval.resource, approval.scopes.to_string()),
            (approval.created_at.0, approval.grant_expires_at.0),
            (
                hex::encode(approval.code.as_bytes()),
                &approval.redirect_uri,
                hex::encode(approval.challenge.as_bytes()),
                approval.code_expires_at.0,
            ),
        )
    }

    /// What the statement says if the grant is made.
    pub(super) fn made(&self) -> Made {
        let Self(approval) = self;
        Made(approval.grant.to_string(), approval.transaction.to_string())
    }

    /// No grant was made: says why.
    pub(super) async fn explain(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Approved, Failure> {
        let Self(approval) = self;
        let (answered, person): (bool, bool) = sqlx::query_as(
            "SELECT EXISTS (SELECT 1 FROM grants WHERE transaction_id = $1),
                 EXISTS (SELECT 1 FROM people WHERE id = $2 AND disabled_at IS NULL)",
        )
        .bind(approval.transaction.to_string())
        .bind(approval.person.to_string())
        .fetch_one(connection)
        .await?;
        match (answered, person) {
            (true, _) => Ok(Approved::AlreadyAnswered),
            (false, false) => Ok(Approved::PersonGone),
            (false, true) => Err(Failure::Inconsistent(
                "the id of a new grant is another's".to_owned(),
            )),
        }
    }
}

/// `$1` is a JSON array of [`Given`]. The grants, unless a person is gone or a transaction was answered before; [`Made`] for
/// each of them.
pub(super) const APPROVE: &str = "
INSERT INTO grants (id, transaction_id, person_id, client_id, client_name, client_proves, resource, scopes,
    created_at, expires_at, code, code_redirect_uri, code_challenge, code_expires_at, presented)
SELECT value ->> 0, value ->> 1, p.id, value ->> '$[3][0]', value ->> '$[3][1]', value ->> '$[3][2]',
    value ->> '$[4][0]', value ->> '$[4][1]', value ->> '$[5][0]', value ->> '$[5][1]',
    unhex(value ->> '$[6][0]'), value ->> '$[6][1]', unhex(value ->> '$[6][2]'), value ->> '$[6][3]', 0
FROM json_each($1) JOIN people p ON p.id = value ->> 2 WHERE p.disabled_at IS NULL
ON CONFLICT DO NOTHING
RETURNING 'approved', json_array(id, transaction_id);";
