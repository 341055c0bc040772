//! Grants and their codes; the refresh family is in [`super::rotation`].

pub(crate) mod approve;
pub(crate) mod take;
pub(crate) mod together;

use async_trait::async_trait;
use keystile_domain::decide::refresh::FamilyFacts;
use keystile_domain::ids::GrantId;
use keystile_domain::ports::{Grants, StoreError};
use keystile_domain::records::{
    Approval, Approved, CodeProof, GrantFilter, GrantRecord, Presented, Rotated, Taken,
};
use keystile_domain::time::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow as _, Row as _, SqliteConnection};

use super::Store;
use super::rotation::{Family, Rotate};
use crate::failure::Failure;
use crate::feed::RevocationFeed;
use crate::row::{self, GrantRow};
use crate::writer::{Footprint, Verb};
use approve::Approve;
use take::Take;

#[async_trait]
impl Grants for Store {
    async fn approve(&self, approval: Approval) -> Result<Approved, StoreError> {
        self.writer.settle(Approve(approval)).await
    }

    async fn take(&self, proof: CodeProof, now: Timestamp) -> Result<Taken, StoreError> {
        self.writer.settle(Take { proof, now }).await
    }

    async fn rotate(&self, presented: Presented, now: Timestamp) -> Result<Rotated, StoreError> {
        self.writer.settle(Rotate { presented, now }).await
    }

    async fn revoke(&self, grant: GrantId, why: &str, now: Timestamp) -> Result<bool, StoreError> {
        let revoked = self
            .writer
            .run(Revoke {
                grant,
                why: why.to_owned(),
                now,
            })
            .await?;
        Ok(revoked.is_some_and(|expires_at| expires_at > now))
    }

    async fn family(
        &self,
        grant: GrantId,
    ) -> Result<Option<(GrantRecord, FamilyFacts)>, StoreError> {
        let row = sqlx::query(FAMILY)
            .bind(grant.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(row.as_ref().map(family).transpose()?)
    }

    async fn lookup(&self, grant: GrantId) -> Result<Option<GrantRecord>, StoreError> {
        let row: Option<GrantRow> = sqlx::query_as(LOOKUP)
            .bind(grant.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(row.map(row::grant).transpose()?)
    }

    async fn list(&self, filter: GrantFilter) -> Result<Vec<GrantRecord>, StoreError> {
        let rows: Vec<GrantRow> = sqlx::query_as(LIST)
            .bind(filter.person.map(|person| person.to_string()))
            .bind(filter.client_id)
            .bind(filter.dead_too)
            .bind(filter.now.map(|now| now.0))
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows.into_iter().map(row::grant).collect::<Result<_, _>>()?)
    }
}

/// The columns of a grant, and four more.
fn family(row: &SqliteRow) -> Result<(GrantRecord, FamilyFacts), Failure> {
    let family = Family {
        grant: GrantRow::from_row(row)?,
        active: row.try_get(13)?,
        disabled: row.try_get(14)?,
        presented: row.try_get(15)?,
        presented_at: row.try_get(16)?,
    };
    let facts = family.own_facts()?;
    Ok((row::grant(family.grant)?, facts))
}

struct Revoke {
    grant: GrantId,
    why: String,
    now: Timestamp,
}

#[async_trait]
impl Verb for Revoke {
    /// When the grant would have ended, if it was not revoked before.
    type Answer = Option<Timestamp>;
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Self::Answer, Failure> {
        let expires_at: Option<i64> = sqlx::query_scalar(
            "UPDATE grants SET revoked_at = $2, revoked_why = $3
             WHERE id = $1 AND revoked_at IS NULL RETURNING expires_at",
        )
        .bind(self.grant.to_string())
        .bind(self.now.0)
        .bind(&self.why)
        .fetch_optional(connection)
        .await?;
        Ok(expires_at.map(Timestamp))
    }

    fn committed(&self, revoked: &Self::Answer, feed: &RevocationFeed) {
        if revoked.is_some() {
            feed.revoke(&[self.grant], self.now);
        }
    }
}

macro_rules! select_grants {
    ($rest:literal) => {
        select_grants!("", $rest)
    };
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT g.id, g.person_id, p.name, g.client_id, g.client_name, g.resource, g.scopes, ",
            "g.created_at, g.last_used_at, g.expires_at, g.revoked_at, g.revoked_why, g.client_proves",
            $more,
            " FROM grants g JOIN people p ON p.id = g.person_id ",
            $rest
        )
    };
}

const LOOKUP: &str = select_grants!("WHERE g.id = $1");
const FAMILY: &str = select_grants!(
    ", g.activated_at IS NOT NULL,
     p.disabled_at IS NOT NULL OR EXISTS (SELECT 1 FROM disabled_clients d
         WHERE d.client_id = g.client_id AND d.enabled_at IS NULL), g.presented, g.presented_at",
    "WHERE g.id = $1"
);
const LIST: &str = select_grants!(
    "WHERE (CAST($1 AS TEXT) IS NULL OR g.person_id = $1)
     AND (CAST($2 AS TEXT) IS NULL OR g.client_id = $2)
     AND ($3 OR (g.activated_at IS NOT NULL AND g.revoked_at IS NULL
          AND (CAST($4 AS BIGINT) IS NULL OR g.expires_at > $4)))
     ORDER BY g.created_at DESC, g.id DESC"
);
