use keystile_protocol::client_metadata::{ClientMetadata, TokenEndpointAuthMethod};

use super::*;
use crate::ids::GrantId;
use crate::secrets::Secrets;
use crate::secrets::digest::Digest;
use crate::secrets::session_id::SessionOwner;
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// Different bytes at each call.
struct Counting(std::sync::atomic::AtomicU64);

impl Counting {
    const fn new() -> Self {
        Self(std::sync::atomic::AtomicU64::new(1))
    }
}

impl Rng for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        use sha2::Digest as _;
        for chunk in bytes.chunks_mut(32) {
            let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let hash = sha2::Sha256::digest(count.to_be_bytes());
            chunk.copy_from_slice(&hash[..chunk.len()]);
        }
    }
}

fn metadata() -> ClientMetadata {
    let text = br#"{"client_name":"Desk","redirect_uris":["http://localhost:8787/callback"]}"#;
    ClientMetadata::registration(text).expect("a registration")
}

#[test]
fn a_file_of_one_key_is_its_32_bytes_and_one_of_many_is_read_back() {
    let rng = Counting::new();
    let mut keys = MasterKeys::from(MasterKey::generate(&rng));
    assert_eq!(*keys.to_bytes(), keys.sealing().as_bytes());
    for turn in 1..=MOST_OLD {
        let before = keys.sealing().id();
        let now = NOW.plus(std::time::Duration::from_secs(turn as u64));
        keys = keys.rotated(&rng, now, false).unwrap();
        assert_eq!(
            (keys.old()[0].key().id(), keys.old()[0].since),
            (before, now)
        );
        let again = MasterKeys::from_bytes(&keys.to_bytes()).unwrap();
        assert_eq!(again.to_bytes(), keys.to_bytes());
        assert_eq!(again.all().count(), turn + 1);
    }
    assert_eq!(keys.rotated(&rng, NOW, false).err(), Some(TooManyOld));
    let before = keys.sealing().id();
    let forgot = keys.rotated(&rng, NOW, true).unwrap();
    let ids: Vec<_> = forgot.all().map(MasterKey::id).collect();
    assert_eq!(ids, [forgot.sealing().id(), before]);
}

#[test]
fn a_file_that_was_not_written_so_is_refused() {
    let rng = Counting::new();
    let keys = MasterKeys::from(MasterKey::generate(&rng));
    let two = keys.rotated(&rng, NOW, false).unwrap().to_bytes();
    for bytes in [
        &two[..31],
        &two[..33],
        &two[..71],
        &[&two[..], &[0]].concat(),
    ] {
        let refused = MasterKeys::from_bytes(bytes).err();
        assert_eq!(refused, Some(MasterKeyError::Length(bytes.len())));
    }
    let five = [&two[..32], &[&two[32..]; 5].concat()].concat();
    assert_eq!(
        MasterKeys::from_bytes(&five).err(),
        Some(MasterKeyError::Length(five.len()))
    );
    let twice = [&two[..], &two[32..]].concat();
    assert_eq!(
        MasterKeys::from_bytes(&twice).err(),
        Some(MasterKeyError::Doubled)
    );
    let placeholder = [&two[..40], &[7; 32]].concat();
    assert_eq!(
        MasterKeys::from_bytes(&placeholder).err(),
        Some(MasterKeyError::Placeholder)
    );
}

/// Everything that is made with the master key, made now.
struct Made {
    refresh: String,
    client_id: String,
    confidential: String,
    secret: String,
    form: String,
    mcp_session: String,
    signing_key: Vec<u8>,
    transaction: Vec<u8>,
}

const OWNER: SessionOwner<'_> = SessionOwner {
    resource: "http://localhost:7717/kb/mcp",
    person: "alice",
    client: "desk",
    revision: None,
};

const SESSION: Digest = Digest::from_bytes([3; 32]);

impl Made {
    fn with(secrets: &Secrets, rng: &dyn Rng) -> Self {
        let id = |method| {
            secrets
                .seal_client_id(&metadata(), method, crate::client::Trust::Unknown, rng)
                .unwrap()
        };
        let confidential = id(TokenEndpointAuthMethod::ClientSecretBasic);
        Self {
            refresh: secrets.refresh_token(GrantId::from_bytes([7; 16]), 3),
            client_id: id(TokenEndpointAuthMethod::None),
            secret: secrets.client_secret(&confidential),
            confidential,
            form: secrets.synchroniser_token(&SESSION, "t", "consent"),
            mcp_session: secrets.bind_session_id(OWNER, "s1", Timestamp::from_seconds(1)),
            signing_key: secrets.seal_signing_key("kid", b"private", rng),
            transaction: secrets.seal_transaction_bytes(b"plain", rng),
        }
    }

    /// Which of them are still good.
    fn good(&self, secrets: &Secrets) -> [bool; 8] {
        [
            secrets.open_refresh_token(&self.refresh) == Some((GrantId::from_bytes([7; 16]), 3)),
            secrets.open_client_id(&self.client_id).is_some(),
            secrets.open_client_id(&self.confidential).is_some(),
            secrets.is_client_secret(&self.secret, &self.confidential),
            secrets.is_synchroniser_token(&self.form, &SESSION, "t", "consent"),
            secrets.open_session_id(OWNER, &self.mcp_session, Timestamp(0)) == Some("s1"),
            secrets
                .open_signing_key("kid", &self.signing_key)
                .as_deref()
                == Ok(b"private"),
            secrets.open_transaction_bytes(&self.transaction).as_deref() == Ok(b"plain"),
        ]
    }
}

#[test]
fn what_was_made_before_a_rotation_stays_good_until_its_key_is_forgotten() {
    let rng = Counting::new();
    let mut keys = MasterKeys::from(MasterKey::generate(&rng));
    let secrets = Secrets::of(&keys);
    let mut all = vec![Made::with(&secrets, &rng)];
    for _ in 0..MOST_OLD {
        keys = keys.rotated(&rng, NOW, false).unwrap();
        secrets.replace(&keys);
        let last = all.last().unwrap();
        assert!(!secrets.seals_signing_key("kid", &last.signing_key));
        let made = Made::with(&secrets, &rng);
        assert!(secrets.seals_signing_key("kid", &made.signing_key));
        assert_ne!(made.client_id, last.client_id, "the key id stands in it");
        assert_ne!(made.refresh, last.refresh);
        all.push(made);
        for made in &all {
            assert_eq!(made.good(&secrets), [true; 8]);
        }
    }
    let restarted = Secrets::of(&MasterKeys::from_bytes(&keys.to_bytes()).unwrap());
    assert!(all.iter().all(|made| made.good(&restarted) == [true; 8]));
    secrets.replace(&keys.rotated(&rng, NOW, true).unwrap());
    let (last, forgotten) = all.split_last().unwrap();
    assert_eq!(
        last.good(&secrets),
        [true; 8],
        "the one that sealed until now"
    );
    for made in forgotten {
        assert_eq!(made.good(&secrets), [false; 8]);
    }
}
