use async_trait::async_trait;
use keystile_domain::ports::{Clients, StoreError};
use keystile_domain::records::{AssertionUse, ClientSecrets, MOST_ASSERTIONS, PreRegisteredClient};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;

use super::{MemoryStore, State};

#[async_trait]
impl Clients for MemoryStore {
    async fn add(
        &self,
        client: PreRegisteredClient,
        secret: Option<Digest>,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let id = client.client_id.clone();
        if state.clients.contains_key(&id) {
            return Ok(false);
        }
        let secrets = secret.into_iter().map(|digest| (digest, None)).collect();
        state.secrets.insert(id.clone(), secrets);
        state.end_given(&id, client.created_at);
        state.clients.insert(id, client);
        Ok(true)
    }

    async fn lookup(&self, client_id: &str) -> Result<Option<PreRegisteredClient>, StoreError> {
        Ok(self.state().clients.get(client_id).cloned())
    }

    async fn list(&self) -> Result<Vec<PreRegisteredClient>, StoreError> {
        let mut clients: Vec<_> = self.state().clients.values().cloned().collect();
        clients.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(clients)
    }

    async fn secrets(&self, client_id: &str, now: Timestamp) -> Result<ClientSecrets, StoreError> {
        let state = self.state();
        let kept = state.secrets.get(client_id).into_iter().flatten();
        let alive = kept.filter(|(_, until)| until.is_none_or(|until| now < until));
        Ok(ClientSecrets(alive.map(|(digest, _)| *digest).collect()))
    }

    async fn rotate_secret(
        &self,
        client_id: &str,
        secret: Digest,
        now: Timestamp,
        old_until: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(kept) = state.secrets.get_mut(client_id) else {
            return Ok(false);
        };
        kept.retain(|(_, until)| until.is_none() && now < old_until);
        for (_, until) in kept.iter_mut() {
            *until = Some(old_until);
        }
        kept.push((secret, None));
        Ok(true)
    }

    async fn replace(
        &self,
        was: PreRegisteredClient,
        becomes: PreRegisteredClient,
        secret: Option<Digest>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.clients.get(&was.client_id) != Some(&was) {
            return Ok(false);
        }
        if secret.is_some() || !becomes.auth_method.is_shared_secret() {
            let secrets = secret.into_iter().map(|digest| (digest, None)).collect();
            state.secrets.insert(was.client_id.clone(), secrets);
        }
        if was.scopes != becomes.scopes || was.grant_types != becomes.grant_types {
            state.end_its_own(&was.client_id, "client_changed", now);
        }
        state.clients.insert(was.client_id, becomes);
        Ok(true)
    }

    async fn remove(&self, client_id: &str, now: Timestamp) -> Result<Option<u64>, StoreError> {
        let mut state = self.state();
        if state.clients.remove(client_id).is_none() {
            return Ok(None);
        }
        state.secrets.remove(client_id);
        state.devices.retain(|_, device| !device.is_of(client_id));
        state.kept_out.remove(client_id);
        let given = state.end_given(client_id, now);
        Ok(Some(
            given + state.end_its_own(client_id, "client_removed", now),
        ))
    }

    async fn disable(&self, client_id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state();
        let news = !state.kept_out.contains_key(client_id);
        if news {
            state.kept_out.insert(client_id.to_owned(), now);
            state.dead_until.insert(client_id.to_owned(), now);
        }
        Ok(news)
    }

    async fn enable(&self, client_id: &str) -> Result<bool, StoreError> {
        Ok(self.state().kept_out.remove(client_id).is_some())
    }

    async fn disabled_since(&self, client_id: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.state().kept_out.get(client_id).copied())
    }

    async fn disabled(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let state = self.state();
        let kept_out = state.kept_out.iter();
        Ok(kept_out.map(|(id, at)| (id.clone(), *at)).collect())
    }

    async fn take_assertion(
        &self,
        client_id: &str,
        jti: Digest,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<AssertionUse, StoreError> {
        let assertions = &mut self.state().assertions;
        assertions.retain(|_, until| now < *until);
        let own = assertions.keys().filter(|(id, _)| id == client_id).count();
        if own >= MOST_ASSERTIONS as usize {
            return Ok(AssertionUse::TooMany);
        }
        let earlier = assertions.insert((client_id.to_owned(), jti), expires_at);
        Ok(match earlier {
            None => AssertionUse::First,
            Some(_) => AssertionUse::Again,
        })
    }
}

impl State {
    /// Ends what people gave a client; answers how many grants that were.
    fn end_given(&mut self, client_id: &str, now: Timestamp) -> u64 {
        let given = self.families.values_mut();
        let given = given.filter(|family| family.grant.client_id == client_id);
        given
            .filter_map(|family| family.revoke("client_removed", now).then_some(()))
            .count() as u64
    }

    /// Ends what a client holds for itself.
    fn end_its_own(&mut self, client_id: &str, why: &str, now: Timestamp) -> u64 {
        let own = self.services.values_mut();
        let own = own.filter(|own| own.client_id == client_id && own.revoked_at.is_none());
        let own = own.map(|own| {
            own.revoked_at = Some(now);
            own.revoked_why = Some(why.to_owned());
        });
        own.count() as u64
    }
}
