//! Sealed signing keys: bytes that only the master key opens.

use std::collections::BTreeSet;

use async_trait::async_trait;
use keystile_domain::ports::{SigningKeys, StoreError};
use keystile_domain::records::SealedSigningKey;
use keystile_protocol::mutation::weakened;
use sqlx::SqliteConnection;

use super::Store;
use crate::failure::Failure;
use crate::row::{self, SigningKeyRow};
use crate::writer::{Footprint, Verb};

#[async_trait]
impl SigningKeys for Store {
    async fn signing_keys(&self) -> Result<Vec<SealedSigningKey>, StoreError> {
        let rows: Vec<SigningKeyRow> = sqlx::query_as(ALL)
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(records(rows)?)
    }

    async fn replace_signing_keys(
        &self,
        seen: Vec<SealedSigningKey>,
        wanted: Vec<SealedSigningKey>,
    ) -> Result<bool, StoreError> {
        self.writer.run(Replace { seen, wanted }).await
    }
}

struct Replace {
    seen: Vec<SealedSigningKey>,
    wanted: Vec<SealedSigningKey>,
}

#[async_trait]
impl Verb for Replace {
    type Answer = bool;
    const FOOTPRINT: Footprint = Footprint::Several;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<bool, Failure> {
        let rows: Vec<SigningKeyRow> = sqlx::query_as(ALL).fetch_all(&mut *connection).await?;
        if told(&records(rows)?) != told(&self.seen) && !weakened("a_082b") {
            return Ok(false);
        }
        sqlx::query("DELETE FROM signing_keys")
            .execute(&mut *connection)
            .await?;
        for key in &self.wanted {
            sqlx::query(
                "INSERT INTO signing_keys (kid, sealed, state, created_at, since)
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(&key.kid)
            .bind(&key.sealed)
            .bind(key.state.as_str())
            .bind(key.created_at.0)
            .bind(key.since.0)
            .execute(&mut *connection)
            .await?;
        }
        Ok(true)
    }
}

/// What two sets of keys are compared by.
fn told(keys: &[SealedSigningKey]) -> BTreeSet<(&str, &str, &[u8])> {
    keys.iter()
        .map(|key| (key.kid.as_str(), key.state.as_str(), key.sealed.as_slice()))
        .collect()
}

fn records(rows: Vec<SigningKeyRow>) -> Result<Vec<SealedSigningKey>, Failure> {
    rows.into_iter().map(row::signing_key).collect()
}

const ALL: &str =
    "SELECT kid, sealed, state, created_at, since FROM signing_keys ORDER BY created_at, kid";
