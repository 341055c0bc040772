//! Who may register itself, as its operator says so: by flags when it starts, by commands while it runs.

use serde_json::{Value, json};

use super::fake_server::dead;
use super::http::{Reply, Request};
use super::installation::{Gate, Installation};

const REGISTER: &str = "/oauth/register";
const STRANGER: &str = "https://app.example/cb";

fn public(redirect: &str) -> Value {
    json!({ "client_name": "An app", "redirect_uris": [redirect], "token_endpoint_auth_method": "none" })
}

fn serve(installation: &Installation, flags: &[&str]) -> Gate {
    let dead = dead();
    let always = ["protect", "--name", "notes"];
    installation.serve(&[&always, flags, &[dead.as_str()]].concat())
}

fn register(gate: &Gate, redirect: &str) -> Reply {
    Request::json(REGISTER, public(redirect)).send(gate.port)
}

#[test]
fn n_as_14_off_means_that_there_is_no_endpoint() {
    let installation = Installation::new();
    let gate = serve(&installation, &["--registration", "off"]);
    let path = "/.well-known/oauth-authorization-server";
    let metadata = Request::get(path).send(gate.port).value();
    assert_eq!(metadata.get("registration_endpoint"), None);
    for path in [REGISTER, "/register"] {
        let reply = Request::json(path, public("http://127.0.0.1/cb")).send(gate.port);
        assert_eq!(reply.status, 404, "{reply:?}");
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.value()["error"], "invalid_client_metadata");
    }
    gate.stop();
}

#[test]
fn a_063_an_initial_access_token_registers_as_many_as_it_says() {
    let installation = Installation::new();
    let words = ["client", "initial-access-token"];
    let add = [&words[..], &["add", "--uses", "2", "--note", "the wiki"]].concat();
    let made = installation.answer(&add);
    let token = made["initial_access_token"].as_str().expect("a token");
    assert!(token.starts_with("ksi_") && token.len() == 47, "{token}");
    let gate = serve(&installation, &["--registration", "initial-access-token"]);
    let with = |token: &str| {
        Request::json(REGISTER, public(STRANGER))
            .header("authorization", &format!("Bearer {token}"))
            .send(gate.port)
    };
    assert_eq!(register(&gate, "http://127.0.0.1/cb").status, 401);
    assert_eq!(with(token).status, 201);
    assert_eq!(with(token).status, 201);
    assert_eq!(with(token).status, 401, "it is used up");

    let list = [&words[..], &["list"]].concat();
    let listed = installation.answer(&list);
    assert_eq!(
        (&listed[0]["used"], &listed[0]["uses"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(listed[0]["note"], "the wiki");
    assert!(!listed.to_string().contains("ksi_"), "never its text");
    let table = installation.run(&list).stdout;
    assert!(
        table.contains("the wiki") && !table.contains("ksi_"),
        "{table}"
    );

    // Another one, made while it runs, is good until it is revoked.
    let another = installation.answer(&[&words[..], &["add", "--lifetime", "1h"]].concat());
    let id = another["id"].as_str().expect("an id");
    let revoke = [&words[..], &["revoke", id]].concat();
    assert_eq!(installation.answer(&revoke)["was_good"], true);
    assert_eq!(installation.answer(&revoke)["was_good"], false);
    let text = another["initial_access_token"].as_str().expect("a token");
    assert_eq!(with(text).status, 401);
    gate.stop();
    for file in installation.files() {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let found = bytes
            .windows(token.len())
            .any(|part| part == token.as_bytes());
        assert!(!found, "the token stands in {}", file.display());
    }
    let trail: String = installation
        .files()
        .iter()
        .filter(|file| file.components().any(|part| part.as_os_str() == "audit"))
        .map(|file| std::fs::read_to_string(file).unwrap_or_default())
        .collect();
    for words in [
        "initial_access_token_add",
        "initial_access_token_revoke",
        "\"registration\"",
    ] {
        assert!(trail.contains(words), "no {words} in the trail");
    }
}

#[test]
fn a_063_the_owner_sees_what_was_asked_for_and_approves_of_it() {
    let installation = Installation::new();
    let gate = serve(&installation, &["--registration", "approval"]);
    let reply = register(&gate, STRANGER);
    assert_eq!(reply.status, 400);
    let command = "keystile client redirect approve https://app.example";
    assert!(reply.body.contains(command), "{}", reply.body);
    let asked = installation.answer(&["client", "redirect", "list", "--asked"]);
    assert_eq!(asked[0]["place"], "https://app.example");
    assert_eq!(asked[0]["client_name"], "An app");
    assert_eq!(
        installation.answer(&["client", "redirect", "list"]),
        json!([])
    );

    let approve = ["client", "redirect", "approve", "https://app.example"];
    assert_eq!(
        installation.answer(&approve)["place"],
        "https://app.example"
    );
    assert_eq!(register(&gate, STRANGER).status, 201);
    assert_eq!(register(&gate, "https://app.example.evil/cb").status, 400);
    let listed = installation.answer(&["client", "redirect", "list"]);
    assert_eq!(listed[0]["place"], "https://app.example");
    let asked = installation.answer(&["client", "redirect", "list", "--asked"]);
    assert_eq!(
        asked[0]["place"], "https://app.example.evil",
        "the other is decided"
    );

    let remove = ["client", "redirect", "remove", "https://app.example"];
    assert_eq!(installation.answer(&remove)["was_approved"], true);
    assert_eq!(register(&gate, STRANGER).status, 400);
    gate.stop();
    // Without a process that serves there is nothing asked, and approvals work as well.
    let asked = installation.answer(&["client", "redirect", "list", "--asked"]);
    assert_eq!(asked, json!([]));
    installation.answer(&["client", "redirect", "approve", "notes:"]);
    assert_eq!(
        installation.answer(&["client", "redirect", "list"])[0]["place"],
        "notes:"
    );
}

#[test]
fn what_can_not_be_meant_is_said() {
    let installation = Installation::new();
    installation.answer(&["client", "redirect", "approve", "https://app.example"]);
    let token = ["client", "initial-access-token"];
    let unknown = "0198c0de-7f3a-7bcd-8e21-5a1f0c9d2b44";
    for (words, exit, code) in [
        (
            vec!["client", "redirect", "approve", "https://app.example/cb"],
            2,
            "redirect_place",
        ),
        (
            vec!["client", "redirect", "approve", "http://app.example"],
            2,
            "redirect_place",
        ),
        (
            [&token[..], &["add", "--uses", "0"]].concat(),
            2,
            "initial_access_token_uses",
        ),
        (
            [&token[..], &["add", "--lifetime", "91d"]].concat(),
            2,
            "initial_access_token_lifetime",
        ),
        (
            [&token[..], &["revoke", "ksi_x"]].concat(),
            2,
            "initial_access_token_id",
        ),
        (
            [&token[..], &["revoke", unknown]].concat(),
            1,
            "initial_access_token_unknown",
        ),
    ] {
        installation.failure(&words).is(exit, code);
    }
    let url = "https://app.example";
    let words = ["protect", "--trust-client-host", url, &dead()].map(str::to_owned);
    installation.failure(&words).is(78, "trust_client_host");
}

/// CHECKLIST A-066: no page that a browser shows registers a client, unless the operator named it.
#[test]
fn a_066_a_foreign_page_registers_nothing() {
    let installation = Installation::new();
    let listed = "https://tools.example.com";
    let gate = serve(&installation, &["--origin", listed]);
    let own = gate.text("issuer");
    let ask = |origin: &str, media: &str, path: &str| {
        Request::new("POST", path)
            .header("origin", origin)
            .header("content-type", media)
            .body(public("http://127.0.0.1/cb").to_string())
            .send(gate.port)
    };
    let preflight = |origin: &str| {
        Request::new("OPTIONS", REGISTER)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type")
            .send(gate.port)
    };
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost:3000",
        "http://127.0.0.1:6274",
        "https://tools.example.com.evil.example",
        "https://tools.example.com:444",
        own.as_str(),
    ] {
        for path in [REGISTER, "/register"] {
            for media in ["application/json", "text/plain"] {
                let reply = ask(origin, media, path);
                assert_eq!(reply.status, 403, "{origin} {path} {media}");
                assert_eq!(reply.header("access-control-allow-origin"), "", "{origin}");
            }
        }
        let reply = preflight(origin);
        assert_eq!(reply.header("access-control-allow-origin"), "", "{origin}");
        assert_ne!(reply.status, 204, "{origin}");
    }
    let reply = ask(listed, "application/json", REGISTER);
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.header("access-control-allow-origin"), listed);
    let reply = preflight(listed);
    assert_eq!(
        (reply.status, reply.header("access-control-allow-origin")),
        (204, listed)
    );
    // A program that is no browser sends no Origin, and other endpoints take pages of this computer.
    assert_eq!(register(&gate, "http://127.0.0.1/cb").status, 201);
    let metadata = Request::get("/.well-known/oauth-authorization-server")
        .header("origin", "http://localhost:3000")
        .send(gate.port);
    assert_eq!(
        metadata.header("access-control-allow-origin"),
        "http://localhost:3000"
    );
    gate.stop();
}

/// CHECKLIST N-AS-16: everything is https, or on this computer.
#[test]
fn n_as_16_the_issuer_is_https_or_on_this_computer() {
    let installation = Installation::new();
    let dead = dead();
    for (flags, code) in [
        (vec!["--public-url", "http://mcp.example.com"], "public_url"),
        (
            vec!["--public-url", "http://192.168.1.2:7717"],
            "public_url",
        ),
        (vec!["--public-url", "http://localhost.evil"], "public_url"),
        (vec!["--listen", "0.0.0.0:0"], "listen_without_tls"),
        (
            vec![
                "--listen",
                "0.0.0.0:0",
                "--public-url",
                "https://mcp.example.com",
            ],
            "listen_without_tls",
        ),
    ] {
        let words = [&["protect"], &flags[..], &[dead.as_str()]].concat();
        installation.failure(&words).is(78, code);
    }
}
