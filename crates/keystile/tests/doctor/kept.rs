//! What is kept, for how long, and what it costs.

use std::os::unix::fs::PermissionsExt as _;

use keystile_domain::flow::{MOST_FAILED, MOST_FAILED_BYTES, MOST_OF_ONE_REASON};

use super::flow::REDIRECT;
use super::http::Request;
use super::scene::{Scene, doctor, reference};

#[test]
fn failed_attempts_can_be_explained_after_a_restart_and_without_a_process() {
    let scene = Scene::new();
    let (client, _) = scene.tokens();
    let redirect = scene.consented(&client, &[]);
    let code = super::flow::code(&redirect);
    let wrong = "a-secret-verifier-0123456789-abcdefghijklmnopqrstuvw";
    let reply = client.ask(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", wrong),
    ]);
    let reference = reference(&reply.body);
    let reason = "code_challenge_not_met";
    scene.named(&reply.body, reason, "");
    let Scene { installation, gate } = scene;
    gate.stop();

    doctor(&installation, &reference, reason, "");
    let file = installation.data().join("failed-attempts.json");
    let text = std::fs::read_to_string(&file).expect("it is kept");
    for secret in [wrong, &code, "planted-state", super::PASSWORD, &client.id] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let mode = std::fs::metadata(&file)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let scene = Scene::on(installation);
    doctor(&scene.installation, &reference, reason, "");
    let listed = scene.installation.answer(&["doctor"]);
    assert_eq!(listed[0]["reference"], reference.as_str(), "{listed}");
    assert_eq!(
        listed.as_array().map(Vec::len),
        Some(1),
        "what went well is not listed"
    );
    let text = scene.installation.run(&["doctor"]).stdout;
    assert!(
        text.contains(&reference) && text.contains("token") && text.contains(reason),
        "{text}"
    );
    scene.gate.stop();
}

#[test]
fn what_failed_is_explained_while_nothing_else_can_be_opened() {
    let scene = Scene::new();
    let reply = scene.call("a.b.c");
    let reference = reference(&reply.body);
    let Scene { installation, gate } = scene;
    gate.stop();
    let master = installation.data().join("master.key");
    std::fs::remove_file(&master).expect("it can be removed");
    let database = installation.data().join("keystile.db");
    std::fs::write(&database, "no database").expect("it can be written");
    doctor(&installation, &reference, "malformed_token", "");
    assert!(!master.exists(), "nothing is made for a look");
    let text = std::fs::read_to_string(&database).expect("it is there");
    assert_eq!(text, "no database");
}

#[test]
fn a_reference_that_is_not_known_says_what_is_kept() {
    let scene = Scene::new();
    for reference in ["KS-AAAAAAAA", "ks-aaaaaaaa"] {
        let failed = scene.installation.failure(&["doctor", reference]);
        failed
            .is(1, "reference_unknown")
            .says("KS-AAAAAAAA")
            .says("7 days")
            .says("512");
        failed.says("60 minutes").advises("keystile doctor");
    }
    let failed = scene.installation.failure(&["doctor", "no-nonsense"]);
    failed.is(2, "reference").says("KS-7F3Q2M9X");
    let none = scene.installation.run(&["doctor"]).stdout;
    assert!(none.contains("No attempt has failed lately"), "{none}");
    scene.gate.stop();
}

#[test]
fn a_reason_that_nothing_failed_for_is_told_from_no_failure_at_all() {
    let scene = Scene::new();
    let ask = || {
        let asked = ["doctor", "--reason", "grant_expired"];
        assert_eq!(scene.installation.answer(&asked), serde_json::json!([]));
        scene.installation.run(&asked).stdout
    };
    assert_eq!(ask().trim(), "No attempt has failed lately.");
    let others = [
        "1 for another reason: keystile doctor",
        "2 for other reasons: keystile doctor",
    ];
    for others in others {
        scene.call("a.b.c");
        let said = format!("No attempt that is kept failed for grant_expired, and {others}");
        assert_eq!(ask().trim(), said);
    }
    scene.gate.stop();
}

#[test]
fn a_damaged_file_of_failures_keeps_nobody_from_starting() {
    let scene = Scene::new();
    let Scene { installation, gate } = scene;
    gate.stop();
    let file = installation.data().join("failed-attempts.json");
    std::fs::write(&file, "{\"attempts\": [").expect("it can be written");
    let scene = Scene::on(installation);
    let reply = scene.call("a.b.c");
    scene.named(&reply.body, "malformed_token", "cut or changed");
    scene.gate.stop();
}

#[test]
fn a_flood_of_failures_costs_a_bounded_file_and_leaves_the_others() {
    let scene = Scene::new();
    let client = scene.client_called("never-registered");
    let lost = client.refresh("ksr_nothing");
    let lost = reference(&lost.body);
    let name = "x".repeat(4_000);
    for number in 0..300 {
        let reply = Request::get(&format!("/notes/mcp?{number}"))
            .header("host", &format!("{name}.example"))
            .send(scene.gate.port);
        assert_eq!(reply.status, 421, "{reply:?}");
    }
    let listed = scene.installation.answer(&["doctor"]);
    assert_eq!(
        listed.as_array().map(Vec::len),
        Some(MOST_OF_ONE_REASON + 1)
    );
    let text = scene.installation.run(&["doctor"]).stdout;
    assert!(text.contains("×64") && text.contains(&lost), "{text}");
    let one = ["doctor", "--reason", "client_unknown"];
    let one = scene.installation.answer(&one);
    assert_eq!(one[0]["reference"], lost.as_str(), "{one}");
    assert_eq!(one.as_array().map(Vec::len), Some(1));
    let all = scene.installation.run(&["doctor", "--all"]).stdout;
    assert!(all.lines().count() > MOST_OF_ONE_REASON, "{all}");
    doctor(&scene.installation, &lost, "client_unknown", "Register");
    let Scene { installation, gate } = scene;
    gate.stop();
    let file = installation.data().join("failed-attempts.json");
    let text = std::fs::read_to_string(&file).expect("it is kept");
    let kept = text.matches("\"reference\"").count();
    assert_eq!(kept, MOST_OF_ONE_REASON + 1, "and one of them is the other");
    assert!(kept <= MOST_FAILED && text.len() <= 2 * MOST_FAILED_BYTES);
    doctor(&installation, &lost, "client_unknown", "Register");
}
