//! Clients that are not known (any more).

use super::flow::{Browser, VERIFIER, code};
use super::http::Request;
use super::scene::{Scene, reference};

#[test]
fn a_client_of_a_removed_data_directory_is_told_to_register_anew() {
    let (before, scene) = (Scene::new(), Scene::new());
    let id = before.client().id;
    before.gate.stop();
    let lost = scene.client_called(&id);
    let page = Browser::new(scene.gate.port).open(&lost.authorize_with(&[]));
    assert_eq!(page.status, 400);
    let text = keystile_testkit::reading::text(&page.body);
    assert!(
        text.contains("Remove the connection in the app and add it again"),
        "{text}"
    );
    scene.named(
        &page.body,
        "client_sealed_by_another_key",
        "data directory was removed",
    );
    let reply = lost.refresh("ksr_nothing");
    assert_eq!(reply.value()["error"], "invalid_client");
    assert!(reply.body.contains("Register again"), "{}", reply.body);
    scene.named(
        &reply.body,
        "client_sealed_by_another_key",
        "data directory was removed",
    );
    scene.gate.stop();
}

#[test]
fn a_client_id_that_was_cut_off_or_never_registered_is_named() {
    let scene = Scene::new();
    let whole = scene.client().id;
    let changed = format!("{}AAAA", &whole[..whole.len() - 4]);
    for (id, reason) in [
        (&whole[..12], "client_id_damaged"),
        (changed.as_str(), "client_id_damaged"),
        ("never-registered", "client_unknown"),
    ] {
        let client = scene.client_called(id);
        let page = Browser::new(scene.gate.port).open(&client.authorize_with(&[]));
        assert_eq!(page.status, 400);
        scene.named(&page.body, reason, "");
    }
    scene.gate.stop();
}

#[test]
fn a_secret_that_was_sent_as_the_client_id_is_neither_logged_nor_kept() {
    let scene = Scene::new();
    let (client, tokens) = scene.tokens();
    let known = code(&scene.consented(&client, &[]));
    for secret in [VERIFIER, &known, &tokens.refresh, &tokens.access] {
        let fields = [("grant_type", "authorization_code"), ("client_id", secret)];
        let asked = Request::form("/oauth/token", &fields).send(scene.gate.port);
        let lost = scene.client_called(secret);
        let page = Browser::new(scene.gate.port).open(&lost.authorize_with(&[]));
        for body in [&asked.body, &page.body] {
            let said = scene.named(body, "client_unknown", "keystile client list");
            let words = [&*reference(body), "client_unknown"];
            let line = scene.gate.program.stderr.find_line(&words);
            let line = line.expect("the log has it");
            let beginning = format!("'{}…' ({} characters)", &secret[..4], secret.len());
            for place in [said.to_string(), line] {
                assert!(place.contains(&beginning), "{beginning}: {place}");
                assert!(!place.contains(&secret[..6]), "{place}");
            }
        }
    }
    scene.gate.stop();
}
