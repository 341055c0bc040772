//! Clients and people who get the sign-in wrong.

use keystile_testkit::reading;

use super::fake_server::dead;
use super::flow::{Browser, Client, REDIRECT};
use super::http::{Reply, Request};
use super::installation::{Gate, Installation};
use super::{NAME, PASSWORD};

fn gate(installation: &Installation) -> Gate {
    installation.serve(&["protect", "--name", "notes", &dead()])
}

fn client(gate: &Gate) -> Client {
    Client::register(gate.port, &gate.text("mcp_url"), "none")
}

/// A page of our own with this status and these words; it leads nowhere.
fn page(reply: &Reply, status: u16, words: &[&str]) {
    assert_eq!(reply.status, status, "{}", reading::text(&reply.body));
    assert_eq!(reply.header("location"), "");
    let text = reading::text(&reply.body);
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_wrong_set_up_code_is_no_good_and_the_right_one_is_good_once() {
    let installation = Installation::new();
    let gate = gate(&installation);
    let client = client(&gate);
    let code = gate.text("setup_code");
    let mut browser = Browser::new(gate.port);
    let form = browser.open(&client.authorize_with(&[]));
    page(&form, 200, &["Make the first account", "Set-up code"]);
    let wrong = browser.set_up(&form, "AAAA-AAAA-AAAA", NAME, PASSWORD);
    page(
        &wrong,
        401,
        &[
            "set-up code is not the right one",
            "there with: keystile user setup-link",
        ],
    );
    let short = browser.set_up(&form, &code, NAME, "short");
    page(&short, 400, &["password"]);
    assert_eq!(
        installation.answer(&["user", "list"]),
        serde_json::json!([])
    );

    let consent = browser.set_up(&form, &code, NAME, PASSWORD);
    page(&consent, 200, &["Connect this app?"]);
    let second = Browser::new(gate.port).set_up(&form, &code, "mallory", PASSWORD);
    page(
        &second,
        409,
        &[
            "exists already",
            "already_set_up",
            "/ks/sign-in",
            "keystile user add NAME --password-stdin",
        ],
    );
    let people = installation.answer(&["user", "list"]);
    assert_eq!(people.as_array().map(Vec::len), Some(1));
    gate.stop();
}

#[test]
fn wrong_set_up_codes_run_out() {
    let installation = Installation::new();
    let gate = gate(&installation);
    let mut browser = Browser::new(gate.port);
    let form = browser.open("/ks/setup");
    let tries: Vec<u16> = (0..12)
        .map(|_| {
            browser
                .set_up(&form, "AAAA-AAAA-AAAA", NAME, PASSWORD)
                .status
        })
        .collect();
    assert_eq!(tries[0], 401);
    assert_eq!(tries[11], 429, "{tries:?}");
    gate.stop();
}

#[test]
fn wrong_passwords_run_out_and_say_how_long_to_wait() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let gate = gate(&installation);
    let client = client(&gate);
    let mut browser = Browser::new(gate.port);
    let form = browser.open(&client.authorize_with(&[]));
    let wrong = browser.sign_in(&form, NAME, "not-the-password");
    let unknown = browser.sign_in(&form, "nobody", "not-the-password");
    page(&wrong, 401, &["password"]);
    page(&unknown, 401, &["password"]);
    let limited = (0..12)
        .map(|_| browser.sign_in(&form, NAME, "not-the-password"))
        .find(|reply| reply.status == 429);
    let limited = limited.expect("it is limited");
    page(&limited, 429, &["Too many wrong tries", "Wait"]);
    let wait: u64 = limited.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    // The right one has to wait as well, or guessing would go on; another person has not.
    assert_eq!(browser.sign_in(&form, NAME, PASSWORD).status, 429);
    installation.add_user("bob", PASSWORD);
    let other = browser.sign_in(&form, "bob", PASSWORD);
    page(&other, 200, &["Connect this app?"]);
    gate.stop();
}

#[test]
fn an_unknown_client_or_redirect_ends_on_a_page_with_a_reference_that_the_log_has() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let gate = gate(&installation);
    let client = client(&gate);
    for (changes, code) in [
        (("client_id", "nobody"), "invalid_client"),
        (("client_id", "ksd_nonsense"), "invalid_client"),
        (("client_id", ""), "invalid_request"),
        (
            ("redirect_uri", "http://127.0.0.1/other"),
            "invalid_request",
        ),
        (
            ("redirect_uri", "https://evil.example/cb"),
            "invalid_request",
        ),
    ] {
        let path = client.authorize_with(&[changes]);
        let reply = Browser::new(gate.port).open(&path);
        page(&reply, 400, &["What to do", code]);
        let text = reading::text(&reply.body);
        let reference = text.lines().find(|line| line.starts_with("KS-"));
        let reference = reference.unwrap_or_else(|| panic!("no reference: {text}"));
        let line = gate.program.stderr.find(reference);
        assert!(line.is_some_and(|line| line.contains(code)));
    }
    gate.stop();
}

#[test]
fn a_request_without_pkce_or_for_another_server_goes_back_with_the_reason() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let gate = gate(&installation);
    let client = client(&gate);
    for (changes, error, reason) in [
        (("code_challenge", ""), "invalid_request", "code_challenge"),
        (
            ("code_challenge_method", "plain"),
            "invalid_request",
            "S256",
        ),
        (("code_challenge_method", ""), "invalid_request", "S256"),
        (
            ("code_challenge", "short"),
            "invalid_request",
            "code_challenge",
        ),
        (
            ("resource", "https://other.example/mcp"),
            "invalid_target",
            "resource",
        ),
        (("scope", "other:call"), "invalid_scope", "scope"),
        (
            ("response_type", "token"),
            "unsupported_response_type",
            "code",
        ),
    ] {
        let reply = Browser::new(gate.port).open(&client.authorize_with(&[changes]));
        let location = reply.header("location");
        assert!(location.starts_with(REDIRECT), "{changes:?} {reply:?}");
        let location = url::Url::parse(location).expect("a redirect is a URL");
        let param = |name: &str| {
            let found = location.query_pairs().find(|(known, _)| known == name);
            found
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default()
        };
        assert_eq!(param("error"), error, "{changes:?}");
        assert!(
            param("error_description").contains(reason),
            "{changes:?} {location}"
        );
        assert!(param("error_description").contains("KS-"), "{location}");
        assert_eq!(param("state"), "planted-state");
        assert_eq!(param("iss"), gate.text("issuer"));
    }
    gate.stop();
}

#[test]
fn a_form_of_another_site_gets_a_page_and_not_the_advice_for_programs() {
    let installation = Installation::new();
    let gate = gate(&installation);
    for origin in ["null", "https://evil.example"] {
        for path in ["/ks/consent", "/ks/setup", "/ks/sign-in"] {
            let form = Request::form(path, &[("username", NAME)]).header("origin", origin);
            let reply = form.send(gate.port);
            page(&reply, 403, &["cross_site_form", "another site", "KS-"]);
            assert!(reply.header("content-type").starts_with("text/html"));
            assert_eq!(reply.header("access-control-allow-origin"), "");
            assert!(!reply.body.contains("--origin"), "{}", reply.body);
        }
    }
    gate.stop();
}

#[test]
fn no_page_names_a_folder_of_this_machine() {
    let installation = Installation::new();
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    let page = Request::get("/ks/setup").send(gate.port);
    assert!(page.body.contains("keystile user setup-link"), "{page:?}");
    let folder = installation.data().display().to_string();
    assert!(!page.body.contains(&folder), "{page:?}");
    gate.stop();
}
