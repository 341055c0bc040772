//! Secrets: made, derived, digested, sealed. No text of a secret is in a record.

pub mod client_id;
pub mod code;
pub mod digest;
pub mod handle;
pub mod master;
pub mod master_keys;
pub mod reference;
pub mod refresh;
pub mod seal;
pub mod session_id;
pub mod synchroniser;
pub mod user_code;
pub mod whose_id;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::secrets::master::{MasterKey, Subkey};
use crate::secrets::master_keys::MasterKeys;

/// Every key that this installation derives from its master keys, each for one purpose.
///
/// One master key seals, derives and signs. Earlier ones only open what was made with them, so a
/// rotation signs nobody out (docs/keys.md). The ring is exchanged as a whole while requests run.
pub struct Secrets {
    ring: ArcSwap<Ring>,
}

/// The sealing key first, then those that only open.
struct Ring(Vec<Subkeys>);

/// What one master key is expanded to (RFC 5869; the purpose is the `info`).
struct Subkeys {
    id: KeyId,
    refresh: Subkey<32>,
    client_id: Subkey<64>,
    client_secret: Subkey<32>,
    transaction: Subkey<32>,
    pushed_request: Subkey<32>,
    synchroniser: Subkey<32>,
    session_id: Subkey<32>,
    event_id: Subkey<32>,
    request_state: Subkey<32>,
    task_id: Subkey<64>,
    signing_keys: Subkey<32>,
}

/// What kind of secret of Keystile's a text is by its beginning, with its article; `None` for any other text, and for one
/// with too little behind its beginning to open anything. A sealed `client_id` is no secret.
#[must_use]
pub fn kind_of(text: &str) -> Option<&'static str> {
    let kinds = [
        (code::AUTHORIZATION_CODE, "an authorization code"),
        (code::DEVICE_CODE, "a device code"),
        (code::CLIENT_SECRET, "a client secret"),
        (code::INITIAL_ACCESS_TOKEN, "an initial access token"),
        (code::SESSION, "a session cookie"),
        (refresh::PREFIX, "a refresh token"),
    ];
    let begins = |prefix| {
        let body = text.strip_prefix(prefix);
        body.is_some_and(|body| body.len() >= LEAST_BODY)
    };
    let kind = kinds.iter().find(|(prefix, _)| begins(*prefix));
    // A JWT begins with the base64url of `{"`.
    let token = (text.starts_with("eyJ") && text.contains('.')).then_some("an access token");
    kind.map(|(_, kind)| *kind).or(token)
}

/// A secret that was cut off sooner says nothing.
const LEAST_BODY: usize = 8;

/// Names a master key in what was made with it; says nothing about the key.
pub type KeyId = [u8; 2];

impl Secrets {
    /// Of one master key.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        Self::with(Ring(vec![Subkeys::new(master)]))
    }

    /// Of a sealing master key and those that only open.
    #[must_use]
    pub fn of(keys: &MasterKeys) -> Self {
        Self::with(Ring::new(keys))
    }

    /// From now on these master keys and no others. Whatever runs meanwhile uses either all of the
    /// old ring or all of this one.
    pub fn replace(&self, keys: &MasterKeys) {
        self.ring.store(Arc::new(Ring::new(keys)));
    }

    fn with(ring: Ring) -> Self {
        Self {
            ring: ArcSwap::from_pointee(ring),
        }
    }

    fn ring(&self) -> Arc<Ring> {
        self.ring.load_full()
    }
}

impl Ring {
    fn new(keys: &MasterKeys) -> Self {
        Self(keys.all().map(Subkeys::new).collect())
    }

    /// The one that makes new things.
    fn sealing(&self) -> &Subkeys {
        self.0.first().expect("a ring has a sealing key")
    }

    /// The one that has this id, whether it seals or only opens.
    fn named(&self, id: &[u8]) -> Option<&Subkeys> {
        let open = |keys: &&Subkeys| keys.id == id;
        self.0.iter().find(open)
    }

    /// The first of which `open` makes something: for what does not name its key.
    fn first_of<T>(&self, open: impl FnMut(&Subkeys) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(open)
    }
}

impl Subkeys {
    fn new(master: &MasterKey) -> Self {
        Self {
            id: master.id(),
            refresh: master.subkey("refresh token"),
            client_id: master.subkey("client id"),
            client_secret: master.subkey("client secret"),
            transaction: master.subkey("transaction"),
            pushed_request: master.subkey("pushed request"),
            synchroniser: master.subkey("synchroniser token"),
            session_id: master.subkey("session id"),
            event_id: master.subkey("event id"),
            request_state: master.subkey("request state"),
            task_id: master.subkey("task id"),
            signing_keys: master.subkey("signing keys at rest"),
        }
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ring = self.ring();
        let ids: Vec<KeyId> = ring.0.iter().map(|keys| keys.id).collect();
        f.debug_struct("Secrets")
            .field("key_ids", &ids)
            .finish_non_exhaustive()
    }
}
