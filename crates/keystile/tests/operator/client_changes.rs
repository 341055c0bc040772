//! Clients that the operator added, and changes or removes while a server runs.

use serde_json::{Value, json};

use super::fake_server::dead;
use super::flow::{Browser, Client, REDIRECT, connect, initialize};
use super::http::Request;
use super::installation::{Gate, Installation};
use super::program::Program;
use super::{NAME, PASSWORD};

const OTHER: &str = "https://desk.example/callback";

/// 502 while the token is good: there is no server behind. 401 when it is not.
fn call(port: u16, token: &str) -> u16 {
    Request::mcp("/notes/mcp", token, initialize())
        .send(port)
        .status
}

/// A client called desk, as the operator adds it.
fn desk(installation: &Installation, gate: &Gate) -> Client {
    let add = ["client", "add", "--name", "Desk", "--client-id", "desk"];
    installation.answer(&[&add[..], &["--redirect-uri", REDIRECT]].concat());
    Client {
        port: gate.port,
        id: "desk".to_owned(),
        secret: None,
        resource: gate.text("mcp_url"),
    }
}

/// What the audit trail has of one verb: the outcomes, in order.
fn on_record(installation: &Installation, verb: &str) -> Vec<Value> {
    let files = installation.files().into_iter();
    let trail = files.filter(|file| file.parent().is_some_and(|at| at.ends_with("audit")));
    let text: String = trail
        .map(|file| std::fs::read_to_string(file).unwrap_or_default())
        .collect();
    let lines = text.lines().filter(|line| line.contains(verb));
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.map(|line| line["outcome"].clone()).collect()
}

#[test]
fn a_client_is_changed_while_it_is_in_use() {
    let installation = Installation::new();
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    installation.add_user(NAME, PASSWORD);
    let client = desk(&installation, &gate);
    let tokens = connect(&client, NAME, PASSWORD);
    let update = ["client", "update", "desk"];
    let more = ["--name", "Front desk", "--add-redirect-uri", OTHER];
    let changed = installation.answer(&[&update[..], &more].concat());
    assert_eq!(changed["name"], "Front desk");
    assert_eq!(changed["redirect_uris"], json!([REDIRECT, OTHER]));
    assert_eq!(changed["native"], true);
    assert_eq!(call(gate.port, &tokens.access), 502, "as before");
    let shown = installation.answer(&["client", "show", "desk"]);
    assert_eq!(shown["redirect_uris"], json!([REDIRECT, OTHER]));
    let kinds = ["--grant", "authorization_code"];
    installation.answer(&[&update[..], &kinds].concat());
    assert_eq!(client.refresh(&tokens.refresh).status, 400);
    assert_eq!(on_record(&installation, "client_update").len(), 2);

    let fails = |words: &[&str], exit, code: &str| {
        let failed = installation.failure(&[&update[..], words].concat());
        failed.is(exit, code);
    };
    fails(&[], 2, "client_change");
    let gone = "https://never.example/there";
    fails(&["--remove-redirect-uri", gone], 2, "redirect_uri");
    let all = [REDIRECT, OTHER].map(|uri| ["--remove-redirect-uri", uri]);
    let failed = installation.failure(&[&update[..], &all.concat()].concat());
    failed.is(2, "redirect_uri").advises("--add-redirect-uri");
    fails(&["--scope", "notes:call"], 2, "scope");
    fails(&["--jwks-uri", "https://x.example/k"], 2, "client_keys");
    fails(&["--grant", "client_credentials"], 2, "redirect_uri");
    let nobody = ["client", "update", "nobody", "--name", "x"];
    installation.failure(&nobody).is(1, "client_unknown");
    let document = ["client", "remove", "https://editor.example/client.json"];
    installation.failure(&document).is(1, "client_not_added");
    gate.stop();
    let shown = installation.answer(&["client", "show", "desk"]);
    assert_eq!(shown["grant_types"], json!(["authorization_code"]));
}

#[test]
fn how_a_client_proves_itself_is_changed_while_it_is_in_use() {
    let installation = Installation::new();
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    installation.add_user(NAME, PASSWORD);
    let mut client = desk(&installation, &gate);
    let mcp_url = gate.text("mcp_url");
    let tokens = connect(&client, NAME, PASSWORD);
    let words = |said: &[&str]| {
        let words = [&["client", "update", "desk"], said].concat();
        words.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let update = |said: &[&str]| installation.answer(&words(said));
    let refused = |said: &[&str], code: &str| {
        installation.failure(&words(said)).is(2, code);
    };
    let changed = update(&["--auth", "client_secret_basic", "--require-pushed-requests"]);
    assert_eq!(changed["auth_method"], "client_secret_basic");
    assert_eq!(changed["require_pushed_authorization_requests"], true);
    let secret = changed["client_secret"].as_str().expect("made here");
    assert_eq!(client.refresh(&tokens.refresh).status, 401, "unproven");
    client.secret = Some(secret.to_owned());
    assert_eq!(client.refresh(&tokens.refresh).status, 200, "as before");
    let in_form = update(&["--auth", "client_secret_post"]);
    assert_eq!(in_form["client_secret"], Value::Null, "it stays");
    assert_eq!(client.refresh(&tokens.refresh).status, 401, "in the header");
    update(&["--auth", "client_secret_basic", "--introspect", &mcp_url]);
    assert_eq!(client.refresh(&tokens.refresh).status, 200);
    refused(&["--introspect", "http://localhost/nope"], "introspects");
    refused(&["--auth", "private_key_jwt"], "client_keys");
    refused(&["--auth", "none"], "client_auth");
    let no_browser = ["--grant", "device_code", "--remove-redirect-uri", REDIRECT];
    refused(&no_browser, "require_pushed_requests");

    let public = update(&[
        "--auth",
        "none",
        "--no-introspect",
        "--exact-port",
        "--require-pushed-requests=false",
    ]);
    for (member, value) in [
        ("auth_method", json!("none")),
        ("native", json!(false)),
        ("introspects", Value::Null),
        ("require_pushed_authorization_requests", Value::Null),
    ] {
        assert_eq!(public[member], value, "{member}");
    }
    let anew = installation.run(&words(&["--auth", "client_secret_basic"]));
    assert!(anew.stdout.starts_with("Changed.\n"), "{}", anew.stdout);
    assert!(
        anew.stdout.contains("\nclient_secret  ksx_"),
        "{}",
        anew.stdout
    );
    assert_eq!(client.refresh(&tokens.refresh).status, 401, "forgotten");
    update(&["--auth", "none"]);
    client.secret = None;
    assert_eq!(client.refresh(&tokens.refresh).status, 200);
    assert_eq!(update(&["--exact-port=false"])["native"], true);
    update(&[
        "--add-redirect-uri",
        OTHER,
        "--remove-redirect-uri",
        REDIRECT,
    ]);
    refused(&["--exact-port"], "exact_port");
    let verbs = on_record(&installation, "client_update");
    assert!(
        verbs.len() == 8 && verbs.iter().all(|said| said == "allow"),
        "{verbs:?}"
    );
    gate.stop();
}

#[test]
fn a_client_that_may_do_nothing_any_more_is_removed_and_not_kept() {
    let installation = Installation::new();
    let add = [
        "client",
        "add",
        "--name",
        "Notes server",
        "--client-id",
        "server",
    ];
    let asks = [
        "--auth",
        "client_secret_basic",
        "--introspect",
        "http://localhost:7717/notes/mcp",
    ];
    installation.answer(&[&add[..], &asks].concat());
    let nothing = ["client", "update", "server", "--no-introspect"];
    let refused = installation.failure(&nothing);
    refused
        .is(2, "client_for_nothing")
        .advises("keystile client remove");
}

#[test]
fn a_removed_client_is_out_when_the_command_returns_and_never_comes_back() {
    let installation = Installation::new();
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    installation.add_user(NAME, PASSWORD);
    let client = desk(&installation, &gate);
    let tokens = connect(&client, NAME, PASSWORD);
    assert_eq!(call(gate.port, &tokens.access), 502);
    let removed = installation.answer(&["client", "remove", "desk"]);
    assert_eq!(removed, json!({ "client_id": "desk", "grants_ended": 1 }));
    assert_eq!(call(gate.port, &tokens.access), 401);
    assert_eq!(client.refresh(&tokens.refresh).status, 401);
    assert_eq!(installation.answer(&["client", "list"]), json!([]));
    let again = ["client", "remove", "desk"];
    installation.failure(&again).is(1, "client_unknown");
    assert_eq!(on_record(&installation, "client_remove"), ["allow"]);

    let client = desk(&installation, &gate);
    assert_eq!(call(gate.port, &tokens.access), 401, "of before");
    assert_eq!(client.refresh(&tokens.refresh).status, 400);
    let anew = connect(&client, NAME, PASSWORD);
    assert_eq!(call(gate.port, &anew.access), 502);
    assert_eq!(call(gate.port, &tokens.access), 401, "of before");
    gate.stop();
}

#[test]
fn a_scope_or_server_that_does_not_exist_is_said_when_a_client_is_added() {
    let installation = Installation::new();
    let add = [
        "client",
        "add",
        "--name",
        "Job",
        "--auth",
        "client_secret_basic",
    ];
    let acts = ["--grant", "client_credentials", "--scope"];
    let job = |scope| [&add[..], &acts, &[scope]].concat();
    let unchecked = installation.answer(&job("bogus"));
    let said = unchecked["warning"].as_str().expect("one");
    assert!(said.contains("nothing is served"), "{said}");
    let in_words = installation.run(&job("bogus"));
    assert!(
        in_words.stderr.starts_with("warning: "),
        "{}",
        in_words.stderr
    );

    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    let bogus = installation.failure(&job("bogus"));
    bogus.is(2, "scope_unknown").advises("notes:call");
    let job = installation.answer(&job("notes:call"));
    assert_eq!(job["warning"], Value::Null);
    let id = job["client_id"].as_str().expect("an id");
    let update = ["client", "update", id, "--scope", "nope:call"];
    installation.failure(&update).is(2, "scope_unknown");
    let mcp_url = gate.text("mcp_url");
    let asks = |url: &str| {
        let words = [&add[..], &["--introspect", url]].concat();
        words.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let nowhere = mcp_url.replace("notes", "nope");
    let refused = installation.failure(&asks(&nowhere));
    refused.is(2, "introspects").advises(&mcp_url);
    installation.answer(&asks(&mcp_url));
    gate.stop();
}

#[test]
fn a_person_gets_another_password_and_a_removed_one_frees_the_name() {
    let installation = Installation::new();
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    installation.add_user(NAME, PASSWORD);
    let client = desk(&installation, &gate);
    let mut browser = Browser::new(gate.port);
    let page = browser.open(&client.authorize_with(&[]));
    browser.sign_in(&page, NAME, PASSWORD);
    let again = browser.open(&client.authorize_with(&[]));
    assert!(again.body.contains("name=\"csrf\""), "signed in: {again:?}");
    let tokens = connect(&client, NAME, PASSWORD);

    let set = |name: &str, password: &str| {
        let words = ["user", "password", name, "--password-stdin"];
        Program::start(&mut installation.command(&words), password).wait()
    };
    let new = "heron-quartz-umbrella-17";
    assert!(set(NAME, new).status.success());
    assert!(!set("nobody", new).status.success());
    assert!(!set(NAME, "short").status.success());
    assert_eq!(on_record(&installation, "user_password"), ["allow"]);
    let page = browser.open(&client.authorize_with(&[]));
    assert!(page.body.contains("name=\"password\""), "{page:?}");
    let wrong = browser.sign_in(&page, NAME, PASSWORD);
    assert!(wrong.body.contains("name=\"password\""), "{wrong:?}");
    assert_eq!(call(gate.port, &tokens.access), 502, "what is connected");
    connect(&client, NAME, new);

    let removed = installation.answer(&["user", "remove", NAME]);
    assert_eq!(removed["grants_ended"], 2, "{removed}");
    assert_eq!(call(gate.port, &tokens.access), 401);
    assert_eq!(client.refresh(&tokens.refresh).status, 400);
    assert_eq!(installation.answer(&["user", "list"]), json!([]));
    let again = ["user", "remove", NAME];
    installation.failure(&again).is(1, "user_unknown");
    installation.add_user(NAME, PASSWORD);
    assert_eq!(installation.answer(&["grant", "list"]), json!([]));
    connect(&client, NAME, PASSWORD);
    gate.stop();
}

#[test]
fn lists_say_what_a_client_is_and_why_a_grant_ended() {
    let installation = Installation::new();
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    installation.add_user(NAME, PASSWORD);
    let exact = ["client", "add", "--name", "Desk", "--exact-port"];
    let redirect = ["--redirect-uri", "http://127.0.0.1:4000/cb"];
    let added = installation.answer(&[&exact[..], &redirect].concat());
    let id = added["client_id"].as_str().expect("an id");
    let stranger = Client::register(gate.port, &gate.text("mcp_url"), "none");
    connect(&stranger, NAME, PASSWORD);
    let said = |words: &[&str]| installation.run(words).stdout;
    let grants = said(&["grant", "list"]);
    assert!(
        grants.contains("SCOPES") && grants.contains("notes:call"),
        "{grants}"
    );
    let all = installation.answer(&["grant", "list"]);
    let grant = all[0]["id"].as_str().expect("an id");
    installation.answer(&["grant", "revoke", grant]);
    let ended = said(&["grant", "list", "--all"]);
    assert!(ended.contains("GMT  by_operator"), "{ended}");

    installation.answer(&["client", "disable", &stranger.id]);
    let listed = said(&["client", "list"]);
    assert!(listed.contains("4000/cb (exact port)"), "{listed}");
    assert!(listed.contains(REDIRECT), "{listed}");
    assert!(
        !listed.contains(&stranger.id) && listed.contains('…'),
        "{listed}"
    );
    let shown = said(&["client", "show", id]);
    assert!(
        shown.contains("redirects      http://127.0.0.1:4000/cb (exact port)"),
        "{shown}"
    );
    let shown = said(&["client", "show", &stranger.id]);
    assert!(
        shown.contains(&stranger.id) && shown.contains("disabled  "),
        "{shown}"
    );
    gate.stop();
}
