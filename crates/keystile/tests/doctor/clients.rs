//! Clients that are not known (any more).

use super::flow::Browser;
use super::scene::Scene;

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
