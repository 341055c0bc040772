//! Sign-in and consent in a real Chromium, once per kind of redirect: CSP, cookies and COOP are the browser's own.
//!
//! With `KEYSTILE_SHOTS=FOLDER` each page is also photographed, at three widths, light and dark.

#[path = "support/gate.rs"]
mod gate;
#[path = "support/port.rs"]
mod port;
#[path = "support/process.rs"]
mod process;
#[path = "support/script.rs"]
mod script;
#[path = "support/tools.rs"]
mod tools;

use gate::Gate;
use process::Process;
use script::{events, node};
use serde_json::{Value, json};
use tools::Tools;

/// Clicks through one sign-in; `more` is the environment of `conformance/browser/redirect.mjs`.
fn click_through(gate: &Gate, kind: &str, more: &[(&str, &str)]) -> Value {
    let tools = Tools::find();
    let mut script = node(&tools, "browser/redirect.mjs");
    script.args([kind, gate.said("issuer"), gate.said("mcp_url")]);
    script
        .env("KEYSTILE_CHROMIUM", tools.path("chromium"))
        .envs(more.iter().copied());
    let seen = events(Process::start(&mut script));
    let [seen] = seen.as_slice() else {
        panic!("one report, not {seen:#?}")
    };
    seen.clone()
}

/// What the consent page calls a client whose redirects are all loopback: their host says no more than that.
const THIS_COMPUTER: &str = "An app on this computer";

/// What is so for every kind of redirect. `origin` is what the page can vouch for, `host` a part of the redirect URI.
fn assert_well_behaved(gate: &Gate, seen: &Value, origin: &str, host: &str) {
    assert_eq!(seen["complaints"], json!([]), "the browser complained");
    assert_eq!(
        seen["callback"],
        json!({ "iss": gate.said("issuer"), "error": null, "code": true })
    );
    assert_eq!(seen["token"]["status"], 200, "{seen:#}");

    assert_eq!(
        seen["overflow"],
        json!([]),
        "a page is wider than its window"
    );

    let consent = seen["consent"].as_str().expect("a consent page was shown");
    let at = |text: &str| {
        consent
            .find(text)
            .unwrap_or_else(|| panic!("no {text:?} in:\n{consent}"))
    };
    let name = seen["clientName"].as_str().expect("a client has a name");
    assert!(
        at(origin) < at(name),
        "what can be checked comes before the name that the client gave itself:\n{consent}"
    );
    at(host);
    // Nothing here asks for offline_access, and each gets a refresh token.
    at("Until you disconnect it, or until it has not been used for 90 days.");

    let cookies = seen["cookies"].as_array().expect("a list");
    assert!(!cookies.is_empty(), "a session lives in a cookie");
    for cookie in cookies {
        assert_eq!(cookie["httpOnly"], true, "{cookie}");
        assert!(
            ["Lax", "Strict"].contains(&cookie["sameSite"].as_str().unwrap_or_default()),
            "{cookie}"
        );
        let path = cookie["path"].as_str().unwrap_or_default();
        assert!(
            path.starts_with("/ks"),
            "on loopback a cookie goes to our own pages only: {cookie}"
        );
    }
    // Cookies ignore ports: this one would reach any other program on localhost.
    assert_eq!(
        seen["arrived"]["cookie"],
        Value::Null,
        "our cookie reached the client's listener"
    );
}

fn demo() -> Gate {
    Gate::start(&["demo"]).with_account()
}

#[test]
fn a_redirect_to_127_0_0_1_is_clicked_through() {
    let gate = demo();
    assert_well_behaved(
        &gate,
        &click_through(&gate, "ipv4", &[]),
        THIS_COMPUTER,
        "127.0.0.1",
    );
    gate.stop();
}

#[test]
fn a_redirect_to_ipv6_loopback_is_clicked_through() {
    let gate = demo();
    assert_well_behaved(
        &gate,
        &click_through(&gate, "ipv6", &[]),
        THIS_COMPUTER,
        "[::1]",
    );
    gate.stop();
}

#[test]
fn a_redirect_to_localhost_is_clicked_through() {
    let gate = demo();
    assert_well_behaved(
        &gate,
        &click_through(&gate, "localhost", &[]),
        THIS_COMPUTER,
        "localhost",
    );
    gate.stop();
}

#[test]
fn a_redirect_to_a_private_use_scheme_is_clicked_through() {
    let gate = demo();
    let seen = click_through(&gate, "private-use", &[]);
    let uri = "cursor://anysphere.cursor-mcp/oauth/callback";
    assert_well_behaved(&gate, &seen, "The app that opens cursor: links", uri);
    gate.stop();
}

#[test]
fn a_popup_tells_the_page_that_opened_it() {
    let gate = demo();
    let seen = click_through(&gate, "popup", &[]);
    assert_well_behaved(&gate, &seen, THIS_COMPUTER, "localhost");
    assert_eq!(
        seen["message"]["arrived"], true,
        "a COOP on the way cut the popup off: {seen:#}"
    );
    gate.stop();
}

#[test]
fn a_redirect_to_https_is_clicked_through() {
    let gate = demo();
    let port = port::free().to_string();
    let redirect = format!("https://localhost:{port}/callback");
    let name = "A client with a https redirect";
    let client = gate.administer(&["client", "add", "--name", name, "--redirect-uri", &redirect]);
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let file = |name: &str| {
        folder
            .path()
            .join(name)
            .to_str()
            .expect("a path of ours is UTF-8")
            .to_owned()
    };
    let (certificate, key) = (file("certificate.pem"), file("key.pem"));
    let made =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a key can be made");
    std::fs::write(&certificate, made.cert.pem()).expect("the folder is ours");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("the folder is ours");

    let id = client["client_id"].as_str().expect("a client has an id");
    let more = [
        ("CLIENT_ID", id),
        ("REDIRECT_PORT", &port),
        ("TLS_CERT", &certificate),
        ("TLS_KEY", &key),
    ];
    assert_well_behaved(
        &gate,
        &click_through(&gate, "https", &more),
        "localhost",
        "https://localhost",
    );
    gate.stop();
}

#[test]
fn the_first_person_makes_an_account_and_goes_on_to_consent() {
    let gate = Gate::start(&["demo"]);
    let code = gate.said("setup_code").to_owned();
    let more = [
        ("KEYSTILE_PERSON_SETUP_CODE", code.as_str()),
        ("PAGE", "first-account"),
    ];
    let seen = click_through(&gate, "ipv4", &more);
    assert_well_behaved(&gate, &seen, THIS_COMPUTER, "127.0.0.1");
    gate.stop();
}

#[test]
fn a_person_who_says_no_sends_the_client_an_answer() {
    let gate = demo();
    let seen = click_through(&gate, "localhost", &[("KEYSTILE_PERSON_DECISION", "deny")]);
    assert_eq!(seen["complaints"], json!([]), "the browser complained");
    assert_eq!(
        seen["callback"],
        json!({ "iss": gate.said("issuer"), "error": "access_denied", "code": false })
    );
    gate.stop();
}

#[test]
fn an_unregistered_redirect_ends_on_an_error_page_with_a_reference() {
    let gate = demo();
    let seen = click_through(&gate, "error", &[]);
    // The page is answered with 400, which Chromium tells the console.
    let complaints = seen["complaints"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let [only] = complaints else {
        panic!("{seen:#}")
    };
    assert!(
        only.as_str()
            .is_some_and(|text| text.contains("status of 400")),
        "{only}"
    );
    let text = seen["text"].as_str().unwrap_or_default();
    assert!(text.contains("KS-"), "no reference: {text}");
    for part in [
        "https://other.example/callback",
        "cursor://anysphere.cursor-mcp/oauth/callback",
    ] {
        assert!(
            text.contains(part),
            "it says what came and what was expected: {text}"
        );
    }
    assert_eq!(seen["links"], json!([]), "and leads nowhere");
    assert_eq!(seen["overflow"], json!([]));
    gate.stop();
}

/// The browser's word on a consent page that is wrong on purpose.
fn twin(arguments: &[&str]) -> Value {
    let tools = Tools::find();
    let mut script = node(&tools, "browser/twin.mjs");
    script
        .args(arguments)
        .env("KEYSTILE_CHROMIUM", tools.path("chromium"));
    events(Process::start(&mut script))
        .pop()
        .expect("one report")
}

#[test]
fn a_page_that_forgets_the_redirect_in_its_csp_would_be_noticed() {
    for redirect in ["loopback", "cursor://anysphere.cursor-mcp/oauth/callback"] {
        let seen = twin(&["'self'", redirect]);
        assert_eq!(seen["arrived"], false, "{redirect}");
        assert!(
            seen["complaints"][0]
                .as_str()
                .is_some_and(|text| text.contains("form-action")),
            "{seen}"
        );
    }
    let right = twin(&["'self' LISTENER", "loopback"]);
    assert_eq!(right, json!({ "arrived": true, "complaints": [] }));
}

#[test]
fn an_opener_policy_on_the_way_would_be_noticed() {
    assert_eq!(
        twin(&["'self' LISTENER", "loopback", "same-origin"])["message"],
        Value::Null
    );
    assert_eq!(
        twin(&["'self' LISTENER", "loopback", ""])["message"]["arrived"],
        true
    );
}

/// What a page on a foreign origin gets from the registration endpoints in Chromium.
fn drive_by(gate: &Gate, port: u16) -> Vec<Value> {
    let tools = Tools::find();
    let mut script = node(&tools, "browser/drive-by.mjs");
    let issuer = gate.said("issuer");
    script
        .args([
            format!("{issuer}/oauth/register"),
            format!("{issuer}/register"),
        ])
        .env("PORT", port.to_string())
        .env("KEYSTILE_CHROMIUM", tools.path("chromium"));
    let report = events(Process::start(&mut script))
        .pop()
        .expect("one report");
    let tries = report["tries"].as_array().expect("a list").clone();
    assert_eq!(tries.len(), 8, "two endpoints, four ways: {report:#}");
    tries
}

#[test]
fn a_066_no_page_of_another_site_registers_a_client_in_a_browser() {
    let gate = demo();
    for tried in drive_by(&gate, port::free()) {
        assert_eq!(tried["readable"], false, "{tried}");
        // Of a refused answer the page is not even told the status.
        assert!(
            tried["status"] == 403 || tried["status"].is_null(),
            "{tried}"
        );
    }
    gate.stop();
}

#[test]
fn a_page_of_a_listed_origin_registers_a_client_in_a_browser() {
    let port = port::free();
    let listed = format!("http://127.0.0.1:{port}");
    let gate = Gate::start(&["demo", "--origin", &listed]).with_account();
    for tried in drive_by(&gate, port) {
        let json = tried["how"] == "json";
        assert_eq!(
            tried["readable"],
            tried["how"] == "json" || tried["how"] == "text",
            "{tried}"
        );
        assert_eq!(tried["status"], if json { 201 } else { 400 }, "{tried}");
    }
    gate.stop();
}

#[test]
fn a_device_without_a_browser_is_connected_by_its_code() {
    let gate = demo();
    let tools = Tools::find();
    let mut script = node(&tools, "browser/device.mjs");
    script
        .args([gate.said("issuer"), gate.said("mcp_url")])
        .env("KEYSTILE_CHROMIUM", tools.path("chromium"));
    let seen = events(Process::start(&mut script))
        .pop()
        .expect("one report");
    let text = |name: &str| seen[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(text("before"), "authorization_pending");
    assert!(text("wrong").contains("Code"), "{seen:#}");
    let consent = text("consent");
    for part in [
        &text("userCode"),
        &text("clientName"),
        "knowledge-base:call",
    ] {
        assert!(consent.contains(part), "{part}: {consent}");
    }
    assert!(consent.contains("Only continue if you started this yourself"));
    assert_eq!(seen["token"]["status"], 200, "{seen:#}");
    assert_eq!(seen["token"]["jwt"], true, "{seen:#}");
    assert_eq!(text("again"), "invalid_grant");
    assert_eq!(
        seen["overflow"],
        json!([]),
        "a page is wider than its window"
    );
    // The browser says that a page was a 400: the one of the wrong code.
    let complaints = seen["complaints"].as_array().expect("a list");
    assert!(complaints.len() <= 1, "{complaints:#?}");
    gate.stop();
}
