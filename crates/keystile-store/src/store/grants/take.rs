//! The redemption of a code: one statement matches and spends it (STYLE rule 5, CHECKLIST R8).

use async_trait::async_trait;
use keystile_domain::ids::GrantId;
use keystile_domain::records::{CodeProof, Mismatch, Taken, TakenCode};
use keystile_domain::time::Timestamp;
use keystile_protocol::mutation::weakened;
use sqlx::SqliteConnection;

use crate::failure::Failure;
use crate::row;
use crate::weaken::statement;
use crate::writer::{Footprint, Verb};

pub(super) struct Take {
    pub(super) proof: CodeProof,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Verb for Take {
    type Answer = Taken;
    const FOOTPRINT: Footprint = Footprint::Several;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Taken, Failure> {
        let proof = &self.proof;
        type Row = (String, String, String, String);
        let spent: Option<Row> = sqlx::query_as(statement(SPEND, SPEND_CHECKS))
            .bind(proof.code.as_bytes().as_slice())
            .bind(&proof.client_id)
            .bind(&proof.redirect_uri)
            .bind(proof.challenge.as_bytes().as_slice())
            .bind(&proof.resource)
            .bind(self.now.0)
            .bind(i64::from(proof.client_proved))
            .fetch_optional(&mut *connection)
            .await?;
        match spent {
            Some((grant, person, resource, scopes)) => Ok(Taken::First(TakenCode {
                grant: row::parse(&grant, "codes.grant_id")?,
                person: row::parse(&person, "grants.person_id")?,
                resource,
                scopes: row::parse(&scopes, "grants.scopes")?,
            })),
            None => self.explain(connection).await,
        }
    }
}

impl Take {
    /// Nothing was spent: says why, and knows a replay only when everything matches, so that a
    /// bogus presenter can't have a grant revoked.
    async fn explain(&self, connection: &mut SqliteConnection) -> Result<Taken, Failure> {
        type Row = (
            String,
            String,
            i64,
            String,
            Vec<u8>,
            Option<i64>,
            i64,
            String,
        );
        let row: Option<Row> = sqlx::query_as(
            "SELECT c.grant_id, c.client_id, g.client_proves, c.redirect_uri, c.challenge,
                 c.spent_at, c.expires_at, g.resource
             FROM codes c JOIN grants g ON g.id = c.grant_id WHERE c.digest = $1",
        )
        .bind(self.proof.code.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
        let Some((grant, client, proves, redirect, challenge, spent_at, expires_at, resource)) =
            row
        else {
            return Ok(Taken::NoMatch(Mismatch::Unknown));
        };
        let grant: GrantId = row::parse(&grant, "codes.grant_id")?;
        let proof = &self.proof;
        let differs = |shown: &Option<String>, stored: &str| {
            shown.as_deref().is_some_and(|shown| shown != stored)
        };
        let mismatch = if client != proof.client_id && !weakened("a_019") {
            Mismatch::Client
        } else if proves > i64::from(proof.client_proved) {
            Mismatch::ClientProof
        } else if differs(&proof.redirect_uri, &redirect) {
            Mismatch::RedirectUri
        } else if challenge.as_slice() != proof.challenge.as_bytes() {
            Mismatch::Challenge
        } else if differs(&proof.resource, &resource) {
            Mismatch::Resource
        } else if spent_at.is_some() {
            return Ok(Taken::Again(grant));
        } else if expires_at <= self.now.0 {
            Mismatch::Expired
        } else {
            Mismatch::Revoked
        };
        Ok(Taken::NoMatch(mismatch))
    }
}

/// Spends the code; and, if it did, says that from now on its grant has tokens. One trip to SQLite's thread.
const SPEND: &str = "UPDATE codes SET spent_at = $6
     WHERE digest = $1 AND client_id = $2
     AND (CAST($3 AS TEXT) IS NULL OR redirect_uri = $3)
     AND challenge = $4 AND spent_at IS NULL AND expires_at > $6
     AND EXISTS (SELECT 1 FROM grants g JOIN people p ON p.id = g.person_id
         WHERE g.id = codes.grant_id AND (CAST($5 AS TEXT) IS NULL OR g.resource = $5)
         AND g.client_proves <= $7 AND g.revoked_at IS NULL AND g.expires_at > $6 AND p.disabled_at IS NULL)
     AND NOT EXISTS (SELECT 1 FROM disabled_clients d
         WHERE d.client_id = codes.client_id AND d.enabled_at IS NULL);
     UPDATE grants SET activated_at = $6, last_used_at = $6
     WHERE changes() = 1 AND id = (SELECT grant_id FROM codes WHERE digest = $1)
     RETURNING id, person_id, resource, scopes";

const SPEND_CHECKS: &[(&str, &str, &str)] = &[
    ("n_as_21", "spent_at IS NULL", "TRUE"),
    ("a_017", "client_id = $2", "$2 IS NOT NULL"),
    ("n_as_32b", "g.client_proves <= $7", "TRUE"),
    ("a_015", "challenge = $4", "$4 IS NOT NULL"),
];
