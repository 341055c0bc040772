//! Requests of devices.

use async_trait::async_trait;
use keystile_domain::ids::{DeviceRequestId, GrantId};
use keystile_domain::ports::{DeviceRequests, StoreError};
use keystile_domain::records::{
    DEVICE_INTERVAL, DEVICE_JITTER, DEVICE_KEPT, DEVICE_SLOWER, DEVICE_SLOWEST, DeviceAnswered,
    DeviceApproval, DeviceBegun, DeviceMismatch, DeviceOutcome, DevicePoll, DeviceRequest,
    GrantRecord, MOST_DEVICE_REQUESTS, NewDeviceRequest, TakenCode,
};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use keystile_protocol::mutation::weakened;

use super::grants::Family;
use super::{MemoryStore, State};

/// A request and what became of it.
pub(super) struct Kept {
    new: NewDeviceRequest,
    pace: std::time::Duration,
    polled_at: Option<Timestamp>,
    answer: Option<Option<GrantId>>,
    spent: bool,
}

impl Kept {
    pub(super) fn is_of(&self, client_id: &str) -> bool {
        self.new.asked.client.client_id == client_id
    }

    fn waits(&self, now: Timestamp) -> bool {
        self.answer.is_none() && self.new.asked.expires_at > now
    }
}

impl MemoryStore {
    /// How many requests of devices are kept.
    #[must_use]
    pub fn device_request_count(&self) -> usize {
        self.state().devices.len()
    }

    fn waiting(&self, wanted: impl Fn(&Kept) -> bool, now: Timestamp) -> Option<DeviceRequest> {
        let state = self.state();
        let mut waiting = state.devices.values().filter(|kept| kept.waits(now));
        waiting
            .find(|kept| wanted(kept))
            .map(|kept| kept.new.asked.clone())
    }
}

#[async_trait]
impl DeviceRequests for MemoryStore {
    async fn begin(
        &self,
        request: NewDeviceRequest,
        now: Timestamp,
    ) -> Result<DeviceBegun, StoreError> {
        let devices = &mut self.state().devices;
        devices.retain(|_, kept| kept.new.asked.expires_at.plus(DEVICE_KEPT) > now);
        let mut taken = devices.values();
        if taken.any(|kept| kept.new.user_code == request.user_code) {
            return Ok(DeviceBegun::CodeTaken);
        }
        if devices.len() >= MOST_DEVICE_REQUESTS as usize {
            return Ok(DeviceBegun::TooMany);
        }
        let kept = Kept {
            new: request,
            pace: DEVICE_INTERVAL,
            polled_at: None,
            answer: None,
            spent: false,
        };
        devices.insert(kept.new.id, kept);
        Ok(DeviceBegun::Kept)
    }

    async fn find(
        &self,
        user_code: Digest,
        now: Timestamp,
    ) -> Result<Option<DeviceRequest>, StoreError> {
        Ok(self.waiting(|kept| kept.new.user_code == user_code, now))
    }

    async fn lookup(
        &self,
        id: DeviceRequestId,
        now: Timestamp,
    ) -> Result<Option<DeviceRequest>, StoreError> {
        Ok(self.waiting(|kept| kept.new.id == id, now))
    }

    async fn approve(&self, approval: DeviceApproval) -> Result<DeviceAnswered, StoreError> {
        let mut state = self.state();
        let person = state.people.get(&approval.person);
        let Some(person) = person.filter(|person| person.disabled_at.is_none()) else {
            return Ok(DeviceAnswered::PersonGone);
        };
        let person_name = person.name.clone();
        let State {
            devices, kept_out, ..
        } = &mut *state;
        let kept = devices.get_mut(&approval.request);
        let kept = kept.filter(|kept| kept.waits(approval.created_at));
        let Some(kept) =
            kept.filter(|kept| !kept_out.contains_key(&kept.new.asked.client.client_id))
        else {
            return Ok(DeviceAnswered::TooLate);
        };
        kept.answer = Some(Some(approval.grant));
        let asked = &kept.new.asked;
        let grant = GrantRecord {
            id: approval.grant,
            person: approval.person,
            person_name,
            client_id: asked.client.client_id.clone(),
            client_name: approval.client_name,
            client_proves: asked.client.proves,
            resource: asked.resource.clone(),
            scopes: approval.scopes,
            created_at: approval.created_at,
            last_used_at: None,
            expires_at: approval.grant_expires_at,
            revoked_at: None,
            revoked_why: None,
        };
        state.families.insert(approval.grant, Family::new(grant));
        Ok(DeviceAnswered::First)
    }

    async fn deny(&self, id: DeviceRequestId, now: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state();
        let kept = state.devices.get_mut(&id).filter(|kept| kept.waits(now));
        Ok(kept.is_some_and(|kept| kept.answer.replace(None).is_none()))
    }

    async fn poll(&self, poll: DevicePoll, now: Timestamp) -> Result<DeviceOutcome, StoreError> {
        let mut state = self.state();
        let id = state.devices.values();
        let id = id.filter(|kept| kept.new.device_code == poll.code);
        let Some(id) = id.map(|kept| kept.new.id).next() else {
            return Ok(DeviceOutcome::No(DeviceMismatch::Unknown));
        };
        Ok(state.shown(id, &poll, now))
    }
}

impl State {
    fn shown(&mut self, id: DeviceRequestId, poll: &DevicePoll, now: Timestamp) -> DeviceOutcome {
        let kept = self.devices.get_mut(&id).expect("it was found");
        let asked = &kept.new.asked;
        if asked.client.client_id != poll.client_id && !weakened("rfc_8628b") {
            return DeviceOutcome::No(DeviceMismatch::Client);
        }
        if asked.client.proves && !poll.client_proved && !weakened("n_as_32d") {
            return DeviceOutcome::No(DeviceMismatch::ClientProof);
        }
        if kept.waits(now) {
            let due = |at: Timestamp| at.plus(kept.pace.saturating_sub(DEVICE_JITTER));
            let hasty = kept.polled_at.is_some_and(|at| now < due(at));
            kept.polled_at = Some(now);
            if hasty && !weakened("rfc_8628c") {
                kept.pace = (kept.pace + DEVICE_SLOWER).min(DEVICE_SLOWEST);
                return DeviceOutcome::TooSoon;
            }
            return DeviceOutcome::Pending;
        }
        if kept.answer == Some(None) {
            return DeviceOutcome::No(DeviceMismatch::Denied);
        }
        if kept.spent && !weakened("rfc_8628a") {
            return DeviceOutcome::No(DeviceMismatch::Used);
        }
        let Some(grant) = kept.answer.flatten().filter(|_| asked.expires_at > now) else {
            return DeviceOutcome::No(DeviceMismatch::Expired);
        };
        if poll
            .resource
            .as_ref()
            .is_some_and(|it| *it != asked.resource)
        {
            return DeviceOutcome::No(DeviceMismatch::Resource);
        }
        let record = &self.families[&grant].grant;
        if record.revoked_at.is_some() || self.is_disabled(record) {
            return DeviceOutcome::No(DeviceMismatch::Revoked);
        }
        let taken = TakenCode {
            grant,
            person: record.person,
            resource: record.resource.clone(),
            scopes: record.scopes.clone(),
        };
        self.families
            .get_mut(&grant)
            .expect("it was looked at")
            .activate(now);
        self.devices.get_mut(&id).expect("it was found").spent = true;
        DeviceOutcome::First(taken)
    }
}
