//! Sealed signing keys: bytes that only the master key opens.

use async_trait::async_trait;
use keystile_domain::ports::{SigningKeys, StoreError};
use keystile_domain::records::SealedSigningKey;
use sqlx::SqliteConnection;

use super::Store;
use crate::failure::Failure;
use crate::row::{self, SigningKeyRow};
use crate::writer::{Footprint, Verb};

#[async_trait]
impl SigningKeys for Store {
    async fn put_first_signing_key(
        &self,
        key: SealedSigningKey,
    ) -> Result<SealedSigningKey, StoreError> {
        self.writer.run(PutFirst(key)).await
    }

    async fn signing_keys(&self) -> Result<Vec<SealedSigningKey>, StoreError> {
        let rows: Vec<SigningKeyRow> = sqlx::query_as(
            "SELECT kid, sealed, state, created_at FROM signing_keys ORDER BY created_at, kid",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(Failure::from)?;
        Ok(rows
            .into_iter()
            .map(row::signing_key)
            .collect::<Result<_, _>>()?)
    }
}

struct PutFirst(SealedSigningKey);

#[async_trait]
impl Verb for PutFirst {
    type Answer = SealedSigningKey;
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Self::Answer, Failure> {
        sqlx::query(
            "INSERT INTO signing_keys (kid, sealed, state, created_at) VALUES ($1, $2, 'current', $3)
             ON CONFLICT (state) WHERE state = 'current' DO NOTHING",
        )
        .bind(&self.0.kid)
        .bind(&self.0.sealed)
        .bind(self.0.created_at.0)
        .execute(&mut *connection)
        .await?;
        let row: SigningKeyRow = sqlx::query_as(
            "SELECT kid, sealed, state, created_at FROM signing_keys WHERE state = 'current'",
        )
        .fetch_one(connection)
        .await?;
        row::signing_key(row)
    }
}
