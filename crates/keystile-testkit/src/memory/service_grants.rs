use async_trait::async_trait;
use keystile_domain::ids::GrantId;
use keystile_domain::ports::{ServiceGrants, StoreError};
use keystile_domain::records::{ServiceGrant, ServiceRequest};
use keystile_domain::time::Timestamp;

use super::MemoryStore;

#[async_trait]
impl ServiceGrants for MemoryStore {
    async fn issue(
        &self,
        request: ServiceRequest,
        now: Timestamp,
    ) -> Result<Option<GrantId>, StoreError> {
        let mut state = self.state();
        if state.kept_out.contains_key(&request.client_id) {
            return Ok(None);
        }
        let alive = state.services.values_mut().find(|grant| {
            grant.client_id == request.client_id
                && grant.resource == request.resource
                && grant.revoked_at.is_none()
        });
        if let Some(grant) = alive {
            grant.scopes = request.scopes;
            grant.last_used_at = Some(now);
            return Ok(Some(grant.id));
        }
        let grant = ServiceGrant {
            id: request.grant,
            client_id: request.client_id,
            client_name: request.client_name,
            resource: request.resource,
            scopes: request.scopes,
            created_at: now,
            last_used_at: Some(now),
            revoked_at: None,
            revoked_why: None,
        };
        let id = grant.id;
        state.services.insert(id, grant);
        Ok(Some(id))
    }

    async fn lookup(&self, grant: GrantId) -> Result<Option<ServiceGrant>, StoreError> {
        Ok(self.state().services.get(&grant).cloned())
    }

    async fn list(
        &self,
        client_id: Option<&str>,
        dead_too: bool,
    ) -> Result<Vec<ServiceGrant>, StoreError> {
        let state = self.state();
        let wanted = |grant: &&ServiceGrant| {
            client_id.is_none_or(|id| id == grant.client_id)
                && (dead_too || grant.revoked_at.is_none())
        };
        let grants = state.services.values().rev();
        Ok(grants.filter(wanted).cloned().collect())
    }

    async fn revoke(&self, grant: GrantId, why: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state();
        let alive = state.services.get_mut(&grant);
        let Some(grant) = alive.filter(|grant| grant.revoked_at.is_none()) else {
            return Ok(false);
        };
        grant.revoked_at = Some(now);
        grant.revoked_why = Some(why.to_owned());
        Ok(true)
    }
}
