//! Clients that an operator changes or removes.

use async_trait::async_trait;
use keystile_domain::ids::GrantId;
use keystile_domain::records::PreRegisteredClient;
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use keystile_protocol::mutation::weakened;
use sqlx::SqliteConnection;

use super::{LOOKUP, insert_secret, written};
use crate::failure::Failure;
use crate::feed::RevocationFeed;
use crate::row::{self, ClientRow};
use crate::writer::{Footprint, Verb};

pub(super) struct Replace {
    pub(super) was: PreRegisteredClient,
    pub(super) becomes: PreRegisteredClient,
    pub(super) secret: Option<Digest>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Verb for Replace {
    /// What it held for itself and has ended; `None` when the client is not the one that was read.
    type Answer = Option<Vec<GrantId>>;
    const FOOTPRINT: Footprint = Footprint::Several;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Self::Answer, Failure> {
        let (was, becomes) = (&self.was, &self.becomes);
        let row: Option<ClientRow> = sqlx::query_as(LOOKUP)
            .bind(&was.client_id)
            .fetch_optional(&mut *connection)
            .await?;
        if row.map(row::client).transpose()?.as_ref() != Some(was) {
            return Ok(None);
        }
        sqlx::query(
            "UPDATE clients SET name = $2, redirect_uris = $3, native = $4, jwks = $5,
                 jwks_uri = $6, grant_types = $7, scopes = $8, auth_method = $9, introspects = $10,
                 pushes_only = $11 WHERE client_id = $1",
        )
        .bind(&was.client_id)
        .bind(&becomes.name)
        .bind(written(&becomes.redirect_uris))
        .bind(i64::from(becomes.native))
        .bind(becomes.jwks.as_ref().map(written))
        .bind(&becomes.jwks_uri)
        .bind(written(&becomes.grant_types))
        .bind(becomes.scopes.to_string())
        .bind(becomes.auth_method.as_str())
        .bind(&becomes.introspects)
        .bind(i64::from(becomes.pushes_only))
        .execute(&mut *connection)
        .await?;
        if self.secret.is_some() || !becomes.auth_method.is_shared_secret() {
            sqlx::query("DELETE FROM client_secrets WHERE client_id = $1")
                .bind(&was.client_id)
                .execute(&mut *connection)
                .await?;
        }
        if let Some(secret) = &self.secret {
            insert_secret(connection, &was.client_id, secret, self.now).await?;
        }
        if was.scopes == becomes.scopes && was.grant_types == becomes.grant_types {
            return Ok(Some(Vec::new()));
        }
        let ended = end(
            connection,
            END_ITS_OWN,
            &was.client_id,
            self.now,
            "client_changed",
        );
        Ok(Some(ended.await?))
    }

    fn committed(&self, ended: &Self::Answer, feed: &RevocationFeed) {
        if let Some(ended) = ended {
            feed.revoke(ended, self.now);
        }
    }
}

pub(super) struct Remove {
    pub(super) client_id: String,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Verb for Remove {
    /// The grants that have ended; `None` when there was no such client.
    type Answer = Option<Vec<GrantId>>;
    const FOOTPRINT: Footprint = Footprint::Several;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Self::Answer, Failure> {
        // Its secrets go with it.
        let removed = sqlx::query("DELETE FROM clients WHERE client_id = $1")
            .bind(&self.client_id)
            .execute(&mut *connection)
            .await?;
        if removed.rows_affected() == 0 {
            return Ok(None);
        }
        for gone in [
            "DELETE FROM disabled_clients WHERE client_id = $1",
            "DELETE FROM device_requests WHERE client_id = $1",
        ] {
            sqlx::query(gone)
                .bind(&self.client_id)
                .execute(&mut *connection)
                .await?;
        }
        let (id, why) = (&self.client_id, "client_removed");
        let mut ended = end(connection, END_GIVEN, id, self.now, why).await?;
        ended.extend(end(connection, END_ITS_OWN, id, self.now, why).await?);
        Ok(Some(ended))
    }

    fn committed(&self, ended: &Self::Answer, feed: &RevocationFeed) {
        if let Some(ended) = ended
            && !weakened("a_025")
        {
            feed.revoke(ended, self.now);
            feed.let_in(&self.client_id);
        }
    }
}

/// Ends what a client has, by one of the statements below.
pub(super) async fn end(
    connection: &mut SqliteConnection,
    statement: &'static str,
    client_id: &str,
    now: Timestamp,
    why: &str,
) -> Result<Vec<GrantId>, Failure> {
    let ended: Vec<String> = sqlx::query_scalar(statement)
        .bind(client_id)
        .bind(now.0)
        .bind(why)
        .fetch_all(connection)
        .await?;
    let ended = ended.iter().map(|id| row::parse(id, "grants.id"));
    ended.collect()
}

pub(super) const END_GIVEN: &str = "UPDATE grants SET revoked_at = $2, revoked_why = $3
     WHERE client_id = $1 AND revoked_at IS NULL RETURNING id";
const END_ITS_OWN: &str = "UPDATE service_grants SET revoked_at = $2, revoked_why = $3
     WHERE client_id = $1 AND revoked_at IS NULL RETURNING id";
