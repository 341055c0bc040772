//! Clients whose document names `private_key_jwt` and not `none`: they sign who they are wherever they
//! use what a person gave them.

use keystile_testkit::assertion::ClientKey;
use keystile_testkit::browser::Reply;
use keystile_testkit::hostile::{Answer, Hostile, json_reply};
use keystile_testkit::issuer::{CHALLENGE, VERIFIER};
use serde_json::{Value, json};

use crate::connecting::{Connecting, text};
use crate::fetching::{beside, fetching};
use crate::knocking::Knocker;
use crate::{LOOPBACK, RESOURCE, authorize_url, get, json as body, own_page, refused, told};

const NEVER_KEPT: &str = "cache-control: no-store\r\n";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A host with one document, a person, and the client in both roles: as itself, and as anybody who
/// says that they are it.
struct Signing {
    host: Hostile,
    connecting: Connecting,
    signed: Knocker,
    bare: Knocker,
}

impl Signing {
    async fn new(keys: impl FnOnce(&Hostile, &ClientKey) -> (&'static str, Value)) -> Self {
        let (host, key) = (Hostile::start().await, ClientKey::es256("1"));
        let (member, keys) = keys(&host, &key);
        let mut document = document(&host);
        document[member] = keys;
        host.serve("/c.json", NEVER_KEPT, &document);
        let mut connecting = Connecting::at(fetching(beside(&host))).await;
        connecting.client = host.url("/c.json");
        let client = connecting.client.clone();
        Self {
            host,
            connecting,
            signed: Knocker::Key(client.clone(), key),
            bare: Knocker::Public(client),
        }
    }

    async fn with_keys_inside() -> Self {
        Self::new(|_, key| ("jwks", key.jwks())).await
    }

    async fn ask(&self, who: &Knocker, path: &str, form: &[(&str, &str)]) -> Reply {
        who.ask(&self.connecting.test, path, form).await
    }

    async fn redeem(&self, who: &Knocker, code: &str) -> Reply {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", LOOPBACK),
            ("code_verifier", VERIFIER),
        ];
        self.ask(who, "/oauth/token", &form).await
    }

    async fn refresh(&self, who: &Knocker, token: &str) -> Reply {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.ask(who, "/oauth/token", &form).await
    }

    async fn tokens(&mut self) -> Value {
        let code = self.connecting.code(&[]).await;
        good(&self.redeem(&self.signed, &code).await)
    }

    /// The refusal of who did not sign, to the client and to the operator.
    fn assert_unproven(&self, reply: &Reply) {
        assert_eq!(refused(reply), (401, "invalid_client".to_owned()));
        assert!(reply.body.contains("client_assertion"), "{}", reply.body);
        let told = told(&self.connecting.test, reply);
        assert_eq!(told.reason, "client_proof_missing", "{told}");
        assert!(told.fix.contains("document"), "{told}");
    }
}

fn document(host: &Hostile) -> Value {
    let mut document = host.good("/c.json");
    document["redirect_uris"] = json!([LOOPBACK]);
    document["token_endpoint_auth_method"] = json!("private_key_jwt");
    document["grant_types"] = json!(["authorization_code", "refresh_token", DEVICE]);
    document
}

fn good(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.body);
    body(reply)
}

#[tokio::test]
async fn n_as_32_a_client_whose_document_names_keys_only_signs_with_each_request() {
    let inside = Signing::with_keys_inside().await;
    let beside = Signing::new(|host, key| {
        host.answer("/jwks", Answer::Raw(json_reply("", &key.jwks())));
        ("jwks_uri", json!(host.url("/jwks")))
    });
    for mut signing in [inside, beside.await] {
        let code = signing.connecting.code(&[]).await;
        signing.assert_unproven(&signing.redeem(&signing.bare, &code).await);
        let tokens = good(&signing.redeem(&signing.signed, &code).await);
        let first = text(&tokens, "refresh_token");
        signing.assert_unproven(&signing.refresh(&signing.bare, first).await);
        let tokens = good(&signing.refresh(&signing.signed, first).await);
        let second = text(&tokens, "refresh_token");
        let form = [("token", second)];
        let bare = signing.ask(&signing.bare, "/oauth/revoke", &form).await;
        assert_eq!(refused(&bare), (401, "invalid_client".to_owned()));
        assert_eq!(signing.connecting.revoked_why(&tokens).await, None);
        good(&signing.refresh(&signing.signed, second).await);
        let access = [("token", text(&tokens, "access_token"))];
        let asked = signing.ask(&signing.signed, "/oauth/introspect", &access);
        assert_eq!(good(&asked.await)["active"], true);
        let signed = signing.ask(&signing.signed, "/oauth/revoke", &form).await;
        assert_eq!(signed.status, 200, "{}", signed.body);
        let why = signing.connecting.revoked_why(&tokens).await;
        assert_eq!(why.as_deref(), Some("by_client"));
    }
}

/// Whoever takes over the host of a document could else use what its client holds, and who only saw a
/// token go by could too.
#[tokio::test]
async fn n_as_32_a_document_that_drops_its_key_opens_nothing_that_was_given_before() {
    let mut signing = Signing::with_keys_inside().await;
    let code = signing.connecting.code(&[]).await;
    let tokens = signing.tokens().await;
    let token = text(&tokens, "refresh_token");
    let mut public = document(&signing.host);
    public["token_endpoint_auth_method"] = json!("none");
    signing.host.serve("/c.json", NEVER_KEPT, &public);
    signing.assert_unproven(&signing.redeem(&signing.bare, &code).await);
    signing.assert_unproven(&signing.refresh(&signing.bare, token).await);
    let signed = signing.refresh(&signing.signed, token).await;
    assert_eq!(refused(&signed), (401, "invalid_client".to_owned()));
    assert_eq!(signing.connecting.revoked_why(&tokens).await, None);
    // What is given from now on needs no proof.
    let code = signing.connecting.code(&[]).await;
    good(&signing.redeem(&signing.bare, &code).await);
}

#[tokio::test]
async fn n_as_32_who_signs_pushes_and_starts_devices_signed() {
    let signing = Signing::with_keys_inside().await;
    let push = [
        ("response_type", "code"),
        ("redirect_uri", LOOPBACK),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("resource", RESOURCE),
    ];
    signing.assert_unproven(&signing.ask(&signing.bare, "/oauth/par", &push).await);
    let pushed = signing.ask(&signing.signed, "/oauth/par", &push).await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    let device = [("resource", RESOURCE)];
    signing.assert_unproven(&signing.ask(&signing.bare, "/oauth/device", &device).await);
    let waits = good(&signing.ask(&signing.signed, "/oauth/device", &device).await);
    let poll = [
        ("grant_type", DEVICE),
        ("device_code", text(&waits, "device_code")),
    ];
    signing.assert_unproven(&signing.ask(&signing.bare, "/oauth/token", &poll).await);
    let pending = signing.ask(&signing.signed, "/oauth/token", &poll).await;
    assert_eq!(refused(&pending), (400, "authorization_pending".to_owned()));
}

#[tokio::test]
async fn a_document_without_keys_that_can_be_used_begins_no_sign_in() {
    let host = Hostile::start().await;
    let elsewhere = "https://keys.example/jwks";
    let test = fetching(beside(&host));
    for (path, jwks_uri) in [
        ("/none.json", Value::Null),
        ("/other.json", json!(elsewhere)),
    ] {
        let mut document = document(&host);
        document["client_id"] = json!(host.url(path));
        document["jwks_uri"] = jwks_uri;
        host.serve(path, "", &document);
        let page = get(&test, &authorize_url(&host.url(path), &[])).await;
        own_page(&page, path);
        let told = told(&test, &page);
        assert_eq!(told.reason, "client_document_auth_method", "{told}");
        assert!(
            told.expected.contains("jwks_uri on its own origin"),
            "{told}"
        );
    }
}
