//! Rotations with the real store, the real issuer and the real verifier, in one process.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use keystile_domain::ids::{GrantId, PersonId, TransactionId};
use keystile_domain::ports::{Grants as _, People as _};
use keystile_domain::records::{Approval, Approved, NewPerson, PersonCreated};
use keystile_domain::secrets::code::FreshSecret;
use keystile_protocol::pkce::CodeChallenge;
use keystile_store::Store;
use keystile_testkit::issuer::{TestApp, VERIFIER};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::*;
use crate::data_dir::{DataDir, Owned};

const REDIRECT: &str = "http://127.0.0.1/callback";
/// Not the usual one.
const ROTATION: Duration = Duration::from_secs(7 * 24 * 3600);
const RESOURCE: &str = "http://localhost:7717/knowledge-base/mcp";

/// An issuer and a gateway's verifier on a data directory.
struct Bench {
    test: TestApp,
    store: Arc<Store>,
    keys: Arc<Keys>,
    verifier: Arc<Verifier>,
    person: PersonId,
    // Released last.
    owned: Owned,
    _temp: TempDir,
}

impl Bench {
    async fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let mut owned = DataDir::open(&temp.path().join("data"))
            .unwrap()
            .own()
            .unwrap();
        owned.keep();
        let file = owned.master_key_file();
        let secrets = Arc::new(Secrets::of(&file.read_or_make().unwrap()));
        let test = TestApp::new();
        let now = test.clock.now();
        let store = Store::open(&owned.dir().at("keystile.db"), now)
            .await
            .unwrap();
        let store = Arc::new(store);
        let (clock, rng) = (Arc::clone(&test.app.clock), Arc::clone(&test.app.rng));
        let keys = Keys::new(store.clone(), secrets.clone(), clock, rng, file);
        let opened = keys.open().await.unwrap();
        let verifier = Arc::new(Verifier::new("http://localhost:7717", opened.key_set()));
        let ring = Arc::new(KeyRing::of(opened));
        keys.serve(ring.clone(), verifier.clone(), ROTATION);
        let test = test.with(|app| {
            app.people = store.clone();
            app.grants = store.clone();
            app.secrets = secrets;
            app.keys = ring;
        });
        let person = PersonId::new(now, &*test.app.rng);
        let created = store.create(NewPerson {
            id: person,
            name: "alice".to_owned(),
            password_hash: "none".to_owned(),
            created_at: now,
        });
        assert_eq!(created.await.unwrap(), PersonCreated::Created);
        Self {
            test,
            store,
            keys: Arc::new(keys),
            verifier,
            person,
            owned,
            _temp: temp,
        }
    }

    /// Access and refresh token of a client that just signed in.
    async fn connected(&self, client_id: &str) -> (String, String) {
        let (now, rng) = (self.test.clock.now(), &*self.test.app.rng);
        let grant = GrantId::new(now, rng);
        let code = FreshSecret::authorization_code(grant, rng);
        let later = now.plus(Duration::from_secs(60));
        let approval = Approval {
            transaction: TransactionId::new(now, rng),
            grant,
            person: self.person,
            client_id: client_id.to_owned(),
            client_name: "Desk".to_owned(),
            client_proves: false,
            resource: RESOURCE.to_owned(),
            scopes: "knowledge-base:call".parse().unwrap(),
            code: code.digest,
            redirect_uri: REDIRECT.to_owned(),
            challenge: CodeChallenge::of_verifier(VERIFIER).unwrap(),
            created_at: now,
            code_expires_at: later,
            grant_expires_at: now.plus(decide::ROTATE_EVERY * 2),
        };
        assert_eq!(self.store.approve(approval).await.unwrap(), Approved::First);
        let answer = self
            .token(&[
                ("grant_type", "authorization_code"),
                ("client_id", client_id),
                ("code", &code.text),
                ("redirect_uri", REDIRECT),
                ("code_verifier", VERIFIER),
            ])
            .await;
        tokens(&answer)
    }

    async fn refresh(&self, client_id: &str, token: &str) -> (String, String) {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", client_id),
            ("refresh_token", token),
        ];
        tokens(&self.token(&fields).await)
    }

    /// The answer, which must be 200.
    async fn token(&self, fields: &[(&str, &str)]) -> Value {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = http::Request::post("/oauth/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(axum::body::Body::from(body))
            .unwrap();
        let response = self.test.router().oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await;
        let answer: Value = serde_json::from_slice(&body.unwrap()).unwrap();
        assert_eq!(status, 200, "{answer}");
        answer
    }

    fn opens(&self, access: &str) -> bool {
        let now = u64::try_from(self.test.clock.now().seconds()).unwrap();
        self.verifier.verify(access, RESOURCE, now).is_ok()
    }

    fn master_keys(&self) -> usize {
        let keys = self.owned.master_key_file().read().unwrap();
        keys.old().len() + 1
    }
}

fn tokens(answer: &Value) -> (String, String) {
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

/// Fewer than one network may make at once.
const MOST_REGISTRATIONS: u64 = 100;

/// Clients refresh and register all the time; meanwhile both kinds of keys are rotated, as often as
/// it can be done. Nobody may be refused, and each token must open the gateway at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rotations_under_load_refuse_nobody() {
    let bench = Arc::new(Bench::new().await);
    let first_client = bench.test.register("Desk", &[REDIRECT]).await;
    let first = bench.connected(&first_client).await;
    let (rounds, registered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let stop = Arc::new(AtomicBool::new(false));
    let mut busy = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let (bench, rounds, stop) = (bench.clone(), rounds.clone(), stop.clone());
        busy.spawn(async move {
            let name = format!("Desk {number}");
            let client = bench.test.register(&name, &[REDIRECT]).await;
            let mut held = bench.connected(&client).await;
            while !stop.load(Ordering::Relaxed) {
                held = bench.refresh(&client, &held.1).await;
                assert!(bench.opens(&held.0), "a fresh token opens the gateway");
                rounds.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let (registering, count, stopped) = (bench.clone(), registered.clone(), stop.clone());
    busy.spawn(async move {
        while !stopped.load(Ordering::Relaxed) {
            // One network may not register without end; this clock stands still.
            if count.load(Ordering::Relaxed) == MOST_REGISTRATIONS {
                tokio::task::yield_now().await;
                continue;
            }
            let name = format!("New {}", count.fetch_add(1, Ordering::Relaxed));
            let id = registering.test.register(&name, &[REDIRECT]).await;
            assert!(registering.test.app.secrets.open_client_id(&id).is_some());
            tokio::task::yield_now().await;
        }
    });
    let algorithms = [
        Algorithm::EdDsa,
        Algorithm::Es256,
        Algorithm::EdDsa,
        Algorithm::Es256,
    ];
    for algorithm in algorithms {
        let more = rounds.load(Ordering::Relaxed) + 10 * CLIENTS;
        while rounds.load(Ordering::Relaxed) < more {
            assert_eq!(busy.try_join_next().map(|ended| ended.unwrap()), None);
            tokio::task::yield_now().await;
        }
        bench.keys.rotate_master(false).await.unwrap();
        bench.keys.rotate(Some(algorithm), false).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = busy.join_next().await {
        ended.unwrap();
    }
    assert_eq!(bench.master_keys(), 5);
    assert!(rounds.load(Ordering::Relaxed) >= 40 * CLIENTS);
    assert!(registered.load(Ordering::Relaxed) > 0);
    // What was there before the first rotation.
    assert!(bench.opens(&first.0));
    let again = bench.refresh(&first_client, &first.1).await;
    assert!(bench.opens(&again.0));
    // And after a restart.
    let secrets = Secrets::of(&bench.owned.master_key_file().read().unwrap());
    assert!(secrets.open_client_id(&first_client).is_some());
    assert!(secrets.open_refresh_token(&first.1).is_some());
    for key in bench.store.signing_keys().await.unwrap() {
        assert!(
            secrets.seals_signing_key(&key.kid, &key.sealed),
            "sealed anew"
        );
    }
}

const CLIENTS: u64 = 8;

#[tokio::test]
async fn keys_are_rotated_by_their_age_and_forgotten_when_they_are_over() {
    let bench = Bench::new().await;
    let client = bench.test.register("Desk", &[REDIRECT]).await;
    let before = bench.connected(&client).await;
    let stored = || async { bench.store.signing_keys().await.unwrap().len() };
    assert_eq!(stored().await, 2);
    assert!(!bench.keys.is_due().await.unwrap());
    let listed = bench.keys.list().await.unwrap();
    let mut signing = listed["signing"].as_array().unwrap().iter();
    let current = signing.find(|key| key["state"] == "current").unwrap();
    let (since, until) = (&current["since"], &current["until"]);
    let signs = until.as_i64().unwrap() - since.as_i64().unwrap();
    assert_eq!(Duration::from_millis(signs.try_into().unwrap()), ROTATION);
    bench
        .test
        .clock
        .advance(ROTATION - Duration::from_millis(1));
    assert!(!bench.keys.is_due().await.unwrap());
    bench.test.clock.advance(Duration::from_millis(1));
    assert!(bench.keys.is_due().await.unwrap());
    let held = bench.refresh(&client, &before.1).await;
    let rotated = bench.keys.rotate(None, false).await.unwrap();
    assert_eq!(rotated["published_before"], true);
    assert!(!bench.keys.is_due().await.unwrap());
    assert!(bench.opens(&held.0));
    assert_eq!(bench.keys.forget_over().await.unwrap(), 0);
    assert_eq!(stored().await, 3);
    bench.test.clock.advance(decide::OVERLAP);
    assert_eq!(bench.keys.forget_over().await.unwrap(), 1);
    assert_eq!(stored().await, 2);
    assert_eq!(bench.test.app.keys.jwks().matches("\"kid\"").count(), 2);
    let listed = bench.keys.list().await.unwrap();
    let states: Vec<_> = listed["signing"].as_array().unwrap().iter().collect();
    assert_eq!(states[0]["state"], "current");
    assert_eq!(states[1]["state"], "next");
}

#[tokio::test]
async fn of_two_rotations_at_once_each_is_whole() {
    let bench = Bench::new().await;
    let (one, two) = tokio::join!(
        bench.keys.rotate(None, false),
        bench.keys.rotate(Some(Algorithm::EdDsa), false)
    );
    assert_ne!(one.unwrap()["kid"], two.unwrap()["kid"]);
    let stored = bench.store.signing_keys().await.unwrap();
    let mut states: Vec<_> = stored.iter().map(|key| key.state.as_str()).collect();
    states.sort_unstable();
    assert_eq!(states, ["current", "next", "retired", "retired"]);
}

/// An installation of an earlier release has a current key and nothing else.
#[tokio::test]
async fn an_installation_without_a_next_key_gets_one_of_the_same_kind() {
    let bench = Bench::new().await;
    bench
        .keys
        .rotate(Some(Algorithm::EdDsa), false)
        .await
        .unwrap();
    let seen = bench.store.signing_keys().await.unwrap();
    let mut only = seen.clone();
    only.retain(|key| key.state == SigningKeyState::Current);
    assert!(bench.keys.replaced(seen, only).await.unwrap());
    bench.keys.open().await.unwrap();
    let listed = bench.keys.list().await.unwrap();
    let keys = listed["signing"].as_array().unwrap().iter();
    let mut kinds: Vec<_> = keys
        .map(|key| format!("{} {}", key["state"], key["algorithm"]))
        .collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [r#""current" "EdDSA""#, r#""next" "EdDSA""#]);
    let published = bench.test.app.keys.jwks();
    for key in listed["signing"].as_array().unwrap() {
        let kid = key["kid"].as_str().unwrap();
        assert!(published.contains(kid), "what is stored is told at once");
    }
    assert_eq!(published.matches("\"kid\"").count(), 2);
}
