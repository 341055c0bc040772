//! People that the operator keeps out, and lets in again.

use keystile_issuer::sign_in::password::Passwords;
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

    /// Another password; whoever is signed in with the earlier one has to sign in anew.
    pub(super) async fn user_password(
        &self,
        name: &str,
        password: String,
    ) -> Result<Value, Failure> {
        let person = self.person(name).await?;
        let hash = self.hashed(password).await?;
        let set = async {
            match self.people.set_password(person, hash).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(user_unknown(name)),
                Err(error) => Err(store(&error)),
            }
        };
        self.recorded("user_password", name, set).await?;
        Ok(json!({ "id": person, "name": name }))
    }

    /// Ends what a person has, for good, and frees the name.
    pub(super) async fn user_remove(&self, name: &str) -> Result<Value, Failure> {
        let person = self.person(name).await?;
        let removed = async {
            let ended = self.people.remove(person, self.clock.now()).await;
            let ended = ended.map_err(|error| store(&error))?;
            ended.ok_or_else(|| user_unknown(name))
        };
        let ended = self.recorded("user_remove", name, removed).await?;
        Ok(json!({ "id": person, "name": name, "grants_ended": ended }))
    }

    pub(super) async fn hashed(&self, password: String) -> Result<String, Failure> {
        Passwords::usable(&password).map_err(|error| {
            Failure::usage("password_unusable", error, "choose another password")
        })?;
        let hash = self.passwords.hash(password).await;
        hash.map_err(|error| Failure::failed("password_hash", error, "try again"))
    }
}

pub(super) fn user_unknown(name: &str) -> Failure {
    Failure::failed(
        "user_unknown",
        format!("there is nobody called {name}"),
        "see keystile user list",
    )
}
