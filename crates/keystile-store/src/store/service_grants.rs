//! What clients hold for themselves: one living grant for each client and resource.

use async_trait::async_trait;
use keystile_domain::ids::GrantId;
use keystile_domain::ports::{ServiceGrants, StoreError};
use keystile_domain::records::{ServiceGrant, ServiceRequest};
use keystile_domain::time::Timestamp;
use sqlx::SqliteConnection;

use super::Store;
use crate::failure::Failure;
use crate::feed::RevocationFeed;
use crate::row::{self, ServiceGrantRow};
use crate::writer::{Footprint, Verb};

#[async_trait]
impl ServiceGrants for Store {
    async fn issue(
        &self,
        request: ServiceRequest,
        now: Timestamp,
    ) -> Result<Option<GrantId>, StoreError> {
        self.writer.run(Issue { request, now }).await
    }

    async fn lookup(&self, grant: GrantId) -> Result<Option<ServiceGrant>, StoreError> {
        let row: Option<ServiceGrantRow> = sqlx::query_as(LOOKUP)
            .bind(grant.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(row.map(row::service_grant).transpose()?)
    }

    async fn list(
        &self,
        client_id: Option<&str>,
        dead_too: bool,
    ) -> Result<Vec<ServiceGrant>, StoreError> {
        let rows: Vec<ServiceGrantRow> = sqlx::query_as(LIST)
            .bind(client_id)
            .bind(dead_too)
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        let grants = rows.into_iter().map(row::service_grant);
        Ok(grants.collect::<Result<_, _>>()?)
    }

    async fn revoke(&self, grant: GrantId, why: &str, now: Timestamp) -> Result<bool, StoreError> {
        let why = why.to_owned();
        self.writer.run(Revoke { grant, why, now }).await
    }
}

struct Issue {
    request: ServiceRequest,
    now: Timestamp,
}

#[async_trait]
impl Verb for Issue {
    type Answer = Option<GrantId>;
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Self::Answer, Failure> {
        let request = &self.request;
        let grant: Option<String> = sqlx::query_scalar(ISSUE)
            .bind(request.grant.to_string())
            .bind(&request.client_id)
            .bind(&request.client_name)
            .bind(&request.resource)
            .bind(request.scopes.to_string())
            .bind(self.now.0)
            .fetch_optional(connection)
            .await?;
        grant
            .map(|id| row::parse(&id, "service_grants.id"))
            .transpose()
    }
}

struct Revoke {
    grant: GrantId,
    why: String,
    now: Timestamp,
}

#[async_trait]
impl Verb for Revoke {
    type Answer = bool;
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<bool, Failure> {
        let done = sqlx::query(
            "UPDATE service_grants SET revoked_at = $2, revoked_why = $3
             WHERE id = $1 AND revoked_at IS NULL",
        )
        .bind(self.grant.to_string())
        .bind(self.now.0)
        .bind(&self.why)
        .execute(connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    fn committed(&self, revoked: &bool, feed: &RevocationFeed) {
        if *revoked {
            feed.revoke(&[self.grant], self.now);
        }
    }
}

const ISSUE: &str = "INSERT INTO service_grants
         (id, client_id, client_name, resource, scopes, created_at, last_used_at)
     SELECT $1, $2, $3, $4, $5, $6, $6 WHERE NOT EXISTS
         (SELECT 1 FROM disabled_clients d WHERE d.client_id = $2 AND d.enabled_at IS NULL)
     ON CONFLICT (client_id, resource) WHERE revoked_at IS NULL
     DO UPDATE SET client_name = $3, scopes = $5, last_used_at = $6 RETURNING id";

macro_rules! select_service_grants {
    ($rest:literal) => {
        concat!(
            "SELECT id, client_id, client_name, resource, scopes, created_at, last_used_at, ",
            "revoked_at, revoked_why FROM service_grants ",
            $rest
        )
    };
}

const LOOKUP: &str = select_service_grants!("WHERE id = $1");
const LIST: &str = select_service_grants!(
    "WHERE (CAST($1 AS TEXT) IS NULL OR client_id = $1) AND ($2 OR revoked_at IS NULL)
     ORDER BY created_at DESC, id DESC"
);
