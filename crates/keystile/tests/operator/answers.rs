//! What commands answer: true, and enough to go on with.

use super::fake_server::dead;
use super::flow::{Client, REDIRECT, connect};
use super::installation::{Gate, Installation};
use super::{NAME, PASSWORD};

fn said(installation: &Installation, words: &[&str]) -> String {
    let ended = installation.run(words);
    assert!(ended.status.success(), "{words:?}: {}", ended.stderr);
    ended.stdout
}

fn gate(installation: &Installation) -> Gate {
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    installation.add_user(NAME, PASSWORD);
    gate
}

/// A client that the operator adds under this id.
fn add(installation: &Installation, id: &str, more: &[&str]) {
    let words = ["client", "add", "--name", "Desk", "--client-id", id];
    installation.answer(&[&words[..], more].concat());
}

#[test]
fn an_id_is_taken_back_as_the_lists_show_it() {
    let installation = Installation::new();
    let gate = gate(&installation);
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    let other = Client::register(gate.port, &gate.text("mcp_url"), "client_secret_basic");
    let tokens = connect(&client, NAME, PASSWORD);
    connect(&other, NAME, PASSWORD);
    let short = |list: &str| {
        let mut words = list.split_whitespace();
        let id = words.find(|word| word.contains('…') && client.id.starts_with(&word[..20]));
        id.unwrap_or_else(|| panic!("not there: {list}")).to_owned()
    };
    let id = short(&said(&installation, &["grant", "list"]));
    assert!(id.len() < client.id.len(), "{id}");
    let of_it = installation.answer(&["grant", "list", "--client", &id]);
    assert_eq!(of_it.as_array().map(Vec::len), Some(1), "{of_it}");
    installation.answer(&["client", "disable", &id]);
    assert_eq!(client.refresh(&tokens.refresh).status, 401);
    let id = short(&said(&installation, &["client", "list"]));
    let shown = said(&installation, &["client", "show", &id]);
    assert!(shown.contains(&client.id), "{shown}");
    let enabled = installation.answer(&["client", "enable", &id]);
    assert_eq!(enabled["was_disabled"], true);
    assert_eq!(client.refresh(&tokens.refresh).status, 200);
    let both = ["client", "disable", "ksd_…"];
    installation.failure(&both).is(2, "client_id");
    let none = ["client", "disable", "ksd_x…y"];
    installation.failure(&none).is(1, "client_unknown");
    gate.stop();
}

#[test]
fn a_filter_for_what_does_not_exist_is_refused_and_not_answered_with_nothing() {
    let installation = Installation::new();
    let gate = gate(&installation);
    add(&installation, "desk", &["--redirect-uri", REDIRECT]);
    let nobody = installation.failure(&["grant", "list", "--client", "nope"]);
    nobody.is(1, "client_unknown");
    for known in ["desk", "https://editor.example/client.json"] {
        said(&installation, &["grant", "list", "--client", known]);
    }
    let client = Client {
        port: gate.port,
        id: "desk".to_owned(),
        secret: None,
        resource: gate.text("mcp_url"),
    };
    connect(&client, NAME, PASSWORD);
    installation.answer(&["client", "remove", "desk"]);
    let ended = installation.answer(&["grant", "list", "--all", "--client", "desk"]);
    assert_eq!(ended.as_array().map(Vec::len), Some(1), "{ended}");

    let unknown = installation.failure(&["doctor", "--reason", "nope"]);
    unknown.is(2, "reason_unknown").advises("keystile doctor");
    let quiet = said(&installation, &["doctor", "--reason", "code_expired"]);
    assert_eq!(quiet, "No attempt has failed lately.");
    let reply = client.refresh("ksr_nothing");
    let (_, reference) = reply.body.split_once("KS-").expect("a reference");
    let bare = &reference[..8];
    let whole = said(&installation, &["doctor", &format!("KS-{bare}")]);
    assert_eq!(
        said(&installation, &["doctor", &bare.to_lowercase()]),
        whole
    );
    gate.stop();
}

#[test]
fn an_approval_that_is_taken_back_says_who_stays() {
    let installation = Installation::new();
    let gate = gate(&installation);
    let place = "https://app.example.com";
    installation.answer(&["client", "redirect", "approve", place]);
    let removed = said(&installation, &["client", "redirect", "remove", place]);
    for part in [
        "registered by this approval",
        "initial access token",
        "disable",
    ] {
        assert!(removed.contains(part), "{removed}");
    }
    let asked = said(&installation, &["client", "redirect", "list", "--asked"]);
    assert!(asked.contains("--registration approval"), "{asked}");
    gate.stop();
}

#[test]
fn a_client_is_added_and_changed_to_what_makes_sense() {
    let installation = Installation::new();
    let gate = gate(&installation);
    add(&installation, "desk", &["--redirect-uri", REDIRECT]);
    let update = |more: &[&str]| {
        said(
            &installation,
            &[&["client", "update", "desk"], more].concat(),
        )
    };
    let same = update(&["--add-redirect-uri", REDIRECT, "--name", "Desk"]);
    assert_eq!(same, "It was so before; nothing changed.");
    let secret = update(&["--auth", "client_secret_basic"]);
    assert!(secret.starts_with("Changed.\nclient_id"), "{secret}");
    let kept = ["client", "rotate-secret", "desk", "--keep-old", "600"];
    let show = ["client", "show", "desk"];
    assert!(!said(&installation, &show).contains("secrets"));
    installation.answer(&kept);
    assert!(said(&installation, &show).contains("secrets        two work"));
    let public = installation.answer(&["client", "update", "desk", "--auth", "none"]);
    let warning = public["warning"].as_str().expect("one");
    assert!(warning.contains("anybody"), "{warning}");
    assert!(said(&installation, &show).contains("/callback (loopback: any port)"));

    add(
        &installation,
        "app",
        &["--redirect-uri", "notes.example:/cb"],
    );
    let shown = said(&installation, &["client", "show", "app"]);
    assert!(shown.contains("notes.example:/cb\n"), "{shown}");

    let alone = ["client", "add", "--name", "x", "--grant", "refresh_token"];
    installation.failure(&alone).is(2, "client_grant");
    for (uri, help) in [
        ("https://app.example.com/cb#x", "leave out the #"),
        ("https://a@app.example.com/cb", "user name"),
        ("http://app.example.com/cb", "use https"),
    ] {
        let words = ["client", "add", "--name", "x", "--redirect-uri", uri];
        installation
            .failure(&words)
            .is(2, "redirect_uri")
            .advises(help);
    }
    gate.stop();
}

/// No host is listed: only the clients that Keystile ships with are known by a document.
#[test]
fn listed_hosts_may_be_none() {
    let installation = Installation::new();
    let listed = ["protect", "--name", "notes", "--client-hosts", "listed"];
    let gate = installation.serve(&[&listed[..], &[&dead()]].concat());
    gate.stop();
}
