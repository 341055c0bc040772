//! The master key, rotated while requests run.

use keystile_domain::secrets::KeyId;
use keystile_domain::secrets::master_keys::MasterKeys;
use serde_json::{Value, json};

use super::Keys;
use crate::failure::Failure;

impl Keys {
    /// A new master key seals from now on; those before it only open.
    ///
    /// First the file: what is sealed with a key must be openable after a crash. Then the requests:
    /// each seals with the old key or the new one, and both open. Last the stored signing keys, which
    /// any of the keys opens until then; a start would seal them anew as well.
    ///
    /// # Errors
    /// `master_keys_many`, `master_key_unwritable`, `signing_key`.
    pub(crate) async fn rotate_master(&self, forget_old: bool) -> Result<Value, Failure> {
        let _turn = self.turn.lock().await;
        let before = self.master.read()?;
        if forget_old {
            // Nothing that is stored may need a key that goes.
            self.kept().await?;
        }
        let keys = before.rotated(&*self.rng, self.clock.now(), forget_old);
        let keys = keys.map_err(|error| {
            Failure::failed(
                "master_keys_many",
                error,
                "say --forget-old: client ids, client secrets and refresh tokens of all but the latest key stop working then",
            )
        })?;
        self.master.replace(&keys)?;
        self.secrets.replace(&keys);
        if let Err(failure) = self.kept().await {
            tracing::warn!(
                error = %failure.message,
                "the signing keys are still sealed with the earlier master key; the next start seals them anew"
            );
        }
        let forgotten = before.old().len() + 1 - keys.old().len();
        Ok(json!({
            "key_id": text(keys.sealing().id()),
            "open_only": keys.old().len(),
            "forgotten": forgotten,
        }))
    }

    pub(super) fn master_list(&self) -> Result<Value, Failure> {
        let keys: MasterKeys = self.master.read()?;
        // It took the place of the last one that went; the first one has none to tell by.
        let since = keys.old().iter().map(|old| old.since).max();
        let sealing = json!({
            "key_id": text(keys.sealing().id()), "state": "seals", "since": since,
        });
        let old = keys.old().iter().map(
            |old| json!({ "key_id": text(old.key().id()), "state": "opens", "since": old.since }),
        );
        Ok(std::iter::once(sealing).chain(old).collect())
    }
}

fn text(id: KeyId) -> String {
    let [one, two] = id;
    format!("{one:02x}{two:02x}")
}
