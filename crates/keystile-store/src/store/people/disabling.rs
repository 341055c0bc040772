//! People that an operator keeps out: their sessions and grants end for good.

use async_trait::async_trait;
use keystile_domain::ids::PersonId;
use keystile_domain::time::Timestamp;
use keystile_protocol::mutation::weakened;
use sqlx::SqliteConnection;

use crate::failure::Failure;
use crate::feed::RevocationFeed;
use crate::writer::{Footprint, Verb};

pub(super) struct Disable {
    pub(super) person: PersonId,
    pub(super) now: Timestamp,
}

/// What ended with a person.
pub(super) struct Ended {
    /// Grants that were alive.
    pub(super) alive: u64,
}

#[async_trait]
impl Verb for Disable {
    /// `None` when there is no such person.
    type Answer = Option<Ended>;
    const FOOTPRINT: Footprint = Footprint::Several;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Self::Answer, Failure> {
        let id = self.person.to_string();
        // The first time counts, unless they were let in between.
        let found =
            sqlx::query("UPDATE people SET disabled_at = coalesce(disabled_at, $2) WHERE id = $1")
                .bind(&id)
                .bind(self.now.0)
                .execute(&mut *connection)
                .await?;
        if found.rows_affected() == 0 {
            return Ok(None);
        }
        sqlx::query("DELETE FROM sessions WHERE person_id = $1")
            .bind(&id)
            .execute(&mut *connection)
            .await?;
        let ended: Vec<i64> = sqlx::query_scalar(
            "UPDATE grants SET revoked_at = $2, revoked_why = 'person_disabled'
             WHERE person_id = $1 AND revoked_at IS NULL RETURNING expires_at",
        )
        .bind(&id)
        .bind(self.now.0)
        .fetch_all(connection)
        .await?;
        let alive = ended.iter().filter(|expires_at| **expires_at > self.now.0);
        Ok(Some(Ended {
            alive: alive.count() as u64,
        }))
    }

    fn committed(&self, ended: &Self::Answer, feed: &RevocationFeed) {
        if ended.is_some() && !weakened("a_025b") {
            feed.disable_person(&self.person.to_string(), self.now);
        }
    }
}

pub(super) struct Enable(pub(super) PersonId);

#[async_trait]
impl Verb for Enable {
    type Answer = bool;
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<bool, Failure> {
        let done = sqlx::query(
            "UPDATE people SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL",
        )
        .bind(self.0.to_string())
        .execute(connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
