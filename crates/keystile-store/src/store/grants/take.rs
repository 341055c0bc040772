//! The redemption of a code: one statement matches and spends it (STYLE rule 5, CHECKLIST R8).

use keystile_domain::records::{CodeProof, Mismatch, Taken, TakenCode};
use keystile_domain::time::Timestamp;
use keystile_protocol::mutation::weakened;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::failure::Failure;
use crate::row;
use crate::writer::SharedVerb;

pub(crate) struct Take {
    pub(crate) proof: CodeProof,
    pub(crate) now: Timestamp,
}

impl SharedVerb for Take {
    type Answer = Taken;
}

/// One row of what goes in: digest, client, redirect URI, challenge, resource, now, whether the client proved who it is, grant.
#[derive(Serialize)]
pub(super) struct Shown<'a>(
    String,
    &'a str,
    Option<&'a str>,
    String,
    Option<&'a str>,
    i64,
    i64,
    String,
);

/// A code that was spent: digest in upper-case hex, grant, person, resource, scopes.
#[derive(Deserialize)]
pub(super) struct Spent(pub(super) String, String, String, String, String);

impl Spent {
    pub(super) fn outcome(&self) -> Result<Taken, Failure> {
        let Self(_, grant, person, resource, scopes) = self;
        Ok(Taken::First(TakenCode {
            grant: row::parse(grant, "grants.id")?,
            person: row::parse(person, "grants.person_id")?,
            resource: resource.clone(),
            scopes: row::parse(scopes, "grants.scopes")?,
        }))
    }
}

impl Take {
    pub(super) fn shown(&self) -> Shown<'_> {
        let proof = &self.proof;
        Shown(
            self.digest(),
            &proof.client_id,
            proof.redirect_uri.as_deref(),
            hex::encode(proof.challenge.as_bytes()),
            proof.resource.as_deref(),
            self.now.0,
            i64::from(proof.client_proved),
            proof.code.grant.to_string(),
        )
    }

    /// Of the code, as [`Spent`] has it.
    pub(super) fn digest(&self) -> String {
        hex::encode_upper(self.proof.code.digest.as_bytes())
    }

    /// Nothing was spent: says why, and knows a replay only when everything matches, so that a
    /// bogus presenter can't have a grant revoked.
    pub(super) async fn explain(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Taken, Failure> {
        type Row = (String, i64, String, Vec<u8>, Option<i64>, i64, String);
        let row: Option<Row> = sqlx::query_as(
            "SELECT client_id, client_proves, code_redirect_uri, code_challenge, activated_at,
                 code_expires_at, resource
             FROM grants WHERE id = $1 AND code = $2",
        )
        .bind(self.proof.code.grant.to_string())
        .bind(self.proof.code.digest.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
        let Some((client, proves, redirect, challenge, spent_at, expires_at, resource)) = row
        else {
            return Ok(Taken::NoMatch(Mismatch::Unknown));
        };
        let proof = &self.proof;
        let differs = |shown: &Option<String>, stored: &str| {
            shown.as_deref().is_some_and(|shown| shown != stored)
        };
        let wrong = if client != proof.client_id && !weakened("a_019") {
            Some(Mismatch::Client)
        } else if proves > i64::from(proof.client_proved) {
            Some(Mismatch::ClientProof)
        } else if differs(&proof.redirect_uri, &redirect) {
            Some(Mismatch::RedirectUri)
        } else if challenge.as_slice() != proof.challenge.as_bytes() {
            Some(Mismatch::Challenge)
        } else if differs(&proof.resource, &resource) {
            Some(Mismatch::Resource)
        } else {
            None
        };
        let grant = proof.code.grant;
        Ok(match (wrong, spent_at) {
            (None, Some(_)) => Taken::Again(grant),
            (Some(mismatch), Some(_)) => Taken::AgainWrongly(mismatch, grant),
            (Some(mismatch), None) => Taken::NoMatch(mismatch),
            (None, None) if expires_at <= self.now.0 => Taken::NoMatch(Mismatch::Expired),
            (None, None) => Taken::NoMatch(Mismatch::Revoked),
        })
    }
}

/// `$2` is a JSON array of [`Shown`], each of another code. Spends the codes: their grants have tokens from now on.
pub(super) const SPEND: &str = "
UPDATE grants SET activated_at = shown.now, last_used_at = shown.now
FROM (SELECT unhex(value ->> 0) AS code, value ->> 1 AS client_id, value ->> 2 AS redirect_uri,
    unhex(value ->> 3) AS challenge, value ->> 4 AS resource, value ->> 5 AS now,
    value ->> 6 AS client_proved, value ->> 7 AS id
    FROM json_each($2)) AS shown
WHERE grants.id = shown.id AND grants.code = shown.code AND grants.client_id = shown.client_id
    AND (shown.redirect_uri IS NULL OR grants.code_redirect_uri = shown.redirect_uri)
    AND grants.code_challenge = shown.challenge
    AND (shown.resource IS NULL OR grants.resource = shown.resource)
    AND grants.client_proves <= shown.client_proved
    AND grants.activated_at IS NULL AND grants.code_expires_at > shown.now
    AND grants.revoked_at IS NULL AND grants.expires_at > shown.now
    AND EXISTS (SELECT 1 FROM people p WHERE p.id = grants.person_id AND p.disabled_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM disabled_clients d
        WHERE d.client_id = grants.client_id AND d.enabled_at IS NULL)
RETURNING 'taken', json_array(hex(code), id, person_id, resource, scopes);";

pub(super) const SPEND_CHECKS: &[(&str, &str, &str)] = &[
    ("n_as_21", "grants.activated_at IS NULL", "TRUE"),
    (
        "n_as_32b",
        "grants.client_proves <= shown.client_proved",
        "TRUE",
    ),
    (
        "a_017",
        "grants.client_id = shown.client_id",
        "shown.client_id IS NOT NULL",
    ),
    (
        "a_015",
        "grants.code_challenge = shown.challenge",
        "shown.challenge IS NOT NULL",
    ),
];
