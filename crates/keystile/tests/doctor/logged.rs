//! The log's line of a failure: what doctor says, in one form wherever it was refused.

use super::flow::Browser;
use super::http::Request;
use super::scene::{Scene, reference};

/// What an operator would have to type names the client, in the log as well: `Scene::named` compares both.
#[test]
fn what_is_to_be_typed_names_the_client_in_the_log_as_doctor_does() {
    let scene = Scene::new();
    let add = [
        "client",
        "add",
        "--name",
        "Job",
        "--client-id",
        "job",
        "--scope",
        "notes:read",
    ];
    let how = [
        "--auth",
        "client_secret_basic",
        "--grant",
        "client_credentials",
    ];
    let added = scene.installation.answer(&[&add[..], &how].concat());
    let secret = added["client_secret"].as_str().expect("it is printed once");
    let mut job = scene.client_called("job");
    let grant = ("grant_type", "client_credentials");

    job.secret = Some("wrong".to_owned());
    let wrong = job.ask(&[grant]);
    let fix = "keystile client rotate-secret job";
    scene.named(&wrong.body, "client_secret_wrong", fix);
    job.secret = Some(secret.to_owned());
    job.secret = None;
    let posted = job.ask(&[grant, ("client_secret", secret)]);
    let fix = "keystile client update job --auth client_secret_post";
    scene.named(&posted.body, "client_auth_method", fix);
    // Nobody is told to let it in without any proof.
    let nothing = job.ask(&[grant]);
    let fix = "keystile client update job --auth METHOD";
    scene.named(&nothing.body, "client_auth_method", fix);
    let page = Browser::new(scene.gate.port).open(&job.authorize_with(&[]));
    let fix = "keystile client update job --grant client_credentials --grant authorization_code";
    scene.named(&page.body, "client_grant_type", fix);
    scene.gate.stop();
}

/// By the issuer as a program reads it, on a page, by the gateway with and without a token, at a foreign name, nowhere.
#[test]
fn every_room_writes_its_lines_in_one_form() {
    let scene = Scene::new();
    let port = scene.gate.port;
    let mut browser = Browser::new(port);
    let sign_in = browser.open(&scene.client().authorize_with(&[]));
    let answers = [
        scene.client_called("nobody").refresh("ksr_nothing"),
        Browser::new(port).open("/oauth/authorize"),
        browser.sign_in(&sign_in, super::NAME, "a wrong one"),
        scene.call("a.b.c"),
        Request::new("PUT", &scene.gate.endpoint()).send(port),
        Request::get("/")
            .header("host", "mcp.example.com")
            .send(port),
        Request::json("/nowhere", "{}").send(port),
    ];
    for answer in answers {
        let reference = reference(&answer.body);
        let line = scene
            .gate
            .program
            .stderr
            .find_line(&[&reference, " reason="]);
        let line = line.unwrap_or_else(|| panic!("{reference} is in the log"));
        let begin = format!(" reference=\"{reference}\" reason=\"");
        let (message, fields) = line.split_once(&begin).expect(&line);
        assert!(message.contains("refused"), "{line}");
        assert!(
            fields.contains("\" detail=\"") && fields.ends_with('"'),
            "{line}"
        );
    }
    scene.gate.stop();
}
