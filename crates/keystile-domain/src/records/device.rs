//! Requests of devices that have no browser of their own (RFC 8628).

use std::time::Duration;

use keystile_protocol::scope::ScopeSet;

use super::{CLIENT_PROOF, TakenCode};
use crate::client::ClientSnapshot;
use crate::ids::{DeviceRequestId, GrantId, PersonId};
use crate::secrets::digest::Digest;
use crate::secrets::reference::Reference;
use crate::time::Timestamp;

/// How long a person has, from the moment the device shows the code.
pub const DEVICE_LIFETIME: Duration = Duration::from_secs(600);

/// From one poll to the next, at first (RFC 8628 §3.5).
pub const DEVICE_INTERVAL: Duration = Duration::from_secs(5);

/// By so much it grows with each poll that comes too soon (RFC 8628 §3.5).
pub const DEVICE_SLOWER: Duration = Duration::from_secs(5);

/// It grows no further.
pub const DEVICE_SLOWEST: Duration = Duration::from_secs(60);

/// Networks and timers are not exact: so much sooner is not too soon.
pub const DEVICE_JITTER: Duration = Duration::from_secs(1);

/// An ended request is remembered so long, so that the device hears how it ended.
pub const DEVICE_KEPT: Duration = Duration::from_secs(600);

/// The most requests that are kept at a time, ended ones among them.
pub const MOST_DEVICE_REQUESTS: u32 = 10_000;

/// A request that a device makes.
#[derive(Debug, Clone)]
pub struct NewDeviceRequest {
    /// The id it will have.
    pub id: DeviceRequestId,
    /// Digest of what the device shows to get its tokens.
    pub device_code: Digest,
    /// Digest of what a person types.
    pub user_code: Digest,
    /// What it asks for.
    pub asked: DeviceRequest,
}

/// What a device asks for, and who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRequest {
    /// Its id; it can be answered once.
    pub id: DeviceRequestId,
    /// What the person reads out when it fails.
    pub reference: Reference,
    /// The client as it was when the request came.
    pub client: ClientSnapshot,
    /// `{server}`.
    pub server: String,
    /// Canonical resource.
    pub resource: String,
    /// What will be granted on yes.
    pub scopes: ScopeSet,
    /// When it came.
    pub created_at: Timestamp,
    /// Useless after this.
    pub expires_at: Timestamp,
}

/// What came of a device's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceBegun {
    /// It waits for its person.
    Kept,
    /// Another request has this user code: make another.
    CodeTaken,
    /// There are [`MOST_DEVICE_REQUESTS`].
    TooMany,
}

/// A yes to a device.
#[derive(Debug, Clone)]
pub struct DeviceApproval {
    /// The request that is answered.
    pub request: DeviceRequestId,
    /// The grant's id.
    pub grant: GrantId,
    /// Who said yes.
    pub person: PersonId,
    /// What the person saw as the client's name.
    pub client_name: String,
    /// What was allowed.
    pub scopes: ScopeSet,
    /// Now.
    pub created_at: Timestamp,
    /// When the grant ends unless it is used.
    pub grant_expires_at: Timestamp,
}

/// What came of an answer to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceAnswered {
    /// It counts.
    First,
    /// The request was answered before, has expired, or its client is kept out.
    TooLate,
    /// The person was disabled meanwhile.
    PersonGone,
}

/// What a token request shows of a device code.
#[derive(Debug, Clone)]
pub struct DevicePoll {
    /// Digest of the device code.
    pub code: Digest,
    /// The client that shows it.
    pub client_id: String,
    /// Whether it proved that, and did not merely say so.
    pub client_proved: bool,
    /// Canonical resource, if the request names one.
    pub resource: Option<String>,
}

/// The answer of `DeviceRequests::poll`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceOutcome {
    /// Allowed, and now spent; the grant is active.
    First(TakenCode),
    /// The person has not answered yet.
    Pending,
    /// The same, and the device asks too often.
    TooSoon,
    /// Nothing was spent.
    No(DeviceMismatch),
}

/// Why a device code is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceMismatch {
    /// No such code.
    Unknown,
    /// Given to another client.
    Client,
    /// Given to a client that has to prove who it is, and this one did not.
    ClientProof,
    /// The person said no.
    Denied,
    /// Nobody answered in time, or the device did not come back in time.
    Expired,
    /// Asked for another resource.
    Resource,
    /// It was used before.
    Used,
    /// The grant was revoked, or its person disabled.
    Revoked,
}

impl DeviceMismatch {
    /// The word for audit trail, log and doctor.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "device_code_unknown",
            Self::Client => "device_code_of_another_client",
            Self::ClientProof => CLIENT_PROOF,
            Self::Denied => "person_said_no",
            Self::Expired => "device_code_expired",
            Self::Resource => "device_code_for_another_resource",
            Self::Used => "device_code_used",
            Self::Revoked => "grant_revoked",
        }
    }
}
