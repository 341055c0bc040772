//! Which upstream stands behind which name (DESIGN §2).

use async_trait::async_trait;
use keystile_domain::ids::GrantId;
use keystile_domain::ports::{Bindings, StoreError};
use keystile_domain::records::Bound;
use keystile_domain::time::Timestamp;
use sqlx::SqliteConnection;

use super::Store;
use crate::failure::Failure;
use crate::feed::RevocationFeed;
use crate::row;
use crate::writer::{Footprint, Verb};

#[async_trait]
impl Bindings for Store {
    async fn bind(
        &self,
        name: &str,
        fingerprint: &str,
        now: Timestamp,
    ) -> Result<Bound, StoreError> {
        let (name, fingerprint) = (name.to_owned(), fingerprint.to_owned());
        self.writer
            .run(Bind {
                name,
                fingerprint,
                now,
            })
            .await
    }

    async fn rebind(
        &self,
        name: &str,
        fingerprint: &str,
        path: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let bind = Bind {
            name: name.to_owned(),
            fingerprint: fingerprint.to_owned(),
            now,
        };
        let revoked = self
            .writer
            .run(Rebind {
                bind,
                path: path.to_owned(),
            })
            .await?;
        Ok(revoked.iter().filter(|(_, alive)| *alive).count() as u64)
    }
}

struct Bind {
    name: String,
    fingerprint: String,
    now: Timestamp,
}

#[async_trait]
impl Verb for Bind {
    type Answer = Bound;
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Bound, Failure> {
        let done = sqlx::query(
            "INSERT INTO bindings (name, fingerprint, bound_at) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(&self.name)
        .bind(&self.fingerprint)
        .bind(self.now.0)
        .execute(&mut *connection)
        .await?;
        if done.rows_affected() == 1 {
            return Ok(Bound::New);
        }
        let bound: String = sqlx::query_scalar("SELECT fingerprint FROM bindings WHERE name = $1")
            .bind(&self.name)
            .fetch_one(connection)
            .await?;
        Ok(if bound == self.fingerprint {
            Bound::Same
        } else {
            Bound::Other(bound)
        })
    }
}

struct Rebind {
    bind: Bind,
    path: String,
}

#[async_trait]
impl Verb for Rebind {
    /// What was revoked, and whether it was alive until then.
    type Answer = Vec<(GrantId, bool)>;
    const FOOTPRINT: Footprint = Footprint::Several;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Self::Answer, Failure> {
        sqlx::query(
            "INSERT INTO bindings (name, fingerprint, bound_at) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET fingerprint = $2, bound_at = $3",
        )
        .bind(&self.bind.name)
        .bind(&self.bind.fingerprint)
        .bind(self.bind.now.0)
        .execute(&mut *connection)
        .await?;
        let revoked: Vec<(String, i64)> = sqlx::query_as(
            "UPDATE grants SET revoked_at = $2, revoked_why = 'rebound'
             WHERE resource LIKE '%' || $1 AND revoked_at IS NULL RETURNING id, expires_at",
        )
        .bind(&self.path)
        .bind(self.bind.now.0)
        .fetch_all(&mut *connection)
        .await?;
        let alive = |(id, expires_at): (String, i64)| {
            Ok((row::parse(&id, "grants.id")?, expires_at > self.bind.now.0))
        };
        let mut revoked = revoked
            .into_iter()
            .map(alive)
            .collect::<Result<Vec<_>, Failure>>()?;
        // What clients hold for themselves: it has no end of its own.
        let own: Vec<String> = sqlx::query_scalar(
            "UPDATE service_grants SET revoked_at = $2, revoked_why = 'rebound'
             WHERE resource LIKE '%' || $1 AND revoked_at IS NULL RETURNING id",
        )
        .bind(&self.path)
        .bind(self.bind.now.0)
        .fetch_all(connection)
        .await?;
        for id in own {
            revoked.push((row::parse(&id, "service_grants.id")?, true));
        }
        Ok(revoked)
    }

    fn committed(&self, revoked: &Self::Answer, feed: &RevocationFeed) {
        let grants: Vec<GrantId> = revoked.iter().map(|(grant, _)| *grant).collect();
        feed.revoke(&grants, self.bind.now);
    }
}
