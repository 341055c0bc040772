use async_trait::async_trait;
use keystile_domain::decide::refresh::{FamilyFacts, Judgement, judge};
use keystile_domain::ids::GrantId;
use keystile_domain::ports::{Grants, StoreError};
use keystile_domain::records::{
    Approval, Approved, CodeProof, GrantFilter, GrantRecord, Mismatch, Presented, RefreshMismatch,
    Rotated, Taken, TakenCode,
};
use keystile_domain::time::Timestamp;
use keystile_protocol::mutation::weakened;

use super::{MemoryStore, State};

/// A grant and what is known of its refresh tokens.
pub(super) struct Family {
    pub(super) grant: GrantRecord,
    active: bool,
    presented: u32,
    presented_at: Option<Timestamp>,
}

/// A code by its digest.
pub(super) struct Code {
    approval: Approval,
    spent: bool,
}

impl Family {
    /// Given, and without tokens yet.
    pub(super) fn new(grant: GrantRecord) -> Self {
        Self {
            grant,
            active: false,
            presented: 0,
            presented_at: None,
        }
    }

    /// From now on it has tokens.
    pub(super) fn activate(&mut self, now: Timestamp) {
        self.active = true;
        self.grant.last_used_at = Some(now);
    }

    /// `true` if it was alive.
    pub(super) fn revoke(&mut self, why: &str, now: Timestamp) -> bool {
        let alive = self.grant.revoked_at.is_none();
        if alive {
            self.grant.revoked_at = Some(now);
            self.grant.revoked_why = Some(why.to_owned());
        }
        alive
    }
}

#[async_trait]
impl Grants for MemoryStore {
    async fn approve(&self, approval: Approval) -> Result<Approved, StoreError> {
        let mut state = self.state();
        let person = state.people.get(&approval.person);
        let Some(person) = person.filter(|person| person.disabled_at.is_none()) else {
            return Ok(Approved::PersonGone);
        };
        let person_name = person.name.clone();
        if !state.answered.insert(approval.transaction) {
            return Ok(Approved::AlreadyAnswered);
        }
        let grant = GrantRecord {
            id: approval.grant,
            person: approval.person,
            person_name,
            client_id: approval.client_id.clone(),
            client_name: approval.client_name.clone(),
            client_proves: approval.client_proves,
            resource: approval.resource.clone(),
            scopes: approval.scopes.clone(),
            created_at: approval.created_at,
            last_used_at: None,
            expires_at: approval.grant_expires_at,
            revoked_at: None,
            revoked_why: None,
        };
        state.families.insert(approval.grant, Family::new(grant));
        state.codes.insert(
            approval.code,
            Code {
                approval,
                spent: false,
            },
        );
        Ok(Approved::First)
    }

    async fn take(&self, proof: CodeProof, now: Timestamp) -> Result<Taken, StoreError> {
        let mut state = self.state();
        if let Err(mismatch) = state.matches(&proof, now) {
            let code = state.codes.get(&proof.code.digest);
            let spent = mismatch != Mismatch::Unknown && code.is_some_and(|code| code.spent);
            return Ok(match spent {
                true => Taken::AgainWrongly(mismatch, proof.code.grant),
                false => Taken::NoMatch(mismatch),
            });
        }
        let code = state.codes.get_mut(&proof.code.digest).expect("it matched");
        let approval = code.approval.clone();
        if std::mem::replace(&mut code.spent, true) {
            return Ok(Taken::Again(approval.grant));
        }
        if let Some(family) = state.families.get_mut(&approval.grant) {
            family.active = true;
            family.grant.last_used_at = Some(now);
        }
        Ok(Taken::First(TakenCode {
            grant: approval.grant,
            person: approval.person,
            resource: approval.resource,
            scopes: approval.scopes,
        }))
    }

    async fn rotate(&self, presented: Presented, now: Timestamp) -> Result<Rotated, StoreError> {
        let mut state = self.state();
        let Some(facts) = state.facts(&presented) else {
            return Ok(Rotated::Refused(RefreshMismatch::Unknown));
        };
        let family = state
            .families
            .get_mut(&presented.grant)
            .expect("it has facts");
        Ok(match judge(&facts, presented.generation, now) {
            Judgement::First => {
                family.presented = presented.generation;
                family.presented_at = Some(now);
                family.grant.last_used_at = Some(now);
                family.grant.expires_at = presented.expires_at;
                Rotated::Successor(family.grant.clone())
            }
            Judgement::Again => Rotated::Successor(family.grant.clone()),
            Judgement::Reused => {
                family.revoke("refresh_token_reused", now);
                Rotated::Reused
            }
            Judgement::Refused(mismatch) => Rotated::Refused(mismatch),
        })
    }

    async fn revoke(&self, grant: GrantId, why: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state();
        Ok(state
            .families
            .get_mut(&grant)
            .is_some_and(|family| family.revoke(why, now)))
    }

    async fn family(
        &self,
        grant: GrantId,
    ) -> Result<Option<(GrantRecord, FamilyFacts)>, StoreError> {
        let state = self.state();
        let family = state.families.get(&grant);
        Ok(family.map(|family| (family.grant.clone(), state.facts_of(family))))
    }

    async fn lookup(&self, grant: GrantId) -> Result<Option<GrantRecord>, StoreError> {
        Ok(self
            .state()
            .families
            .get(&grant)
            .map(|family| family.grant.clone()))
    }

    async fn list(&self, filter: GrantFilter) -> Result<Vec<GrantRecord>, StoreError> {
        let state = self.state();
        let wanted = |grant: &&GrantRecord| {
            let dead =
                grant.revoked_at.is_some() || filter.now.is_some_and(|now| now >= grant.expires_at);
            filter.person.is_none_or(|person| person == grant.person)
                && filter
                    .client_id
                    .as_ref()
                    .is_none_or(|client| *client == grant.client_id)
                && (filter.dead_too || !dead)
        };
        let grants = state.families.values().rev().map(|family| &family.grant);
        Ok(grants.filter(wanted).cloned().collect())
    }
}

impl State {
    /// The first thing in which the presenter differs. A spent code still matches.
    fn matches(&self, proof: &CodeProof, now: Timestamp) -> Result<(), Mismatch> {
        let code = self.codes.get(&proof.code.digest);
        let its_grants = |code: &&Code| code.approval.grant == proof.code.grant;
        let code = code.filter(its_grants).ok_or(Mismatch::Unknown)?;
        let approval = &code.approval;
        let family = self
            .families
            .get(&approval.grant)
            .ok_or(Mismatch::Unknown)?;
        let differs = |shown: &Option<String>, kept: &str| {
            shown.as_deref().is_some_and(|shown| shown != kept)
        };
        if approval.client_id != proof.client_id && !weakened("a_017") {
            return Err(Mismatch::Client);
        }
        if approval.client_proves && !proof.client_proved && !weakened("n_as_32b") {
            return Err(Mismatch::ClientProof);
        }
        if differs(&proof.redirect_uri, &approval.redirect_uri) {
            return Err(Mismatch::RedirectUri);
        }
        if approval.challenge != proof.challenge {
            return Err(Mismatch::Challenge);
        }
        if differs(&proof.resource, &approval.resource) {
            return Err(Mismatch::Resource);
        }
        if code.spent {
            return Ok(());
        }
        if now >= approval.code_expires_at {
            return Err(Mismatch::Expired);
        }
        if family.grant.revoked_at.is_some() || self.is_disabled(&family.grant) {
            return Err(Mismatch::Revoked);
        }
        Ok(())
    }

    fn facts(&self, presented: &Presented) -> Option<FamilyFacts> {
        let family = self.families.get(&presented.grant)?;
        let (grant, resource) = (&family.grant, presented.resource.as_ref());
        Some(FamilyFacts {
            same_client: presented.client_id == grant.client_id,
            proved: presented.client_proved || !grant.client_proves,
            same_resource: resource.is_none_or(|it| *it == grant.resource),
            ..self.facts_of(family)
        })
    }

    fn facts_of(&self, family: &Family) -> FamilyFacts {
        let grant = &family.grant;
        FamilyFacts {
            same_client: true,
            proved: true,
            same_resource: true,
            active: family.active,
            revoked: grant.revoked_at.is_some() || self.is_disabled(grant),
            expires_at: grant.expires_at,
            presented: family.presented,
            presented_at: family.presented_at,
        }
    }

    pub(super) fn is_disabled(&self, grant: &GrantRecord) -> bool {
        let person = self.people.get(&grant.person);
        person.is_none_or(|person| person.disabled_at.is_some())
            || self.kept_out.contains_key(&grant.client_id)
    }
}
