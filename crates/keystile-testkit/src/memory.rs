//! The store's ports in memory, with the semantics that the ports promise.

mod clients;
mod device;
mod grants;
mod people;
mod registrations;
mod revocations;
mod service_grants;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use keystile_domain::ids::{
    DeviceRequestId, GrantId, InitialAccessTokenId, PersonId, TransactionId,
};
use keystile_domain::ports::{Bindings, StoreError};
use keystile_domain::records::{
    Bound, InitialAccessToken, PersonRecord, PreRegisteredClient, ServiceGrant, SessionRecord,
    SetupCode,
};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;

use self::grants::{Code, Family};

/// One store for every port. Each verb holds the lock from its first look to its last change, so
/// there is one winner.
#[derive(Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Default)]
struct State {
    people: BTreeMap<PersonId, PersonRecord>,
    setup_code: Option<SetupCode>,
    sessions: HashMap<Digest, SessionRecord>,
    clients: BTreeMap<String, PreRegisteredClient>,
    secrets: HashMap<String, Vec<(Digest, Option<Timestamp>)>>,
    kept_out: BTreeMap<String, Timestamp>,
    dead_until: HashMap<String, Timestamp>,
    assertions: HashMap<(String, Digest), Timestamp>,
    services: BTreeMap<GrantId, ServiceGrant>,
    families: BTreeMap<GrantId, Family>,
    codes: HashMap<Digest, Code>,
    answered: HashSet<TransactionId>,
    devices: BTreeMap<DeviceRequestId, device::Kept>,
    bindings: HashMap<String, String>,
    initial_access_tokens: BTreeMap<InitialAccessTokenId, (Digest, InitialAccessToken)>,
    approved_places: BTreeMap<String, Timestamp>,
}

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds this")
    }

    /// Keeps a person from signing in, as an operator would.
    pub fn disable(&self, person: PersonId, now: Timestamp) {
        if let Some(person) = self.state().people.get_mut(&person) {
            person.disabled_at = Some(now);
        }
    }

    /// How many sessions are kept, alive or not.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.state().sessions.len()
    }
}

#[async_trait]
impl Bindings for MemoryStore {
    async fn bind(
        &self,
        name: &str,
        fingerprint: &str,
        _now: Timestamp,
    ) -> Result<Bound, StoreError> {
        let bindings = &mut self.state().bindings;
        Ok(match bindings.get(name) {
            Some(bound) if bound == fingerprint => Bound::Same,
            Some(bound) => Bound::Other(bound.clone()),
            None => {
                bindings.insert(name.to_owned(), fingerprint.to_owned());
                Bound::New
            }
        })
    }

    async fn rebind(
        &self,
        name: &str,
        fingerprint: &str,
        path: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut state = self.state();
        state
            .bindings
            .insert(name.to_owned(), fingerprint.to_owned());
        let for_it = |family: &&mut Family| family.grant.resource.ends_with(path);
        let given = state
            .families
            .values_mut()
            .filter(for_it)
            .filter_map(|family| family.revoke("rebound", now).then_some(()))
            .count();
        let own = state
            .services
            .values_mut()
            .filter(|own| own.revoked_at.is_none() && own.resource.ends_with(path));
        let own = own.map(|own| {
            own.revoked_at = Some(now);
            own.revoked_why = Some("rebound".to_owned());
        });
        Ok((given + own.count()) as u64)
    }
}
