//! Clients that an operator registered.

use async_trait::async_trait;
use keystile_domain::ports::{Clients, StoreError};
use keystile_domain::records::PreRegisteredClient;
use sqlx::SqliteConnection;

use super::Store;
use crate::failure::Failure;
use crate::row::{self, ClientRow};
use crate::writer::{Footprint, Verb};

#[async_trait]
impl Clients for Store {
    async fn add(&self, client: PreRegisteredClient) -> Result<bool, StoreError> {
        self.writer.run(Add(client)).await
    }

    async fn lookup(&self, client_id: &str) -> Result<Option<PreRegisteredClient>, StoreError> {
        let row: Option<ClientRow> = sqlx::query_as(
            "SELECT client_id, name, redirect_uris, native, created_at FROM clients
             WHERE client_id = $1",
        )
        .bind(client_id)
        .fetch_optional(&self.readers)
        .await
        .map_err(Failure::from)?;
        Ok(row.map(row::client).transpose()?)
    }

    async fn list(&self) -> Result<Vec<PreRegisteredClient>, StoreError> {
        let rows: Vec<ClientRow> = sqlx::query_as(
            "SELECT client_id, name, redirect_uris, native, created_at FROM clients
             ORDER BY name, client_id",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(Failure::from)?;
        Ok(rows
            .into_iter()
            .map(row::client)
            .collect::<Result<_, _>>()?)
    }
}

struct Add(PreRegisteredClient);

#[async_trait]
impl Verb for Add {
    type Answer = bool;
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<bool, Failure> {
        let redirect_uris = serde_json::to_string(&self.0.redirect_uris)
            .expect("a list of strings can be written as JSON");
        let done = sqlx::query(
            "INSERT INTO clients (client_id, name, redirect_uris, native, created_at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (client_id) DO NOTHING",
        )
        .bind(&self.0.client_id)
        .bind(&self.0.name)
        .bind(redirect_uris)
        .bind(i64::from(self.0.native))
        .bind(self.0.created_at.0)
        .execute(connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
