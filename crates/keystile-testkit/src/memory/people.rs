use async_trait::async_trait;
use keystile_domain::ids::PersonId;
use keystile_domain::ports::{People, Sessions, StoreError};
use keystile_domain::records::{
    NewPerson, PersonCreated, PersonRecord, SessionRecord, SetupCode, canonical_name,
};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;

use super::{MemoryStore, State};

#[async_trait]
impl People for MemoryStore {
    async fn has_anybody(&self) -> Result<bool, StoreError> {
        Ok(!self.state().people.is_empty())
    }

    async fn create_first(
        &self,
        person: NewPerson,
        code: Digest,
    ) -> Result<PersonCreated, StoreError> {
        let mut state = self.state();
        if !state.people.is_empty() {
            return Ok(PersonCreated::CodeSpent);
        }
        let right = |kept: &&SetupCode| kept.digest == code && person.created_at < kept.expires_at;
        if state.setup_code.as_ref().filter(right).is_none() {
            return Ok(PersonCreated::WrongCode);
        }
        state.setup_code = None;
        Ok(state.insert(person))
    }

    async fn create(&self, person: NewPerson) -> Result<PersonCreated, StoreError> {
        Ok(self.state().insert(person))
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<PersonRecord>, StoreError> {
        Ok(self.state().named(name).cloned())
    }

    async fn lookup(&self, id: PersonId) -> Result<Option<PersonRecord>, StoreError> {
        Ok(self.state().people.get(&id).cloned())
    }

    async fn list(&self) -> Result<Vec<PersonRecord>, StoreError> {
        let mut people: Vec<_> = self.state().people.values().cloned().collect();
        people.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(people)
    }

    async fn put_setup_code(&self, code: SetupCode) -> Result<(), StoreError> {
        self.state().setup_code = Some(code);
        Ok(())
    }

    async fn disable(&self, person: PersonId, now: Timestamp) -> Result<Option<u64>, StoreError> {
        let mut state = self.state();
        let Some(record) = state.people.get_mut(&person) else {
            return Ok(None);
        };
        record.disabled_at.get_or_insert(now);
        state.sessions.retain(|_, session| session.person != person);
        let theirs = state.families.values_mut();
        let theirs = theirs.filter(|family| family.grant.person == person);
        let ended = theirs.filter_map(|family| family.revoke("person_disabled", now).then_some(()));
        Ok(Some(ended.count() as u64))
    }

    async fn set_password(&self, person: PersonId, hash: String) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(record) = state.people.get_mut(&person) else {
            return Ok(false);
        };
        record.password_hash = hash;
        state.sessions.retain(|_, session| session.person != person);
        Ok(true)
    }

    async fn remove(&self, person: PersonId, now: Timestamp) -> Result<Option<u64>, StoreError> {
        let ended = People::disable(self, person, now).await?;
        self.state().people.remove(&person);
        Ok(ended)
    }

    async fn enable(&self, person: PersonId) -> Result<bool, StoreError> {
        let mut state = self.state();
        let record = state.people.get_mut(&person);
        Ok(record.is_some_and(|record| record.disabled_at.take().is_some()))
    }
}

#[async_trait]
impl Sessions for MemoryStore {
    async fn begin(&self, session: SessionRecord) -> Result<(), StoreError> {
        self.state().sessions.insert(session.digest, session);
        Ok(())
    }

    async fn find(
        &self,
        digest: Digest,
        now: Timestamp,
    ) -> Result<Option<(SessionRecord, PersonRecord)>, StoreError> {
        let state = self.state();
        let session = state
            .sessions
            .get(&digest)
            .filter(|session| now < session.expires_at);
        let person = session.and_then(|session| state.people.get(&session.person));
        let person = person.filter(|person| person.disabled_at.is_none());
        Ok(session.cloned().zip(person.cloned()))
    }

    async fn end(&self, digest: Digest) -> Result<(), StoreError> {
        self.state().sessions.remove(&digest);
        Ok(())
    }
}

impl State {
    fn named(&self, name: &str) -> Option<&PersonRecord> {
        let canonical = canonical_name(name);
        self.people
            .values()
            .find(|person| canonical_name(&person.name) == canonical)
    }

    fn insert(&mut self, person: NewPerson) -> PersonCreated {
        if self.named(&person.name).is_some() {
            return PersonCreated::NameTaken;
        }
        let record = PersonRecord {
            id: person.id,
            name: person.name,
            password_hash: person.password_hash,
            created_at: person.created_at,
            disabled_at: None,
        };
        self.people.insert(record.id, record);
        PersonCreated::Created
    }
}
