//! A store, one person, and shorthand for what the tests say often.

use std::sync::atomic::{AtomicU64, Ordering};

use keystile_domain::ids::{GrantId, PersonId, TransactionId};
use keystile_domain::ports::{Grants, People, Rng};
use keystile_domain::records::{
    Approval, Approved, CodeProof, NewPerson, PersonCreated, Presented, Taken,
};
use keystile_domain::time::Timestamp;
use keystile_protocol::pkce::CodeChallenge;
use keystile_store::Store;
use tempfile::TempDir;

use crate::code::code_of;

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);
pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const DAY: i64 = 1_440 * MINUTE;
pub(crate) const CLIENT: &str = "https://editor.example/client.json";
pub(crate) const RESOURCE: &str = "http://localhost:7717/notes/mcp";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:40001/callback";

/// Unique, not secret: enough for ids in tests.
pub(crate) struct Counting(AtomicU64);

impl Rng for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let next = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (to, from) in bytes.iter_mut().rev().zip(next.iter().rev()) {
            *to = *from;
        }
    }
}

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) folder: TempDir,
    pub(crate) rng: Counting,
    pub(crate) alice: PersonId,
}

pub(crate) fn later(millis: i64) -> Timestamp {
    Timestamp(NOW.0 + millis)
}

pub(crate) fn challenge() -> CodeChallenge {
    CodeChallenge::from_bytes([7; 32])
}

pub(crate) async fn empty() -> World {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("keystile.db"), NOW)
        .await
        .unwrap();
    let rng = Counting(AtomicU64::new(1));
    let alice = PersonId::new(NOW, &rng);
    World {
        store,
        folder,
        rng,
        alice,
    }
}

pub(crate) async fn world() -> World {
    let world = empty().await;
    let created = world
        .store
        .create(world.person("Alice", world.alice))
        .await
        .unwrap();
    assert_eq!(created, PersonCreated::Created);
    world
}

impl World {
    pub(crate) fn person(&self, name: &str, id: PersonId) -> NewPerson {
        let password_hash = "$argon2id$not-a-real-hash".to_owned();
        NewPerson {
            id,
            name: name.to_owned(),
            password_hash,
            created_at: NOW,
        }
    }

    pub(crate) fn approval(&self, code: &str) -> Approval {
        Approval {
            transaction: TransactionId::new(NOW, &self.rng),
            grant: code_of(code).grant,
            person: self.alice,
            client_id: CLIENT.to_owned(),
            client_name: "Editor".to_owned(),
            client_proves: false,
            resource: RESOURCE.to_owned(),
            scopes: "notes:call offline_access".parse().unwrap(),
            code: code_of(code).digest,
            redirect_uri: REDIRECT.to_owned(),
            challenge: challenge(),
            created_at: NOW,
            code_expires_at: later(MINUTE),
            grant_expires_at: later(30 * DAY),
        }
    }

    /// A grant whose code was not redeemed yet.
    pub(crate) async fn approved(&self, code: &str) -> GrantId {
        let approval = self.approval(code);
        let grant = approval.grant;
        assert_eq!(self.store.approve(approval).await.unwrap(), Approved::First);
        grant
    }

    /// A grant with tokens.
    pub(crate) async fn granted(&self, code: &str) -> GrantId {
        let grant = self.approved(code).await;
        let taken = self.store.take(proof(code), NOW).await.unwrap();
        assert!(matches!(taken, Taken::First(taken) if taken.grant == grant));
        grant
    }

    /// The same for a client of a document that names `private_key_jwt` only.
    pub(crate) async fn approved_for_one_that_proves(&self, code: &str) -> GrantId {
        let mut approval = self.approval(code);
        approval.client_proves = true;
        let grant = approval.grant;
        assert_eq!(self.store.approve(approval).await.unwrap(), Approved::First);
        grant
    }

    /// And with tokens.
    pub(crate) async fn granted_to_one_that_proves(&self, code: &str) -> GrantId {
        let grant = self.approved_for_one_that_proves(code).await;
        let mut proof = proof(code);
        proof.client_proved = true;
        let taken = self.store.take(proof, NOW).await.unwrap();
        assert!(matches!(taken, Taken::First(taken) if taken.grant == grant));
        grant
    }

    /// Closes the store and opens it again.
    pub(crate) async fn reopened(self, now: Timestamp) -> Self {
        self.store.close().await;
        let store = Store::open(&self.folder.path().join("keystile.db"), now)
            .await
            .unwrap();
        Self { store, ..self }
    }
}

pub(crate) fn proof(code: &str) -> CodeProof {
    CodeProof {
        code: code_of(code),
        client_id: CLIENT.to_owned(),
        client_proved: false,
        redirect_uri: Some(REDIRECT.to_owned()),
        challenge: challenge(),
        resource: Some(RESOURCE.to_owned()),
    }
}

pub(crate) fn shown(grant: GrantId, generation: u32) -> Presented {
    Presented {
        grant,
        generation,
        client_id: CLIENT.to_owned(),
        client_proved: false,
        resource: None,
        expires_at: later(30 * DAY),
    }
}
