//! Keys: rotated by an administrator, or because their time has come.

use keystile_protocol::jwt::Algorithm;
use serde_json::Value;

use super::Admin;
use crate::failure::Failure;

impl Admin {
    pub(super) async fn key_rotate(
        &self,
        algorithm: Option<&str>,
        forget_old: bool,
    ) -> Result<Value, Failure> {
        let algorithm = algorithm.map(|name| {
            Algorithm::parse(name).ok_or_else(|| {
                Failure::usage(
                    "key_algorithm",
                    format!("tokens can't be signed with {name}"),
                    "say --algorithm ES256, EdDSA or RS256",
                )
            })
        });
        let algorithm = algorithm.transpose()?;
        let rotated = self.keys.rotate(algorithm, forget_old);
        let verb = if forget_old {
            "key_rotate_forget_old"
        } else {
            "key_rotate"
        };
        self.recorded(verb, algorithm.map_or("", Algorithm::as_str), rotated)
            .await
    }

    pub(super) async fn key_rotate_master(&self, forget_old: bool) -> Result<Value, Failure> {
        let rotated = self.keys.rotate_master(forget_old);
        let verb = if forget_old {
            "key_rotate_master_forget_old"
        } else {
            "key_rotate_master"
        };
        self.recorded(verb, "", rotated).await
    }

    /// What is due by itself: a rotation, or a retired key to be forgotten.
    ///
    /// # Errors
    /// Whatever keeps it from being done; it is tried again a while later.
    pub(crate) async fn keep_keys(&self) -> Result<(), Failure> {
        if self.keys.is_due().await? {
            let rotated = self.keys.rotate(None, false);
            let rotated = self.recorded("key_rotate_by_age", "", rotated).await?;
            tracing::info!(key.kid = %rotated["kid"], "another key signs access tokens now");
        }
        let forgotten = self.keys.forget_over().await?;
        if forgotten > 0 {
            tracing::info!(
                keys = forgotten,
                "retired signing keys are published no longer"
            );
        }
        Ok(())
    }
}
