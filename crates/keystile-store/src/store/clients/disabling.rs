//! Clients of any kind that an operator keeps out, and lets in again.

use async_trait::async_trait;
use keystile_domain::time::Timestamp;
use keystile_protocol::mutation::weakened;
use sqlx::SqliteConnection;

use crate::failure::Failure;
use crate::feed::RevocationFeed;
use crate::writer::{Footprint, Verb};

pub(super) struct Disable {
    pub(super) client_id: String,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Verb for Disable {
    type Answer = bool;
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<bool, Failure> {
        let done = sqlx::query(
            "INSERT INTO disabled_clients (client_id, disabled_at) VALUES ($1, $2)
             ON CONFLICT (client_id) DO UPDATE SET disabled_at = $2, enabled_at = NULL
             WHERE enabled_at IS NOT NULL",
        )
        .bind(&self.client_id)
        .bind(self.now.0)
        .execute(connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    fn committed(&self, changed: &bool, feed: &RevocationFeed) {
        if *changed && !weakened("a_025") {
            feed.keep_out(&self.client_id, self.now);
        }
    }
}

pub(super) struct Enable {
    pub(super) client_id: String,
}

#[async_trait]
impl Verb for Enable {
    type Answer = bool;
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<bool, Failure> {
        let done = sqlx::query(
            "UPDATE disabled_clients SET enabled_at = disabled_at
             WHERE client_id = $1 AND enabled_at IS NULL",
        )
        .bind(&self.client_id)
        .execute(connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    fn committed(&self, changed: &bool, feed: &RevocationFeed) {
        if *changed {
            feed.let_in(&self.client_id);
        }
    }
}
