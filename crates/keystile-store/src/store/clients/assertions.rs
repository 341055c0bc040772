//! Ids (`jti`) of client assertions: shown once, remembered until they end (CHECKLIST A-086).

use async_trait::async_trait;
use keystile_domain::records::{AssertionUse, MOST_ASSERTIONS};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use keystile_protocol::mutation::weakened;
use sqlx::SqliteConnection;

use crate::failure::Failure;
use crate::writer::{Footprint, Verb};

pub(super) struct TakeAssertion {
    pub(super) client_id: String,
    pub(super) jti: Digest,
    pub(super) now: Timestamp,
    pub(super) expires_at: Timestamp,
}

#[async_trait]
impl Verb for TakeAssertion {
    type Answer = AssertionUse;
    const FOOTPRINT: Footprint = Footprint::Several;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<AssertionUse, Failure> {
        // What ended makes room, a little at a time; the rest is pruned.
        sqlx::query(EXPIRED)
            .bind(&self.client_id)
            .bind(self.now.0)
            .execute(&mut *connection)
            .await?;
        let full: bool = sqlx::query_scalar(FULL)
            .bind(&self.client_id)
            .bind(i64::from(MOST_ASSERTIONS) - 1)
            .fetch_one(&mut *connection)
            .await?;
        if full {
            return Ok(AssertionUse::TooMany);
        }
        let taken = sqlx::query(TAKE)
            .bind(&self.client_id)
            .bind(self.jti.as_bytes().as_slice())
            .bind(self.expires_at.0)
            .execute(connection)
            .await?;
        Ok(if taken.rows_affected() == 1 || weakened("a_086") {
            AssertionUse::First
        } else {
            AssertionUse::Again
        })
    }
}

const EXPIRED: &str = "DELETE FROM client_assertions WHERE (client_id, jti) IN
     (SELECT client_id, jti FROM client_assertions WHERE client_id = $1 AND expires_at <= $2
      LIMIT 100)";
const FULL: &str = "SELECT EXISTS
     (SELECT 1 FROM client_assertions WHERE client_id = $1 LIMIT 1 OFFSET $2)";
const TAKE: &str = "INSERT INTO client_assertions (client_id, jti, expires_at)
     VALUES ($1, $2, $3) ON CONFLICT (client_id, jti) DO NOTHING";
