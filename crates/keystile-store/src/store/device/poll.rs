//! A device shows its code: one statement matches and spends it (STYLE rule 5, CHECKLIST R8).

use async_trait::async_trait;
use keystile_domain::records::{
    DEVICE_JITTER, DEVICE_SLOWER, DEVICE_SLOWEST, DeviceMismatch, DeviceOutcome, DevicePoll,
    TakenCode,
};
use keystile_domain::time::Timestamp;
use sqlx::SqliteConnection;

use crate::failure::Failure;
use crate::row;
use crate::weaken::statement;
use crate::writer::{Footprint, Verb};

pub(super) struct Poll {
    pub(super) poll: DevicePoll,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Verb for Poll {
    type Answer = DeviceOutcome;
    const FOOTPRINT: Footprint = Footprint::Several;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<DeviceOutcome, Failure> {
        let spent: Option<String> = sqlx::query_scalar(statement(SPEND, SPEND_CHECKS))
            .bind(self.poll.code.as_bytes().as_slice())
            .bind(&self.poll.client_id)
            .bind(&self.poll.resource)
            .bind(self.now.0)
            .bind(i64::from(self.poll.client_proved))
            .fetch_optional(&mut *connection)
            .await?;
        if let Some(grant) = spent {
            let taken = self.activate(&grant, connection).await?;
            return Ok(DeviceOutcome::First(taken));
        }
        let millis =
            |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let hasty: Option<i64> = sqlx::query_scalar(statement(WAIT, WAIT_CHECKS))
            .bind(self.poll.code.as_bytes().as_slice())
            .bind(&self.poll.client_id)
            .bind(self.now.0)
            .bind(millis(DEVICE_JITTER))
            .bind(millis(DEVICE_SLOWER))
            .bind(millis(DEVICE_SLOWEST))
            .bind(i64::from(self.poll.client_proved))
            .fetch_optional(&mut *connection)
            .await?;
        match hasty {
            Some(0) => Ok(DeviceOutcome::Pending),
            Some(_) => Ok(DeviceOutcome::TooSoon),
            None => self.explain(connection).await,
        }
    }
}

impl Poll {
    /// From now on the grant has tokens.
    async fn activate(
        &self,
        grant: &str,
        connection: &mut SqliteConnection,
    ) -> Result<TakenCode, Failure> {
        let (person, resource, scopes): (String, String, String) = sqlx::query_as(
            "UPDATE grants SET activated_at = $2, last_used_at = $2 WHERE id = $1
             RETURNING person_id, resource, scopes",
        )
        .bind(grant)
        .bind(self.now.0)
        .fetch_one(connection)
        .await?;
        Ok(TakenCode {
            grant: row::parse(grant, "device_requests.grant_id")?,
            person: row::parse(&person, "grants.person_id")?,
            resource,
            scopes: row::parse(&scopes, "grants.scopes")?,
        })
    }

    /// Nothing was spent: says why.
    async fn explain(&self, connection: &mut SqliteConnection) -> Result<DeviceOutcome, Failure> {
        type Row = (
            String,
            i64,
            String,
            Option<i64>,
            Option<String>,
            Option<i64>,
            i64,
        );
        let row: Option<Row> = sqlx::query_as(
            "SELECT client_id, client_proves, resource, answered_at, grant_id, spent_at, expires_at
             FROM device_requests WHERE device_code = $1",
        )
        .bind(self.poll.code.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
        let Some((client, proves, resource, answered_at, grant, spent_at, expires_at)) = row else {
            return Ok(DeviceOutcome::No(DeviceMismatch::Unknown));
        };
        let asked = &self.poll.resource;
        let mismatch = if client != self.poll.client_id {
            DeviceMismatch::Client
        } else if proves > i64::from(self.poll.client_proved) {
            DeviceMismatch::ClientProof
        } else if answered_at.is_some() && grant.is_none() {
            DeviceMismatch::Denied
        } else if spent_at.is_some() {
            DeviceMismatch::Used
        } else if expires_at <= self.now.0 {
            DeviceMismatch::Expired
        } else if asked.as_ref().is_some_and(|asked| *asked != resource) {
            DeviceMismatch::Resource
        } else {
            DeviceMismatch::Revoked
        };
        Ok(DeviceOutcome::No(mismatch))
    }
}

const SPEND: &str = "UPDATE device_requests SET spent_at = $4
     WHERE device_code = $1 AND client_id = $2 AND client_proves <= $5
     AND (CAST($3 AS TEXT) IS NULL OR resource = $3)
     AND spent_at IS NULL AND expires_at > $4
     AND EXISTS (SELECT 1 FROM grants g JOIN people p ON p.id = g.person_id
         WHERE g.id = device_requests.grant_id
         AND g.revoked_at IS NULL AND g.expires_at > $4 AND p.disabled_at IS NULL)
     AND NOT EXISTS (SELECT 1 FROM disabled_clients d
         WHERE d.client_id = device_requests.client_id AND d.enabled_at IS NULL)
     RETURNING grant_id";

const SPEND_CHECKS: &[(&str, &str, &str)] = &[
    ("rfc_8628a", "spent_at IS NULL", "TRUE"),
    ("n_as_32d", "client_proves <= $5", "TRUE"),
    ("rfc_8628b", "client_id = $2", "$2 IS NOT NULL"),
];

/// Judged and kept in one statement: of two polls at once, the second one comes too soon.
const WAIT: &str = "UPDATE device_requests SET
         hasty = CASE WHEN $3 < polled_at + pace - $4 THEN 1 ELSE 0 END,
         pace = CASE WHEN $3 < polled_at + pace - $4 THEN min(pace + $5, $6) ELSE pace END,
         polled_at = $3
     WHERE device_code = $1 AND client_id = $2 AND client_proves <= $7 AND answered_at IS NULL AND expires_at > $3
     RETURNING hasty";

const WAIT_CHECKS: &[(&str, &str, &str)] = &[("rfc_8628c", "THEN 1 ELSE 0", "THEN 0 ELSE 0")];
