//! People who get another password or are removed.

use async_trait::async_trait;
use keystile_domain::ids::PersonId;
use keystile_domain::time::Timestamp;
use sqlx::SqliteConnection;

use super::disabling::{Disable, Ended};
use crate::failure::Failure;
use crate::feed::RevocationFeed;
use crate::writer::{Footprint, Verb};

pub(super) struct SetPassword {
    pub(super) person: PersonId,
    pub(super) hash: String,
}

#[async_trait]
impl Verb for SetPassword {
    type Answer = bool;
    const FOOTPRINT: Footprint = Footprint::Several;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<bool, Failure> {
        let id = self.person.to_string();
        let found = sqlx::query("UPDATE people SET password_hash = $2 WHERE id = $1")
            .bind(&id)
            .bind(&self.hash)
            .execute(&mut *connection)
            .await?;
        sqlx::query("DELETE FROM sessions WHERE person_id = $1")
            .bind(&id)
            .execute(connection)
            .await?;
        Ok(found.rows_affected() == 1)
    }
}

pub(super) struct Remove {
    pub(super) person: PersonId,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Verb for Remove {
    /// `None` when there is no such person.
    type Answer = Option<Ended>;
    const FOOTPRINT: Footprint = Footprint::Several;

    /// The row stays, kept out, because grants that have ended name it; the name goes, and so does
    /// the password.
    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Self::Answer, Failure> {
        sqlx::query(
            "UPDATE people SET canonical = name || char(9) || id, password_hash = '' WHERE id = $1",
        )
        .bind(self.person.to_string())
        .execute(&mut *connection)
        .await?;
        self.disabling().apply(connection).await
    }

    fn committed(&self, ended: &Self::Answer, feed: &RevocationFeed) {
        self.disabling().committed(ended, feed);
    }
}

impl Remove {
    const fn disabling(&self) -> Disable {
        Disable {
            person: self.person,
            now: self.now,
        }
    }
}
