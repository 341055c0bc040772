//! The keys of an installation: which sign, which are published, which open, and how they change
//! while requests run (docs/keys.md).

mod master;
mod signing;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use keystile_domain::decide::signing_keys as decide;
use keystile_domain::ports::{Clock, Rng, SigningKeys};
use keystile_domain::records::{SealedSigningKey, SigningKeyState};
use keystile_domain::secrets::Secrets;
use keystile_domain::time::Timestamp;
use keystile_issuer::keys::{KeyRing, RingKeys};
use keystile_protocol::jwt::{Algorithm, SigningKey};
use keystile_protocol::mutation::weakened;
use keystile_resource::Verifier;
use tokio::sync::Mutex;

use crate::data_dir::MasterKeyFile;
use crate::failure::Failure;

/// Everything that has to do with keys, for administrators and for the passing of time.
pub(crate) struct Keys {
    store: Arc<dyn SigningKeys>,
    secrets: Arc<Secrets>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    master: MasterKeyFile,
    serving: OnceLock<Serving>,
    /// One change at a time. The store would refuse the second one all the same.
    turn: Mutex<()>,
}

/// Who has to hear of a change while tokens are given out and taken.
struct Serving {
    ring: Arc<KeyRing>,
    verifier: Arc<Verifier>,
    /// How long a key signs.
    rotation: Duration,
}

/// What is due by itself is looked at this often.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(60);

impl Keys {
    pub(crate) fn new(
        store: Arc<dyn SigningKeys>,
        secrets: Arc<Secrets>,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
        master: MasterKeyFile,
    ) -> Self {
        Self {
            store,
            secrets,
            clock,
            rng,
            master,
            serving: OnceLock::new(),
            turn: Mutex::new(()),
        }
    }

    /// The ring to serve with: what is stored, with what was missing made, what an earlier master
    /// key sealed sealed anew, and what is over gone.
    ///
    /// # Errors
    /// `signing_key`.
    pub(crate) async fn open(&self) -> Result<RingKeys, Failure> {
        let _turn = self.turn.lock().await;
        let stored = self.kept().await?;
        self.ring(&stored)
    }

    /// From now on the ring signs and the verifier verifies what this decides; a key signs for as long
    /// as `rotation`.
    pub(crate) fn serve(&self, ring: Arc<KeyRing>, verifier: Arc<Verifier>, rotation: Duration) {
        let serving = Serving {
            ring,
            verifier,
            rotation,
        };
        assert!(
            self.serving.set(serving).is_ok(),
            "an installation is served once"
        );
    }

    /// How long a key signs; while nobody serves, what is usual.
    fn rotation(&self) -> Duration {
        let serving = self.serving.get();
        serving.map_or(decide::ROTATE_EVERY, |serving| serving.rotation)
    }

    /// Whoever verifies learns the keys before the first token is signed with one of them.
    fn tell(&self, stored: &[SealedSigningKey]) -> Result<(), Failure> {
        let Some(serving) = self.serving.get() else {
            return Ok(());
        };
        let keys = self.ring(stored)?;
        if !weakened("a_082e") {
            serving.verifier.replace_keys(keys.key_set());
        }
        serving.ring.replace(keys);
        Ok(())
    }

    fn ring(&self, stored: &[SealedSigningKey]) -> Result<RingKeys, Failure> {
        let (current, others): (Vec<_>, Vec<_>) = stored
            .iter()
            .partition(|key| key.state == SigningKeyState::Current);
        let current = current.first().ok_or_else(|| unusable(&"there is none"))?;
        let others = others.into_iter().map(|key| self.unseal(key));
        let others = others.map(|key| key.map(|key| key.public_jwk().clone()));
        RingKeys::new(self.unseal(current)?, others.collect::<Result<_, _>>()?)
            .map_err(|error| unusable(&error))
    }

    /// What is stored, brought up to date: see [`Self::open`].
    async fn kept(&self) -> Result<Vec<SealedSigningKey>, Failure> {
        loop {
            let seen = self.stored().await?;
            let wanted = self.up_to_date(&seen).await?;
            if wanted == seen || self.replaced(seen, wanted.clone()).await? {
                return Ok(wanted);
            }
        }
    }

    async fn up_to_date(
        &self,
        seen: &[SealedSigningKey],
    ) -> Result<Vec<SealedSigningKey>, Failure> {
        let now = self.clock.now();
        let mut wanted = Vec::new();
        for key in seen {
            if decide::is_over(key, now) {
                continue;
            }
            let mut key = key.clone();
            if !self.secrets.seals_signing_key(&key.kid, &key.sealed) {
                key.sealed = self.seal(&self.unseal(&key)?)?;
            }
            wanted.push(key);
        }
        let has = |state| wanted.iter().any(|key| key.state == state);
        let mut missing = [SigningKeyState::Current, SigningKeyState::Next].to_vec();
        missing.retain(|state| !has(*state));
        for state in missing {
            let like = algorithm_of_next(&wanted, |key| self.unseal(key))?;
            wanted.push(self.fresh(like, state, now).await?);
        }
        Ok(wanted)
    }

    async fn stored(&self) -> Result<Vec<SealedSigningKey>, Failure> {
        let stored = self.store.signing_keys().await;
        stored.map_err(|error| unusable(&error))
    }

    /// Has `wanted` stored in the place of `seen`, unless that is no longer what is stored. Ring and verifier know it then.
    async fn replaced(
        &self,
        seen: Vec<SealedSigningKey>,
        wanted: Vec<SealedSigningKey>,
    ) -> Result<bool, Failure> {
        let replaced = self.store.replace_signing_keys(seen, wanted.clone()).await;
        let replaced = replaced.map_err(|error| unusable(&error))?;
        if replaced {
            self.tell(&wanted)?;
        }
        Ok(replaced)
    }

    /// A new key. An RSA key takes its time, so it is made where nobody waits for the thread.
    async fn fresh(
        &self,
        algorithm: Algorithm,
        state: SigningKeyState,
        now: Timestamp,
    ) -> Result<SealedSigningKey, Failure> {
        let made = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm)).await;
        let key = made.map_err(|error| unusable(&error))?;
        let key = key.map_err(|error| unusable(&error))?;
        Ok(SealedSigningKey {
            kid: key.kid().to_owned(),
            sealed: self.seal(&key)?,
            state,
            created_at: now,
            since: now,
        })
    }

    fn seal(&self, key: &SigningKey) -> Result<Vec<u8>, Failure> {
        let private = key.to_pkcs8().map_err(|error| unusable(&error))?;
        let private = zeroize::Zeroizing::new(private);
        Ok(self
            .secrets
            .seal_signing_key(key.kid(), &private, &*self.rng))
    }

    fn unseal(&self, stored: &SealedSigningKey) -> Result<SigningKey, Failure> {
        let private = self.secrets.open_signing_key(&stored.kid, &stored.sealed);
        let private = zeroize::Zeroizing::new(private.map_err(|error| unusable(&error))?);
        SigningKey::from_pkcs8(&private).map_err(|error| unusable(&error))
    }
}

/// New keys are of the kind that was chosen last.
fn algorithm_of_next(
    keys: &[SealedSigningKey],
    unseal: impl Fn(&SealedSigningKey) -> Result<SigningKey, Failure>,
) -> Result<Algorithm, Failure> {
    let of = |state| keys.iter().find(|key| key.state == state);
    let like = of(SigningKeyState::Next).or_else(|| of(SigningKeyState::Current));
    like.map_or(Ok(Algorithm::Es256), |key| Ok(unseal(key)?.algorithm()))
}

fn unusable(error: &dyn std::fmt::Display) -> Failure {
    Failure::configuration(
        "signing_key",
        format!("the signing keys can't be had: {error}"),
        "is master.key the one that this database was made with, or the newest copy of it?",
    )
}

#[cfg(test)]
mod tests;
