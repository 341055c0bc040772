//! People that the operator keeps out, and lets in again.

use serde_json::{Value, json};

use super::{Admin, store};
use crate::failure::Failure;

impl Admin {
    /// Ends every session, grant, token and stream of a person.
    pub(super) async fn user_disable(&self, name: &str) -> Result<Value, Failure> {
        let person = self.person(name).await?;
        let ended = self.people.disable(person, self.clock.now()).await;
        let ended = ended.map_err(|error| store(&error))?;
        self.on_record_afterwards("user_disable", name, "the person is kept out")
            .await?;
        Ok(json!({ "id": person, "name": name, "grants_ended": ended.unwrap_or(0) }))
    }

    pub(super) async fn user_enable(&self, name: &str) -> Result<Value, Failure> {
        let person = self.person(name).await?;
        let enabled = async {
            let enabled = self.people.enable(person).await;
            enabled.map_err(|error| store(&error))
        };
        let changed = self.recorded("user_enable", name, enabled).await?;
        Ok(json!({ "id": person, "name": name, "was_disabled": changed }))
    }
}
