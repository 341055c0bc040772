//! What can be forgotten is forgotten, a little at a time, so that nobody waits for it long.

use std::time::Duration;

use async_trait::async_trait;
use keystile_domain::ports::StoreError;
use keystile_domain::records::DEVICE_KEPT;
use keystile_domain::time::Timestamp;
use sqlx::SqliteConnection;

use super::Store;
use crate::failure::Failure;
use crate::feed::MEMORY;
use crate::writer::{Footprint, Verb};

/// What one round of pruning removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Codes, spent or not, a day after they expired: a replay is then merely unknown.
    pub codes: u64,
    /// Sessions that expired.
    pub sessions: u64,
    /// Grants whose code was never redeemed, and those dead for 90 days.
    pub grants: u64,
    /// There may be more: run it again soon.
    pub more: bool,
}

impl Store {
    /// Removes up to a thousand rows of each kind that nothing needs any more, and forgets old
    /// revocations. For the program to call from time to time, and again while `more` is set.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was removed.
    pub async fn prune(&self, now: Timestamp) -> Result<Pruned, StoreError> {
        self.feed.prune(now);
        let after = self.walk.lock().clone();
        let (pruned, next) = self.writer.run(Prune { now, after }).await?;
        *self.walk.lock() = next;
        Ok(pruned)
    }
}

struct Prune {
    now: Timestamp,
    /// Codes, expired grants and those without tokens have no index (each sign-in or refresh would touch it): they are
    /// found by walking all grants in the order of their ids, some thousands at a time.
    after: String,
}

#[async_trait]
impl Verb for Prune {
    /// What was removed, and where the next walk begins.
    type Answer = (Pruned, String);
    const FOOTPRINT: Footprint = Footprint::Several;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Self::Answer, Failure> {
        let sessions = delete(connection, SESSIONS, self.now.0).await?;
        let revoked = delete(connection, REVOKED, before(self.now, HISTORY)).await?;
        let services = delete(connection, SERVICES, before(self.now, HISTORY)).await?;
        let assertions = delete(connection, ASSERTIONS, self.now.0).await?;
        delete(connection, OLD_SECRETS, self.now.0).await?;
        delete(connection, LET_IN, before(self.now, MEMORY)).await?;
        delete(connection, INITIAL_ACCESS, before(self.now, HISTORY)).await?;
        delete(connection, DEVICES, before(self.now, DEVICE_KEPT)).await?;
        let last: Option<String> = sqlx::query_scalar(WALK)
            .bind(&self.after)
            .fetch_one(&mut *connection)
            .await?;
        let (codes, walked) = match &last {
            None => (0, 0),
            Some(last) => self.step(connection, last).await?,
        };
        let rounds = [sessions, revoked, services, assertions];
        let more = last.is_some() || rounds.contains(&AT_ONCE);
        let pruned = Pruned {
            codes,
            sessions,
            grants: revoked + services + walked,
            more,
        };
        Ok((pruned, last.unwrap_or_default()))
    }
}

impl Prune {
    /// The next step of the walk, up to and with the grant `last`: how many codes went, and how many grants.
    async fn step(
        &self,
        connection: &mut SqliteConnection,
        last: &str,
    ) -> Result<(u64, u64), Failure> {
        let mut counts = [0; 3];
        let rounds = [(NEVER_USED, REPLAY), (EXPIRED, HISTORY), (CODES, REPLAY)];
        for (count, (sql, age)) in counts.iter_mut().zip(rounds) {
            let done = sqlx::query(sql)
                .bind(&self.after)
                .bind(last)
                .bind(before(self.now, age))
                .execute(&mut *connection)
                .await?;
            *count = done.rows_affected();
        }
        let [unused, expired, codes] = counts;
        Ok((codes, unused + expired))
    }
}

async fn delete(
    connection: &mut SqliteConnection,
    sql: &'static str,
    before: i64,
) -> Result<u64, Failure> {
    Ok(sqlx::query(sql)
        .bind(before)
        .execute(connection)
        .await?
        .rows_affected())
}

fn before(now: Timestamp, age: Duration) -> i64 {
    now.0
        .saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

const SESSIONS: &str = "DELETE FROM sessions WHERE digest IN
     (SELECT digest FROM sessions WHERE expires_at <= $1 LIMIT 1000)";
const REVOKED: &str = "DELETE FROM grants WHERE id IN
     (SELECT id FROM grants WHERE revoked_at IS NOT NULL AND revoked_at <= $1 LIMIT 1000)";
const SERVICES: &str = "DELETE FROM service_grants WHERE id IN
     (SELECT id FROM service_grants WHERE revoked_at IS NOT NULL AND revoked_at <= $1 LIMIT 1000)";
const ASSERTIONS: &str = "DELETE FROM client_assertions WHERE (client_id, jti) IN
     (SELECT client_id, jti FROM client_assertions WHERE expires_at <= $1 LIMIT 1000)";
/// As few as there are clients.
const OLD_SECRETS: &str = "DELETE FROM client_secrets WHERE expires_at <= $1";
/// Whose dead tokens are too old by now.
const LET_IN: &str =
    "DELETE FROM disabled_clients WHERE enabled_at IS NOT NULL AND disabled_at <= $1";
/// There are a thousand of them at most.
const INITIAL_ACCESS: &str = "DELETE FROM initial_access_tokens WHERE expires_at <= $1";
/// So are these, for ten minutes each.
const DEVICES: &str = "DELETE FROM device_requests WHERE expires_at <= $1";
const AT_ONCE: u64 = 1_000;

const WALK: &str =
    "SELECT max(id) FROM (SELECT id FROM grants WHERE id > $1 ORDER BY id LIMIT 5000) AS step";
const CODES: &str = "UPDATE grants
     SET code = NULL, code_redirect_uri = NULL, code_challenge = NULL, code_expires_at = NULL
     WHERE id > $1 AND id <= $2 AND code_expires_at <= $3";
const NEVER_USED: &str =
    "DELETE FROM grants WHERE id > $1 AND id <= $2 AND activated_at IS NULL AND created_at <= $3";
const EXPIRED: &str = "DELETE FROM grants WHERE id > $1 AND id <= $2 AND expires_at <= $3";

/// How long a spent code is kept, so that its replay revokes what it minted.
const REPLAY: Duration = Duration::from_secs(86_400);
/// How long people can see what they revoked.
const HISTORY: Duration = Duration::from_secs(90 * 86_400);
