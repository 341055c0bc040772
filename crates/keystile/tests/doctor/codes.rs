//! Codes that come twice, late, or from somebody else.

use std::time::Duration;

use keystile_domain::ids::{GrantId, TransactionId};
use keystile_domain::ports::{Grants as _, People as _, Rng};
use keystile_domain::records::{Approval, Approved};
use keystile_domain::secrets::code::FreshSecret;
use keystile_domain::time::Timestamp;
use keystile_protocol::pkce::CodeChallenge;
use keystile_store::Store;
use keystile_testkit::rng::SeededRng;

use super::flow::{Client, REDIRECT, Tokens, VERIFIER, code};
use super::http::Reply;
use super::scene::Scene;
use super::{NAME, PASSWORD};

fn show(client: &Client, code: &str) -> Reply {
    client.ask(&[
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ])
}

#[test]
fn a_code_that_is_used_twice_is_named() {
    let scene = Scene::new();
    let client = scene.client();
    let code = code(&scene.consented(&client, &[]));
    assert_eq!(show(&client, &code).status, 200);
    let again = show(&client, &code);
    assert_eq!(again.status, 400);
    let said = scene.named(&again.body, "code_reused", "sent its token request twice");
    assert!(
        said["steps"].to_string().contains("the app got its tokens"),
        "{said}"
    );
    scene.gate.stop();
}

#[test]
fn a_code_of_another_client_is_named_without_telling_whose_it_is() {
    let scene = Scene::new();
    let owner = scene.client();
    let code = code(&scene.consented(&owner, &[]));
    let id = "another-app";
    scene.installation.answer(&[
        "client",
        "add",
        "--name",
        "Another",
        "--client-id",
        id,
        "--redirect-uri",
        REDIRECT,
    ]);
    let other = scene.client_called(id);
    let reply = show(&other, &code);
    assert_eq!(reply.status, 400);
    assert!(!reply.body.contains("Operator test"), "{}", reply.body);
    let said = scene.named(&reply.body, "code_of_another_client", "Two apps");
    let last = said["steps"].as_array().and_then(|steps| steps.last());
    assert!(
        last.is_some_and(|step| step.to_string().contains("Operator test")),
        "{said}"
    );
    assert_eq!(show(&owner, &code).status, 200, "nothing was spent");
    scene.gate.stop();
}

#[test]
fn a_code_that_comes_again_with_something_wrong_is_named_as_used_before_to_the_operator_only() {
    let scene = Scene::new();
    let client = scene.client();
    let code = code(&scene.consented(&client, &[]));
    let reply = show(&client, &code);
    assert_eq!(reply.status, 200);
    let tokens = Tokens::of(&reply);
    let id = "another-app";
    let add = ["client", "add", "--name", "Another", "--client-id", id];
    let add = [&add[..], &["--redirect-uri", REDIRECT]].concat();
    scene.installation.answer(&add);
    let other = scene.client_called(id);
    let with = |client: &Client, redirect: &str, verifier: &str| {
        client.ask(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ])
    };
    let slash = format!("{REDIRECT}/");
    let wrong = "0123456789012345678901234567890123456789012";
    let shown = [
        (&client, REDIRECT, wrong, "code_challenge_not_met"),
        (&client, REDIRECT, "short", "pkce_verifier_malformed"),
        (&client, &slash, VERIFIER, "code_redirect_differs_in_slash"),
        (&other, REDIRECT, VERIFIER, "code_of_another_client"),
    ];
    let named = |scene: &Scene, reply: &Reply, besides: &str| {
        assert!(!reply.body.contains("before"), "{}", reply.body);
        let said = scene.named(&reply.body, "code_reused_wrongly", "keystile grant revoke ");
        assert!(said.to_string().contains(besides), "{besides}: {said}");
    };
    for (client, redirect, verifier, besides) in shown {
        named(&scene, &with(client, redirect, verifier), besides);
    }
    let refreshed = client.refresh(&tokens.refresh);
    assert_eq!(refreshed.status, 200, "nothing ended: {}", refreshed.body);
    // The database knows it after a restart, too.
    let Scene { installation, gate } = scene;
    gate.stop();
    let scene = Scene::on(installation);
    let client = scene.client_called(&client.id);
    let reply = with(&client, REDIRECT, wrong);
    named(&scene, &reply, "code_challenge_not_met");
    scene.gate.stop();
}

#[test]
fn a_code_that_was_changed_on_its_way_is_told_from_one_of_another_installation() {
    let (elsewhere, scene) = (Scene::new(), Scene::new());
    let foreign = code(&elsewhere.consented(&elsewhere.client(), &[]));
    elsewhere.gate.stop();
    let client = scene.client();
    let code = code(&scene.consented(&client, &[]));
    for (shown, what) in [
        (
            code[..50].to_owned(),
            "50 characters of 68, and it was cut off",
        ),
        (
            format!("{code}\n"),
            "white space stands before or behind it",
        ),
        (
            code.replacen('_', "%5F", 1),
            "percent-encoded once too often",
        ),
    ] {
        let reply = show(&client, &shown);
        assert!(reply.body.contains(what), "{}", reply.body);
        scene.told(&reply, "code_damaged", "encode the form once");
    }
    let reply = show(&client, &foreign);
    scene.named(&reply.body, "code_unknown", "another data directory");
    assert_eq!(show(&client, &code).status, 200, "nothing was spent");
    scene.gate.stop();
}

#[test]
fn a_code_that_comes_too_late_is_named() {
    let scene = Scene::new();
    let (client, resource) = (scene.client(), scene.resource());
    let code = {
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        // A code of a minute ago, as the program writes one; the test need not wait for it.
        runtime.block_on(late_code(&scene, &client.id, &resource))
    };
    let reply = show(&client, &code);
    assert_eq!(reply.status, 400);
    assert!(reply.body.contains("60 seconds"), "{}", reply.body);
    scene.named(&reply.body, "code_expired", "Connect again");
    scene.gate.stop();
}

async fn late_code(scene: &Scene, client_id: &str, resource: &str) -> String {
    let now = Timestamp(since_1970());
    let path = scene.installation.data().join("keystile.db");
    let store = Store::open(&path, now).await.expect("the database is fine");
    let rng = SeededRng::default();
    let mut salt = [0; 8];
    rng.fill(&mut salt);
    let person = store
        .find_by_name(NAME)
        .await
        .expect("it reads")
        .expect("there is one");
    let begun = Timestamp(now.0 - 61_000);
    let grant = GrantId::new(begun, &rng);
    let code = FreshSecret::authorization_code(grant, &rng);
    let approval = Approval {
        transaction: TransactionId::new(begun, &rng),
        grant,
        person: person.id,
        client_id: client_id.to_owned(),
        client_name: "Operator test".to_owned(),
        client_proves: false,
        resource: resource.to_owned(),
        scopes: "notes:call".parse().expect("a scope"),
        code: code.digest,
        redirect_uri: REDIRECT.to_owned(),
        challenge: CodeChallenge::of_verifier(VERIFIER).expect("a verifier"),
        created_at: begun,
        code_expires_at: begun.plus(Duration::from_secs(60)),
        grant_expires_at: now.plus(Duration::from_secs(600)),
    };
    let approved = store.approve(approval).await.expect("it writes");
    assert_eq!(approved, Approved::First);
    store.close().await;
    code.text.to_string()
}

#[test]
fn a_refusal_by_the_person_and_a_wrong_password_are_steps() {
    let scene = Scene::new();
    let client = scene.client();
    let mut browser = super::flow::Browser::new(scene.gate.port);
    let page = browser.open(&client.authorize_with(&[]));
    browser.sign_in(&page, NAME, "not the password");
    let consent = browser.sign_in(&page, NAME, PASSWORD);
    let input = |name| keystile_testkit::reading::input(&consent.body, name).expect("a field");
    let fields = [
        ("tx", &*input("tx")),
        ("csrf", &*input("csrf")),
        ("decision", "deny"),
    ];
    let denied = browser.submit("/ks/consent", &fields);
    assert!(
        denied.header("location").contains("error=access_denied"),
        "{denied:?}"
    );
    let said = scene.named(denied.header("location"), "person_said_no", "press Allow");
    let steps = said["steps"].to_string();
    assert!(
        steps.contains("wrong_name_or_password") && steps.contains("by password"),
        "{said}"
    );
    scene.gate.stop();
}

/// Milliseconds by the clock that the program under test has.
pub(super) fn since_1970() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the program under test has this clock"
    )]
    let now = std::time::SystemTime::now();
    let since = now
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(since.as_millis()).expect("not so far")
}
