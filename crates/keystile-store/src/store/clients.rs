//! Clients that an operator registered, their secrets, and clients of any kind that are kept out.

mod assertions;
mod changing;
mod disabling;

use async_trait::async_trait;
use keystile_domain::ports::{Clients, StoreError};
use keystile_domain::records::{AssertionUse, ClientSecrets, PreRegisteredClient};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use sqlx::SqliteConnection;

use super::Store;
use crate::failure::Failure;
use crate::row::{self, ClientRow};
use crate::writer::{Footprint, Verb};
use assertions::TakeAssertion;
use changing::{END_GIVEN, Remove, Replace, end};
use disabling::{Disable, Enable};

#[async_trait]
impl Clients for Store {
    async fn add(
        &self,
        client: PreRegisteredClient,
        secret: Option<Digest>,
    ) -> Result<bool, StoreError> {
        self.writer.run(Add { client, secret }).await
    }

    async fn lookup(&self, client_id: &str) -> Result<Option<PreRegisteredClient>, StoreError> {
        let row: Option<ClientRow> = sqlx::query_as(LOOKUP)
            .bind(client_id)
            .fetch_optional(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(row.map(row::client).transpose()?)
    }

    async fn list(&self) -> Result<Vec<PreRegisteredClient>, StoreError> {
        let rows: Vec<ClientRow> = sqlx::query_as(LIST)
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows
            .into_iter()
            .map(row::client)
            .collect::<Result<_, _>>()?)
    }

    async fn secrets(&self, client_id: &str, now: Timestamp) -> Result<ClientSecrets, StoreError> {
        let digests: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT digest FROM client_secrets
             WHERE client_id = $1 AND (expires_at IS NULL OR expires_at > $2)",
        )
        .bind(client_id)
        .bind(now.0)
        .fetch_all(&self.readers)
        .await
        .map_err(Failure::from)?;
        let digests = digests.into_iter().map(row::digest);
        Ok(ClientSecrets(digests.collect::<Result<_, _>>()?))
    }

    async fn rotate_secret(
        &self,
        client_id: &str,
        secret: Digest,
        now: Timestamp,
        old_until: Timestamp,
    ) -> Result<bool, StoreError> {
        let client_id = client_id.to_owned();
        self.writer
            .run(RotateSecret {
                client_id,
                secret,
                now,
                old_until,
            })
            .await
    }

    async fn replace(
        &self,
        was: PreRegisteredClient,
        becomes: PreRegisteredClient,
        secret: Option<Digest>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let replace = Replace {
            was,
            becomes,
            secret,
            now,
        };
        let replaced = self.writer.run(replace).await?;
        Ok(replaced.is_some())
    }

    async fn remove(&self, client_id: &str, now: Timestamp) -> Result<Option<u64>, StoreError> {
        let client_id = client_id.to_owned();
        let removed = self.writer.run(Remove { client_id, now }).await?;
        Ok(removed.map(|ended| ended.len() as u64))
    }

    async fn disable(&self, client_id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let client_id = client_id.to_owned();
        self.writer.run(Disable { client_id, now }).await
    }

    async fn enable(&self, client_id: &str) -> Result<bool, StoreError> {
        let client_id = client_id.to_owned();
        self.writer.run(Enable { client_id }).await
    }

    async fn disabled_since(&self, client_id: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.feed.kept_out_since(client_id))
    }

    async fn disabled(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        Ok(self.feed.kept_out())
    }

    async fn take_assertion(
        &self,
        client_id: &str,
        jti: Digest,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<AssertionUse, StoreError> {
        let client_id = client_id.to_owned();
        self.writer
            .run(TakeAssertion {
                client_id,
                jti,
                now,
                expires_at,
            })
            .await
    }
}

struct Add {
    client: PreRegisteredClient,
    secret: Option<Digest>,
}

#[async_trait]
impl Verb for Add {
    type Answer = bool;
    const FOOTPRINT: Footprint = Footprint::Several;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<bool, Failure> {
        let client = &self.client;
        let done = sqlx::query(
            "INSERT INTO clients (client_id, name, redirect_uris, native, auth_method, jwks,
                 jwks_uri, grant_types, scopes, introspects, created_at, pushes_only)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             ON CONFLICT (client_id) DO NOTHING",
        )
        .bind(&client.client_id)
        .bind(&client.name)
        .bind(written(&client.redirect_uris))
        .bind(i64::from(client.native))
        .bind(client.auth_method.as_str())
        .bind(client.jwks.as_ref().map(written))
        .bind(&client.jwks_uri)
        .bind(written(&client.grant_types))
        .bind(client.scopes.to_string())
        .bind(&client.introspects)
        .bind(client.created_at.0)
        .bind(i64::from(client.pushes_only))
        .execute(&mut *connection)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        // Somebody may have said yes to an earlier client of this id while it was being removed.
        let (id, now) = (&client.client_id, client.created_at);
        end(connection, END_GIVEN, id, now, "client_removed").await?;
        if let Some(secret) = &self.secret {
            insert_secret(connection, id, secret, now).await?;
        }
        Ok(true)
    }
}

fn written<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("a client is plain data")
}

struct RotateSecret {
    client_id: String,
    secret: Digest,
    now: Timestamp,
    old_until: Timestamp,
}

#[async_trait]
impl Verb for RotateSecret {
    type Answer = bool;
    const FOOTPRINT: Footprint = Footprint::Several;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<bool, Failure> {
        let known: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM clients WHERE client_id = $1)")
                .bind(&self.client_id)
                .fetch_one(&mut *connection)
                .await?;
        if !known {
            return Ok(false);
        }
        // Two secrets at most: the one that has no end yet, until it has one, and the new one.
        sqlx::query(
            "DELETE FROM client_secrets WHERE client_id = $1 AND (expires_at IS NOT NULL OR $2)",
        )
        .bind(&self.client_id)
        .bind(self.old_until <= self.now)
        .execute(&mut *connection)
        .await?;
        sqlx::query("UPDATE client_secrets SET expires_at = $2 WHERE client_id = $1")
            .bind(&self.client_id)
            .bind(self.old_until.0)
            .execute(&mut *connection)
            .await?;
        insert_secret(connection, &self.client_id, &self.secret, self.now).await?;
        Ok(true)
    }
}

async fn insert_secret(
    connection: &mut SqliteConnection,
    client_id: &str,
    secret: &Digest,
    now: Timestamp,
) -> Result<(), Failure> {
    sqlx::query("INSERT INTO client_secrets (client_id, digest, created_at) VALUES ($1, $2, $3)")
        .bind(client_id)
        .bind(secret.as_bytes().as_slice())
        .bind(now.0)
        .execute(connection)
        .await?;
    Ok(())
}

macro_rules! select_clients {
    ($rest:literal) => {
        concat!(
            "SELECT client_id, name, redirect_uris, native, auth_method, jwks, jwks_uri, ",
            "grant_types, scopes, introspects, created_at, pushes_only FROM clients ",
            $rest
        )
    };
}

const LOOKUP: &str = select_clients!("WHERE client_id = $1");
const LIST: &str = select_clients!("ORDER BY name, client_id");
