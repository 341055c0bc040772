use std::future::pending;
use std::pin::Pin;

use keystile_domain::ports::{Revocations, Standing, TokenFacts};

use super::MemoryStore;

impl Revocations for MemoryStore {
    fn standing(&self, facts: &TokenFacts<'_>) -> Standing {
        let state = self.state();
        let given = state.families.get(&facts.grant);
        let given = given.and_then(|family| family.grant.revoked_at);
        let own = state.services.get(&facts.grant);
        let own = own.and_then(|own| own.revoked_at);
        let is_over = |at: Option<&_>| at.is_some_and(|at| facts.issued_at <= *at);
        let person = facts.person.parse().ok();
        let person = person.and_then(|id| state.people.get(&id)?.disabled_at);
        let dead = is_over(person.as_ref()) || is_over(state.dead_until.get(facts.client));
        if given.is_some() || own.is_some() || dead {
            Standing::Revoked
        } else {
            Standing::Good
        }
    }

    fn epoch(&self) -> u64 {
        0
    }

    fn changed_since(&self, _seen: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
        Box::pin(pending())
    }
}
