//! Clients that get PKCE wrong.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::flow::{Browser, REDIRECT, VERIFIER, code};
use super::http::Reply;
use super::scene::Scene;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// With `+` and `/` in its standard base64.
fn special() -> Vec<u8> {
    [0xfb, 0xff]
        .into_iter()
        .chain(Sha256::digest(VERIFIER))
        .take(32)
        .collect()
}

#[test]
fn a_challenge_that_was_encoded_wrongly_is_named_when_the_sign_in_begins() {
    let scene = Scene::new();
    let client = scene.client();
    let hash = Sha256::digest(VERIFIER);
    for (challenge, method, reason, fix) in [
        (
            URL_SAFE.encode(hash),
            "S256",
            "pkce_challenge_padded",
            "take the = off",
        ),
        (
            STANDARD.encode(special()),
            "S256",
            "pkce_challenge_standard_base64",
            "base64url",
        ),
        (
            hex(&hash),
            "S256",
            "pkce_challenge_hex",
            "not hexadecimal digits",
        ),
        (
            URL_SAFE_NO_PAD.encode(hex(&hash)),
            "S256",
            "pkce_challenge_base64_of_hex",
            "not their hexadecimal digits",
        ),
        (
            VERIFIER.to_owned(),
            "S256",
            "pkce_plain_sent_as_s256",
            "hash it first",
        ),
        (
            VERIFIER.to_owned(),
            "plain",
            "pkce_method_not_s256",
            "plain is refused",
        ),
    ] {
        let changes = [
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", method),
        ];
        let reply = Browser::new(scene.gate.port).open(&client.authorize_with(&changes));
        assert!(
            reply.header("location").contains("error=invalid_request"),
            "{reply:?}"
        );
        scene.told(&reply, reason, fix);
    }
    scene.gate.stop();
}

#[test]
fn a_verifier_that_does_not_match_is_named_with_the_whole_way_to_it() {
    let scene = Scene::new();
    let client = scene.client();
    // 43 characters: what is the base64url of 32 bytes is a legal challenge, too.
    let verifier = URL_SAFE_NO_PAD.encode([0xa5; 32]);
    let padded = format!("{verifier}=");
    let hash = Sha256::digest(&verifier);
    let of = |text: &str| URL_SAFE_NO_PAD.encode(Sha256::digest(text));
    let unrelated = "v".repeat(43);
    for (challenge, verifier, reason, fix) in [
        (
            verifier.clone(),
            verifier.as_str(),
            "pkce_plain_sent_as_s256",
            "hash it first",
        ),
        (
            of(&padded),
            &verifier,
            "pkce_verifier_padded",
            "take the = off once",
        ),
        (
            of(&verifier),
            &padded,
            "pkce_verifier_padded",
            "take the = off once",
        ),
        (
            of(&hex(&hash)),
            &verifier,
            "pkce_hash_of_hex",
            "own characters",
        ),
        (
            URL_SAFE_NO_PAD.encode(Sha256::digest([0xa5; 32])),
            &verifier,
            "pkce_hash_of_bytes",
            "without decoding",
        ),
        (of("another text"), &unrelated, "code_challenge_not_met", ""),
    ] {
        let redirect = scene.consented(&client, &[("code_challenge", challenge.as_str())]);
        let reply = exchange(&client, &redirect, verifier);
        assert_eq!(
            (reply.status, &reply.value()["error"]),
            (400, &"invalid_grant".into())
        );
        let said = scene.told(&reply, reason, fix);
        let stages: Vec<&str> = said["steps"]
            .as_array()
            .expect("steps")
            .iter()
            .filter_map(|step| step["stage"].as_str())
            .collect();
        assert_eq!(
            stages,
            ["authorize", "sign_in", "consent", "code", "token"],
            "{said}"
        );
        assert!(!said.to_string().contains(verifier) && !said.to_string().contains(&challenge));
        assert!(!said.to_string().contains(&code(&redirect)));
    }
    scene.gate.stop();
}

#[test]
fn a_verifier_of_another_attempt_is_named_with_that_attempt() {
    let scene = Scene::new();
    let client = scene.client();
    let second = "another-verifier-0123456789-abcdefghijklmnopqrstuvw";
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(second));
    let other = scene.consented(&client, &[("code_challenge", &challenge)]);
    let redirect = scene.consented(&client, &[]);
    let reply = exchange(&client, &redirect, second);
    let said = scene.told(
        &reply,
        "pkce_verifier_of_another_attempt",
        "one code_verifier for each",
    );
    let found = said["steps"].to_string();
    assert_eq!(
        found.matches("KS-").count(),
        1,
        "it names the other: {found}"
    );
    let right = exchange(&client, &other, second);
    assert_eq!(right.status, 200, "the other attempt is as good as ever");
    scene.gate.stop();
}

fn exchange(client: &super::flow::Client, redirect: &Reply, verifier: &str) -> Reply {
    client.ask(&[
        ("grant_type", "authorization_code"),
        ("code", &code(redirect)),
        ("redirect_uri", REDIRECT),
        ("code_verifier", verifier),
    ])
}
