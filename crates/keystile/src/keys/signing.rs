//! The keys that sign access tokens: shown, rotated, and rotated by themselves.

use keystile_domain::decide::signing_keys::{self as decide, NotRotated, Rotation};
use keystile_domain::records::{SealedSigningKey, SigningKeyState};
use keystile_protocol::jwt::Algorithm;
use serde_json::{Value, json};

use super::{Keys, algorithm_of_next};
use crate::failure::Failure;

impl Keys {
    /// All signing keys and all master keys, without anything of theirs that is secret.
    ///
    /// # Errors
    /// `signing_key`, and those of the master key's file.
    pub(crate) async fn list(&self) -> Result<Value, Failure> {
        let now = self.clock.now();
        let mut signing = Vec::new();
        for key in self.stored().await? {
            let until = match key.state {
                SigningKeyState::Retired => Some(key.since.plus(decide::OVERLAP)),
                SigningKeyState::Current => Some(key.since.plus(self.rotation())),
                SigningKeyState::Next => None,
            };
            signing.push(json!({
                "kid": key.kid,
                "algorithm": self.unseal(&key)?.algorithm().as_str(),
                "state": key.state.as_str(),
                "created_at": key.created_at,
                "since": key.since,
                "until": until,
            }));
        }
        let master = self.master_list()?;
        Ok(json!({ "signing": signing, "master": master, "now": now }))
    }

    /// The key that is next signs from now on, or a new one if it shall be of another algorithm or if
    /// a key has leaked.
    /// It is stored, then known to whoever verifies, then signed with.
    ///
    /// # Errors
    /// `keys_rotated_too_often`, `signing_key`.
    pub(crate) async fn rotate(
        &self,
        algorithm: Option<Algorithm>,
        forget_old: bool,
    ) -> Result<Value, Failure> {
        let _turn = self.turn.lock().await;
        loop {
            let seen = self.kept().await?;
            let now = self.clock.now();
            let known = decide::is_known(&seen, now);
            let like = algorithm_of_next(&seen, |key| self.unseal(key))?;
            let algorithm = algorithm.unwrap_or(like);
            let instead_of_next = if algorithm == like && !forget_old {
                None
            } else {
                Some(self.fresh(algorithm, SigningKeyState::Next, now).await?)
            };
            let published_before = known && instead_of_next.is_none();
            let rotation = Rotation {
                instead_of_next,
                new_next: self.fresh(algorithm, SigningKeyState::Next, now).await?,
                forget_old,
            };
            let wanted = decide::rotate(&seen, rotation, now);
            let wanted = wanted.map_err(refused)?;
            if self.replaced(seen, wanted.clone()).await? {
                return Ok(json!({
                    "kid": kid(&wanted, SigningKeyState::Current),
                    "algorithm": algorithm.as_str(),
                    "next": kid(&wanted, SigningKeyState::Next),
                    "published_before": published_before,
                    "forgot_old": forget_old,
                }));
            }
        }
    }

    /// Whether the next key's time has come.
    ///
    /// # Errors
    /// `signing_key`.
    pub(crate) async fn is_due(&self) -> Result<bool, Failure> {
        let stored = self.stored().await?;
        Ok(decide::is_due(&stored, self.rotation(), self.clock.now()))
    }

    /// Forgets retired keys of which no token can live any more; how many were forgotten.
    ///
    /// # Errors
    /// `signing_key`.
    pub(crate) async fn forget_over(&self) -> Result<usize, Failure> {
        let _turn = self.turn.lock().await;
        let before = self.stored().await?;
        let now = self.clock.now();
        let over = before
            .iter()
            .filter(|key| decide::is_over(key, now))
            .count();
        if over > 0 {
            self.kept().await?;
        }
        Ok(over)
    }
}

fn kid(keys: &[SealedSigningKey], state: SigningKeyState) -> Option<&str> {
    let key = keys.iter().find(|key| key.state == state);
    key.map(|key| key.kid.as_str())
}

fn refused(why: NotRotated) -> Failure {
    let advice = match why {
        NotRotated::TooOften(_) => {
            "wait, or say --forget-old if a key has leaked: then every access token ends at once"
        }
        NotRotated::NoCurrent => "this is a defect: please report it",
    };
    Failure::failed("keys_rotated_too_often", why, advice)
}
