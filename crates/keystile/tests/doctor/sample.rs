//! The attempt that `docs/doctor.md` shows is what the program says.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::flow::{Client, REDIRECT, code};
use super::scene::{Scene, reference};

const PAGE: &str = include_str!("../../../../docs/doctor.md");

#[test]
fn the_sample_in_the_documentation_is_what_the_program_says() {
    let scene = Scene::new();
    scene.installation.answer(&[
        "client",
        "add",
        "--name",
        "Notes Desktop",
        "--client-id",
        "notes-desktop",
        "--redirect-uri",
        REDIRECT,
    ]);
    let client: Client = scene.client_called("notes-desktop");
    // 43 characters: what is the base64url of 32 bytes is a legal challenge, too.
    let verifier = URL_SAFE_NO_PAD.encode([0xa5; 32]);
    let redirect = scene.consented(&client, &[("code_challenge", &verifier)]);
    let refused = client.ask(&[
        ("grant_type", "authorization_code"),
        ("code", &code(&redirect)),
        ("redirect_uri", REDIRECT),
        ("code_verifier", &verifier),
    ]);
    let reference = reference(&refused.body);
    let said = scene.installation.run(&["doctor", &reference]).stdout;
    let port = format!("localhost:{}", scene.gate.port);
    let said = said.replace(&port, "localhost:7717");
    let (command, shown) = sample();
    assert_eq!(command, "$ keystile doctor KS-7F3Q2M9X");
    assert_eq!(
        timeless(shown),
        timeless(&said.replace(&reference, "KS-7F3Q2M9X"))
    );
    scene.gate.stop();
}

/// The command and what it says.
fn sample() -> (&'static str, &'static str) {
    let from = PAGE.find("$ keystile doctor KS-").expect("a sample");
    let block = PAGE[from..].split("\n```").next().unwrap_or_default();
    block.split_once('\n').expect("and what it says")
}

/// Without the date, and without the seconds of each step.
fn timeless(said: &str) -> Vec<String> {
    let steps = said
        .trim_end()
        .lines()
        .map(|line| match line.split_once(" s  ") {
            Some((step, what)) => {
                let number = step.split('+').next().unwrap_or_default();
                format!("{number}{what}")
            }
            None if line.starts_with("KS-") => {
                line.split(',').next().unwrap_or_default().to_owned()
            }
            None => line.to_owned(),
        });
    steps.collect()
}
