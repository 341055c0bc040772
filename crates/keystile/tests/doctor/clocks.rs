//! Tokens whose time, issuer or audience is another: the client hears one sentence (CHECKLIST A-078), the operator
//! which clock and by how much.

use keystile_domain::ports::SigningKeys as _;
use keystile_domain::records::SigningKeyState;
use keystile_domain::secrets::Secrets;
use keystile_domain::secrets::master_keys::MasterKeys;
use keystile_domain::time::Timestamp;
use keystile_protocol::jwt::{AccessTokenClaims, SigningKey};
use keystile_store::Store;

use super::codes::since_1970;
use super::scene::Scene;

/// The key that the installation signs with, as its files have it.
fn signing_key(scene: &Scene) -> SigningKey {
    let data = scene.installation.data();
    let master = std::fs::read(data.join("master.key")).expect("there is a master key");
    let secrets = Secrets::of(&MasterKeys::from_bytes(&master).expect("it is one"));
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let keys = runtime.block_on(async {
        let now = Timestamp(since_1970());
        let opened = Store::open(&data.join("keystile.db"), now).await;
        let store = opened.expect("the database is fine");
        let keys = store.signing_keys().await.expect("it reads");
        store.close().await;
        keys
    });
    let current = keys
        .iter()
        .find(|key| key.state == SigningKeyState::Current);
    let current = current.expect("one signs");
    let private = secrets.open_signing_key(&current.kid, &current.sealed);
    SigningKey::from_pkcs8(&private.expect("it opens")).expect("it is a key")
}

#[test]
fn a_token_of_another_time_or_place_is_named_to_the_operator_only() {
    let scene = Scene::new();
    let key = signing_key(&scene);
    let now = u64::try_from(since_1970() / 1000).expect("after 1970");
    let claims = |change: &dyn Fn(&mut AccessTokenClaims)| {
        let mut claims = AccessTokenClaims {
            iss: scene.gate.text("issuer"),
            sub: "somebody".to_owned(),
            aud: scene.resource(),
            client_id: "some-app".to_owned(),
            scope: "notes:call".to_owned(),
            iat: now,
            exp: now + 600,
            nbf: None,
            jti: "one".to_owned(),
            sid: Some("0199d8a0-0000-7000-8000-000000000000".to_owned()),
        };
        change(&mut claims);
        key.sign(&claims).expect("it signs")
    };
    let slash = format!("{}/", scene.resource());
    let elsewhere = scene.gate.text("issuer").replace("http:", "https:");
    let mut bodies = Vec::new();
    for (token, reason, found, fix) in [
        (
            claims(&|it| (it.iat, it.exp) = (now + 300, now + 900)),
            "token_from_the_future",
            " s from now",
            "Set the clocks",
        ),
        (
            claims(&|it| (it.iat, it.exp) = (now - 700, now - 100)),
            "token_expired",
            " s ago; its lifetime was 600 s",
            "refreshes by itself",
        ),
        (
            claims(&|it| it.nbf = Some(now + 300)),
            "token_from_the_future",
            " s from now",
            "Set the clocks",
        ),
        (
            claims(&|it| it.exp = now + 90_000),
            "token_lives_too_long",
            "90000 s",
            "Lower the lifetime",
        ),
        (
            claims(&|it| it.aud.clone_from(&slash)),
            "token_audience_differs_in_slash",
            "slashes at the end",
            "connect again at the URL",
        ),
        (
            claims(&|it| it.iss.clone_from(&elsewhere)),
            "token_issuer_differs_in_scheme",
            "in the scheme",
            "keep --public-url the same",
        ),
    ] {
        let reply = scene.call(&token);
        assert_eq!(reply.status, 401);
        let said = scene.named(&reply.body, reason, fix);
        assert!(said["steps"].to_string().contains(found), "{found}: {said}");
        assert_eq!(said["client"], "some-app", "we signed it: {said}");
        assert!(!said.to_string().contains(&token) && !said.to_string().contains("somebody"));
        let reference = super::scene::reference(&reply.body);
        let challenge = reply.header("www-authenticate").replace(&reference, "KS");
        bodies.push((reply.body.replace(&reference, "KS"), challenge));
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "one answer for all: {bodies:?}");
    scene.gate.stop();
}

#[test]
fn a_token_of_another_installation_is_named() {
    let (other, scene) = (Scene::new(), Scene::new());
    let (_, tokens) = other.tokens();
    let reply = scene.call(&tokens.access);
    assert_eq!(reply.status, 401);
    let said = scene.named(&reply.body, "unknown_key", "another installation");
    let found = said["steps"][0]["refused"]["found"].to_string();
    let issuer = format!("the issuer '{}'", other.gate.text("issuer"));
    assert!(found.contains(&issuer), "{found}");
    other.gate.stop();
    scene.gate.stop();
}
