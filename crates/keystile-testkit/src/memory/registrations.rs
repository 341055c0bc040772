//! Initial access tokens and approved places.

use async_trait::async_trait;
use keystile_domain::ids::InitialAccessTokenId;
use keystile_domain::ports::{Registrations, StoreError};
use keystile_domain::records::{
    ApprovedPlace, InitialAccessToken, MOST_INITIAL_ACCESS_TOKENS, MOST_REDIRECT_PLACES,
    NewInitialAccessToken, Spent,
};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;

use super::MemoryStore;

#[async_trait]
impl Registrations for MemoryStore {
    async fn add_token(&self, new: NewInitialAccessToken) -> Result<bool, StoreError> {
        let tokens = &mut self.state().initial_access_tokens;
        if tokens.len() >= MOST_INITIAL_ACCESS_TOKENS as usize {
            return Ok(false);
        }
        let token = InitialAccessToken {
            id: new.id,
            note: new.note,
            created_at: new.created_at,
            expires_at: new.expires_at,
            uses: new.uses,
            used: 0,
            revoked_at: None,
        };
        tokens.insert(new.id, (new.digest, token));
        Ok(true)
    }

    async fn tokens(&self) -> Result<Vec<InitialAccessToken>, StoreError> {
        let state = self.state();
        let tokens = state.initial_access_tokens.values().rev();
        Ok(tokens.map(|(_, token)| token.clone()).collect())
    }

    async fn revoke_token(
        &self,
        id: InitialAccessTokenId,
        now: Timestamp,
    ) -> Result<Option<bool>, StoreError> {
        let mut state = self.state();
        let Some((_, token)) = state.initial_access_tokens.get_mut(&id) else {
            return Ok(None);
        };
        let was_good = is_good(token, now);
        token.revoked_at.get_or_insert(now);
        Ok(Some(was_good))
    }

    async fn spend_token(&self, digest: Digest, now: Timestamp) -> Result<Spent, StoreError> {
        let mut state = self.state();
        let mut tokens = state.initial_access_tokens.values_mut();
        Ok(match tokens.find(|(own, _)| *own == digest) {
            Some((_, token)) if is_good(token, now) => {
                token.used += 1;
                Spent::Now(token.id)
            }
            other => Spent::No(other.map(|(_, token)| token.clone())),
        })
    }

    async fn approve_place(&self, place: &str, now: Timestamp) -> Result<bool, StoreError> {
        let places = &mut self.state().approved_places;
        let full = places.len() >= MOST_REDIRECT_PLACES as usize;
        if full && !places.contains_key(place) {
            return Ok(false);
        }
        places.entry(place.to_owned()).or_insert(now);
        Ok(true)
    }

    async fn remove_place(&self, place: &str) -> Result<bool, StoreError> {
        Ok(self.state().approved_places.remove(place).is_some())
    }

    async fn is_approved(&self, place: &str) -> Result<bool, StoreError> {
        Ok(self.state().approved_places.contains_key(place))
    }

    async fn places(&self) -> Result<Vec<ApprovedPlace>, StoreError> {
        let state = self.state();
        let place = |(place, at): (&String, &Timestamp)| ApprovedPlace {
            place: place.clone(),
            approved_at: *at,
        };
        Ok(state.approved_places.iter().map(place).collect())
    }
}

fn is_good(token: &InitialAccessToken, now: Timestamp) -> bool {
    token.used < token.uses && token.expires_at > now && token.revoked_at.is_none()
}
