//! The issuer in one process: real router, fake store, clock, randomness and audit.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use keystile_domain::decide::register::RegistrationPolicy;
use keystile_domain::ids::PersonId;
use keystile_domain::ports::{Clients, Clock, People};
use keystile_domain::records::{NewPerson, PersonCreated, PreRegisteredClient, SetupCode};
use keystile_domain::secrets::Secrets;
use keystile_domain::secrets::code::FreshSecret;
use keystile_domain::secrets::digest::Digest;
use keystile_domain::secrets::master::MasterKey;
use keystile_fetch::{ClientDocuments, ClientKeys};
use keystile_issuer::app::{App, Settings};
use keystile_issuer::keys::KeyRing;
use keystile_issuer::limits::Limits;
use keystile_issuer::routes::routes;
use keystile_issuer::sign_in::password::Passwords;
use keystile_protocol::issuer::Issuer;
use keystile_protocol::jwt::SigningKey;
use keystile_protocol::resource::ResourceTable;

use crate::audit::CollectedAudit;
use crate::browser::{Browser, Reply};
use crate::clock::FakeClock;
use crate::memory::MemoryStore;
use crate::rng::SeededRng;

/// The name and password of [`TestApp::with_person`].
pub const PERSON: (&str, &str) = ("alice", "correct horse battery");

/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// RFC 7636 appendix B.
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// An issuer for one server, `knowledge-base`.
pub struct TestApp {
    /// What handlers see.
    pub app: Arc<App>,
    /// The store behind every port.
    pub store: Arc<MemoryStore>,
    /// Its clock.
    pub clock: Arc<FakeClock>,
    /// Its audit trail.
    pub audit: Arc<CollectedAudit>,
}

impl Default for TestApp {
    fn default() -> Self {
        Self::new()
    }
}

impl TestApp {
    /// At `http://localhost:7717`, without an account.
    #[must_use]
    pub fn new() -> Self {
        Self::at("http://localhost:7717")
    }

    /// At this public URL, without an account.
    #[must_use]
    pub fn at(public_url: &str) -> Self {
        let (store, clock, audit) = (
            Arc::<MemoryStore>::default(),
            Arc::<FakeClock>::default(),
            Arc::<CollectedAudit>::default(),
        );
        let rng = Arc::new(SeededRng::default());
        let issuer = Issuer::parse(public_url).expect("a test has a legal public URL");
        let key = SigningKey::generate_es256().expect("a key can be made");
        let app = App {
            settings: Settings {
                resources: ResourceTable::new(&issuer, &["knowledge-base".to_owned()]),
                issuer,
                admin_command: "keystile".to_owned(),
                access_token_lifetime: Duration::from_secs(600),
                grant_idle: Duration::from_secs(30 * 24 * 3600),
                registration: Some(RegistrationPolicy::default()),
            },
            clock: clock.clone(),
            people: store.clone(),
            sessions: store.clone(),
            clients: store.clone(),
            service_grants: store.clone(),
            device_requests: store.clone(),
            registrations: store.clone(),
            asked_redirects: Arc::default(),
            documents: ClientDocuments::pinned_only(),
            client_keys: ClientKeys::closed(),
            grants: store.clone(),
            revocations: store.clone(),
            audit: audit.clone(),
            secrets: Arc::new(Secrets::new(&MasterKey::generate(&*rng))),
            keys: Arc::new(KeyRing::new(key)),
            passwords: Passwords::new(rng.clone(), 2),
            flows: Arc::default(),
            limits: Limits::new(),
            rng,
        };
        Self {
            app: Arc::new(app),
            store,
            clock,
            audit,
        }
    }

    /// With other parts or settings. Comes first: later, others hold the application too.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut App)) -> Self {
        change(Arc::get_mut(&mut self.app).expect("nobody else holds it yet"));
        self
    }

    /// With the account [`PERSON`].
    pub async fn with_person(self) -> Self {
        self.add_person(PERSON.0, PERSON.1).await;
        self
    }

    /// Makes an account, as `keystile user add` does.
    pub async fn add_person(&self, name: &str, password: &str) -> PersonId {
        let id = PersonId::new(self.clock.now(), &*self.app.rng);
        let password_hash = self
            .app
            .passwords
            .hash(password.to_owned())
            .await
            .expect("it can be hashed");
        let person = NewPerson {
            id,
            name: name.to_owned(),
            password_hash,
            created_at: self.clock.now(),
        };
        let created = self
            .store
            .create(person)
            .await
            .expect("memory does not fail");
        assert_eq!(created, PersonCreated::Created);
        id
    }

    /// Makes a set-up code, as the start of the program does.
    pub async fn setup_code(&self) -> String {
        let fresh = FreshSecret::setup_code(&*self.app.rng);
        let now = self.clock.now();
        let code = SetupCode {
            digest: fresh.digest,
            created_at: now,
            expires_at: now.plus(Duration::from_secs(15 * 60)),
        };
        self.store
            .put_setup_code(code)
            .await
            .expect("memory does not fail");
        fresh.text
    }

    /// Adds a public client, as `keystile client add` does.
    pub async fn add_client(&self, client_id: &str, name: &str, redirect_uris: &[&str]) {
        let redirect_uris = redirect_uris.iter().map(ToString::to_string).collect();
        let now = self.clock.now();
        self.add(
            PreRegisteredClient::public(client_id, name, redirect_uris, true, now),
            None,
        )
        .await;
    }

    /// Adds a client of any kind, and its secret.
    pub async fn add(&self, client: PreRegisteredClient, secret: Option<&str>) {
        let added = self.store.add(client, secret.map(Digest::of)).await;
        assert!(added.expect("memory does not fail"), "the id is free");
    }

    /// A client as one that registered itself (RFC 7591), public.
    pub async fn register(&self, name: &str, redirect_uris: &[&str]) -> String {
        let metadata = serde_json::json!({
            "client_name": name,
            "redirect_uris": redirect_uris,
            "token_endpoint_auth_method": "none",
        });
        let request = http::Request::post("/oauth/register")
            .header("content-type", "application/json")
            .body(axum::body::Body::from(metadata.to_string()))
            .expect("a legal request");
        let response = tower::ServiceExt::oneshot(self.router(), request)
            .await
            .expect("the router never fails");
        let body = axum::body::to_bytes(response.into_body(), 1 << 20)
            .await
            .expect("a short body");
        let answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        answer["client_id"]
            .as_str()
            .unwrap_or_else(|| panic!("refused: {answer}"))
            .to_owned()
    }

    /// The routes.
    pub fn router(&self) -> Router {
        routes(self.app.clone())
    }

    /// A fresh browser in front of it.
    #[must_use]
    pub fn browser(&self) -> Browser {
        Browser::new(self.router(), self.app.settings.issuer.as_str())
    }

    /// A browser in which [`PERSON`] signed in.
    pub async fn signed_in(&self) -> Browser {
        let mut browser = self.browser();
        let reply = sign_in(&mut browser, "").await;
        assert_eq!(reply.location(), Some("/ks/account"), "{}", reply.text());
        browser
    }

    /// The address with which a client sends the browser here.
    #[must_use]
    pub fn authorize_url(&self, client_id: &str, redirect_uri: &str) -> String {
        let resource = self.app.settings.issuer.at("/knowledge-base/mcp");
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", client_id),
                ("redirect_uri", redirect_uri),
                ("state", "st&te"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
                ("resource", &resource),
            ])
            .finish();
        format!("/oauth/authorize?{query}")
    }
}

/// Signs [`PERSON`] in, within a transaction unless `tx` is empty.
pub async fn sign_in(browser: &mut Browser, tx: &str) -> Reply {
    let fields = [("tx", tx), ("username", PERSON.0), ("password", PERSON.1)];
    browser.submit("/ks/sign-in", &fields).await
}
