//! What the operator is told of a call that the gateway refused.

use super::fake_server::always;
use super::scene::{Scene, reference};

#[test]
fn a_revoked_token_names_its_connection_person_and_client_to_the_operator_only() {
    let scene = Scene::new();
    let (_, tokens) = scene.tokens();
    let grants = scene.installation.answer(&["grant", "list"]);
    let grant = grants[0]["id"].as_str().expect("an id").to_owned();
    scene.installation.answer(&["grant", "revoke", &grant]);
    let reply = scene.call(&tokens.access);
    assert_eq!(reply.status, 401);
    let theirs = [&*grant, super::NAME, "Operator test", "by_operator"];
    for theirs in theirs {
        let challenge = reply.header("www-authenticate");
        assert!(
            !reply.body.contains(theirs) && !challenge.contains(theirs),
            "{reply:?}"
        );
    }
    let said = scene.named(&reply.body, "revoked", "keystile grant list --all");
    assert_eq!(said["client"], "Operator test", "{said}");
    assert_eq!(said["grant"], *grant, "{said}");
    let found = said["steps"][0]["refused"]["found"].to_string();
    assert!(
        found.contains(&grant) && found.contains("with 'ksd_"),
        "{found}"
    );
    let whose = format!(
        "of {} with An app on this computer (“Operator test”); it was ended: by_operator",
        super::NAME
    );
    assert_eq!(said["connection"], *whose, "{said}");
    let reference = reference(&reply.body);
    let text = scene.installation.run(&["doctor", &reference]).stdout;
    let line = format!("  connection: {grant} {whose}\n");
    assert!(text.contains(&line), "{text}");
    let log = scene.gate.program.stderr.find(&reference).expect("a line");
    assert!(log.contains(&grant) && !log.contains(super::NAME), "{log}");
    let Scene { installation, gate } = scene;
    gate.stop();
    // Nothing is opened for a look at what failed: its ids are there.
    let said = installation.answer(&["doctor", &reference]);
    assert_eq!(said["grant"], *grant, "{said}");
}

#[test]
fn an_upstream_that_fails_is_named_with_its_status() {
    let head = "content-type: text/html\r\nconnection: close\r\n";
    for (answer, reason, found) in [
        (
            format!("HTTP/1.1 500 Oops\r\n{head}\r\nsecret stack trace"),
            "upstream_failed",
            "the upstream said 500 Internal Server Error, Content-Type 'text/html'",
        ),
        (
            format!("HTTP/1.1 302 Found\r\nlocation: http://in.example/?secret=x\r\n{head}\r\n"),
            "upstream_redirects",
            "the upstream said 302 Found, Content-Type 'text/html', Location 'http://in.example/'",
        ),
    ] {
        let installation = Scene::installation();
        let scene = Scene::in_front_of(installation, &always(&answer));
        let (_, tokens) = scene.tokens();
        let reply = scene.call(&tokens.access);
        assert!(!reply.body.contains("upstream said"), "{reply:?}");
        let said = scene.named(&reply.body, reason, "");
        let told = said["steps"][0]["refused"]["found"].to_string();
        assert!(told.contains(found) && !told.contains("secret"), "{told}");
        scene.gate.stop();
    }
}
