//! Requests of devices (RFC 8628).

mod poll;

use async_trait::async_trait;
use keystile_domain::ids::DeviceRequestId;
use keystile_domain::ports::{DeviceRequests, StoreError};
use keystile_domain::records::{
    DEVICE_INTERVAL, DEVICE_KEPT, DeviceAnswered, DeviceApproval, DeviceBegun, DeviceMismatch,
    DeviceOutcome, DevicePoll, DeviceRequest, MOST_DEVICE_REQUESTS, NewDeviceRequest,
};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use sqlx::SqliteConnection;

use super::Store;
use crate::failure::Failure;
use crate::row;
use crate::writer::{Footprint, Verb};
use poll::Poll;

/// The columns of a [`DeviceRequest`] in its order.
type RequestRow = (String, String, String, String, String, String, i64, i64);

#[async_trait]
impl DeviceRequests for Store {
    async fn begin(
        &self,
        request: NewDeviceRequest,
        now: Timestamp,
    ) -> Result<DeviceBegun, StoreError> {
        self.writer.run(Begin { request, now }).await
    }

    async fn find(
        &self,
        user_code: Digest,
        now: Timestamp,
    ) -> Result<Option<DeviceRequest>, StoreError> {
        let row: Option<RequestRow> = sqlx::query_as(FIND)
            .bind(user_code.as_bytes().as_slice())
            .bind(now.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(row.map(request).transpose()?)
    }

    async fn lookup(
        &self,
        id: DeviceRequestId,
        now: Timestamp,
    ) -> Result<Option<DeviceRequest>, StoreError> {
        let row: Option<RequestRow> = sqlx::query_as(LOOKUP)
            .bind(id.to_string())
            .bind(now.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(row.map(request).transpose()?)
    }

    async fn approve(&self, approval: DeviceApproval) -> Result<DeviceAnswered, StoreError> {
        self.writer.run(Approve(approval)).await
    }

    async fn deny(&self, id: DeviceRequestId, now: Timestamp) -> Result<bool, StoreError> {
        self.writer.run(Deny { id, now }).await
    }

    async fn poll(&self, poll: DevicePoll, now: Timestamp) -> Result<DeviceOutcome, StoreError> {
        let known: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM device_requests WHERE device_code = $1)",
        )
        .bind(poll.code.as_bytes().as_slice())
        .fetch_one(&self.readers)
        .await
        .map_err(Failure::from)?;
        if !known {
            return Ok(DeviceOutcome::No(DeviceMismatch::Unknown));
        }
        self.writer.run(Poll { poll, now }).await
    }
}

fn request(row: RequestRow) -> Result<DeviceRequest, Failure> {
    let (id, reference, client, server, resource, scopes, created_at, expires_at) = row;
    Ok(DeviceRequest {
        id: row::parse(&id, "device_requests.id")?,
        reference: row::parse(&reference, "device_requests.reference")?,
        client: row::json(&client, "device_requests.client")?,
        server,
        resource,
        scopes: row::parse(&scopes, "device_requests.scopes")?,
        created_at: Timestamp(created_at),
        expires_at: Timestamp(expires_at),
    })
}

struct Begin {
    request: NewDeviceRequest,
    now: Timestamp,
}

#[async_trait]
impl Verb for Begin {
    type Answer = DeviceBegun;
    const FOOTPRINT: Footprint = Footprint::Several;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<DeviceBegun, Failure> {
        let NewDeviceRequest {
            id,
            device_code,
            user_code,
            asked,
        } = &self.request;
        let kept = i64::try_from(DEVICE_KEPT.as_millis()).unwrap_or(i64::MAX);
        sqlx::query(FORGET)
            .bind(self.now.0.saturating_sub(kept))
            .execute(&mut *connection)
            .await?;
        let done = sqlx::query(
            "INSERT INTO device_requests (id, device_code, user_code, reference, client_id, client,
                 server, resource, scopes, created_at, expires_at, pace, client_proves)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
             WHERE (SELECT count(*) FROM device_requests) < $14
             ON CONFLICT (user_code) DO NOTHING",
        )
        .bind(id.to_string())
        .bind(device_code.as_bytes().as_slice())
        .bind(user_code.as_bytes().as_slice())
        .bind(asked.reference.as_str())
        .bind(&asked.client.client_id)
        .bind(serde_json::to_string(&asked.client).expect("a client is plain data"))
        .bind(&asked.server)
        .bind(&asked.resource)
        .bind(asked.scopes.to_string())
        .bind(asked.created_at.0)
        .bind(asked.expires_at.0)
        .bind(i64::try_from(DEVICE_INTERVAL.as_millis()).unwrap_or(i64::MAX))
        .bind(i64::from(asked.client.proves))
        .bind(MOST_DEVICE_REQUESTS)
        .execute(&mut *connection)
        .await?;
        if done.rows_affected() == 1 {
            return Ok(DeviceBegun::Kept);
        }
        let taken = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM device_requests WHERE user_code = $1)",
        )
        .bind(user_code.as_bytes().as_slice())
        .fetch_one(connection)
        .await?;
        Ok(match taken {
            true => DeviceBegun::CodeTaken,
            false => DeviceBegun::TooMany,
        })
    }
}

struct Approve(DeviceApproval);

#[async_trait]
impl Verb for Approve {
    type Answer = DeviceAnswered;
    const FOOTPRINT: Footprint = Footprint::Several;

    /// One statement answers the request; the grant follows in the same transaction.
    async fn apply(&self, connection: &mut SqliteConnection) -> Result<DeviceAnswered, Failure> {
        let approval = &self.0;
        let person: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM people WHERE id = $1 AND disabled_at IS NULL)",
        )
        .bind(approval.person.to_string())
        .fetch_one(&mut *connection)
        .await?;
        if !person {
            return Ok(DeviceAnswered::PersonGone);
        }
        let answered: Option<(String, String, i64)> = sqlx::query_as(APPROVE)
            .bind(approval.request.to_string())
            .bind(approval.created_at.0)
            .bind(approval.grant.to_string())
            .fetch_optional(&mut *connection)
            .await?;
        let Some((client_id, resource, client_proves)) = answered else {
            return Ok(DeviceAnswered::TooLate);
        };
        sqlx::query(
            "INSERT INTO grants (id, transaction_id, person_id, client_id, client_name, resource,
                 scopes, created_at, expires_at, presented, client_proves)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10)",
        )
        .bind(approval.grant.to_string())
        .bind(approval.request.to_string())
        .bind(approval.person.to_string())
        .bind(client_id)
        .bind(&approval.client_name)
        .bind(resource)
        .bind(approval.scopes.to_string())
        .bind(approval.created_at.0)
        .bind(approval.grant_expires_at.0)
        .bind(client_proves)
        .execute(connection)
        .await?;
        Ok(DeviceAnswered::First)
    }
}

struct Deny {
    id: DeviceRequestId,
    now: Timestamp,
}

#[async_trait]
impl Verb for Deny {
    type Answer = bool;
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<bool, Failure> {
        let done = sqlx::query(
            "UPDATE device_requests SET answered_at = $2
             WHERE id = $1 AND answered_at IS NULL AND expires_at > $2",
        )
        .bind(self.id.to_string())
        .bind(self.now.0)
        .execute(connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

macro_rules! select_requests {
    ($rest:literal) => {
        concat!(
            "SELECT id, reference, client, server, resource, scopes, created_at, expires_at ",
            "FROM device_requests WHERE answered_at IS NULL AND expires_at > $2 AND ",
            $rest
        )
    };
}

const FIND: &str = select_requests!("user_code = $1");
const LOOKUP: &str = select_requests!("id = $1");

const APPROVE: &str = "UPDATE device_requests SET answered_at = $2, grant_id = $3
     WHERE id = $1 AND answered_at IS NULL AND expires_at > $2
     AND NOT EXISTS (SELECT 1 FROM disabled_clients d
         WHERE d.client_id = device_requests.client_id AND d.enabled_at IS NULL)
     RETURNING client_id, resource, client_proves";

/// A few at a time, so that nobody waits for it long; each new request makes room for more than one.
const FORGET: &str = "DELETE FROM device_requests WHERE id IN
     (SELECT id FROM device_requests WHERE expires_at <= $1 LIMIT 100)";
