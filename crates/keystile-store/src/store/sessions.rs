//! Browser sessions, by the digest of their cookie.

mod found;

use async_trait::async_trait;
use keystile_domain::ports::{Sessions, StoreError};
use keystile_domain::records::{PersonRecord, SessionRecord};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use sqlx::SqliteConnection;

use super::Store;
use crate::failure::Failure;
use crate::row;
use crate::writer::{Footprint, Verb};
pub(crate) use found::FoundSessions;

#[async_trait]
impl Sessions for Store {
    async fn begin(&self, session: SessionRecord) -> Result<(), StoreError> {
        self.writer.run(Begin(session)).await
    }

    async fn find(
        &self,
        digest: Digest,
        now: Timestamp,
    ) -> Result<Option<(SessionRecord, PersonRecord)>, StoreError> {
        let began = match self.found.find(&digest) {
            Ok(known) => return Ok(Some(known).filter(|(session, _)| session.expires_at > now)),
            Err(began) => began,
        };
        type Row = (i64, i64, String, String, String, i64, Option<i64>);
        let row: Option<Row> = sqlx::query_as(
            "SELECT s.created_at, s.expires_at, p.id, p.name, p.password_hash, p.created_at, p.disabled_at
             FROM sessions s JOIN people p ON p.id = s.person_id
             WHERE s.digest = $1 AND s.expires_at > $2 AND p.disabled_at IS NULL",
        )
        .bind(digest.as_bytes().as_slice())
        .bind(now.0)
        .fetch_optional(&self.readers)
        .await
        .map_err(Failure::from)?;
        let Some((created_at, expires, id, name, hash, created, disabled)) = row else {
            return Ok(None);
        };
        let person = row::person((id, name, hash, created, disabled))?;
        let session = SessionRecord {
            digest,
            person: person.id,
            created_at: Timestamp(created_at),
            expires_at: Timestamp(expires),
        };
        self.found.keep(began, &session, &person);
        Ok(Some((session, person)))
    }

    async fn end(&self, digest: Digest) -> Result<(), StoreError> {
        self.writer.run(End(digest)).await
    }
}

struct Begin(SessionRecord);

#[async_trait]
impl Verb for Begin {
    type Answer = ();
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        sqlx::query(
            "INSERT INTO sessions (digest, person_id, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        )
        .bind(self.0.digest.as_bytes().as_slice())
        .bind(self.0.person.to_string())
        .bind(self.0.created_at.0)
        .bind(self.0.expires_at.0)
        .execute(connection)
        .await?;
        Ok(())
    }
}

struct End(Digest);

#[async_trait]
impl Verb for End {
    type Answer = ();
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        sqlx::query("DELETE FROM sessions WHERE digest = $1")
            .bind(self.0.as_bytes().as_slice())
            .execute(connection)
            .await?;
        Ok(())
    }
}
