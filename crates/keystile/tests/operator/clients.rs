//! Clients that prove who they are, and clients and people that are kept out.

use serde_json::json;

use super::fake_server::dead;
use super::flow::{Client, Tokens, connect, initialize};
use super::http::Request;
use super::installation::Installation;
use super::{NAME, PASSWORD};

/// 502 while the token is good: there is no server behind. 401 when it is not.
fn call(port: u16, token: &str) -> u16 {
    Request::mcp("/notes/mcp", token, initialize())
        .send(port)
        .status
}

const JOB: [&str; 10] = [
    "client",
    "add",
    "--name",
    "Job",
    "--auth",
    "client_secret_basic",
    "--grant",
    "client_credentials",
    "--scope",
    "notes:call",
];

fn client(port: u16, answer: &serde_json::Value) -> Client {
    let text = |name: &str| answer[name].as_str().map(str::to_owned);
    Client {
        port,
        id: text("client_id").expect("an id"),
        secret: text("client_secret"),
        resource: String::new(),
    }
}

#[test]
fn a_025_who_is_disabled_is_out_when_the_command_returns() {
    let installation = Installation::new();
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    installation.add_user(NAME, PASSWORD);
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    let tokens = connect(&client, NAME, PASSWORD);
    assert_eq!(call(gate.port, &tokens.access), 502);
    let disabled = installation.answer(&["client", "disable", &client.id]);
    assert_eq!(disabled["was_enabled"], true);
    assert_eq!(call(gate.port, &tokens.access), 401);
    assert_eq!(client.refresh(&tokens.refresh).status, 401);
    let listed = installation.answer(&["client", "list"]);
    assert_eq!(listed[0]["kind"], "registered");
    assert!(listed[0]["disabled_at"].is_i64(), "{listed}");
    let enabled = installation.answer(&["client", "enable", &client.id]);
    assert_eq!(enabled["was_disabled"], true);
    assert_eq!(call(gate.port, &tokens.access), 401, "of before");
    let tokens = Tokens::of(&client.refresh(&tokens.refresh));

    let other = Client::register(gate.port, &gate.text("mcp_url"), "client_secret_basic");
    let others = connect(&other, NAME, PASSWORD);
    let disabled = installation.answer(&["user", "disable", NAME]);
    assert_eq!(disabled["grants_ended"], 2, "{disabled}");
    assert_eq!(call(gate.port, &others.access), 401);
    assert_eq!(call(gate.port, &tokens.access), 401);
    assert_eq!(other.refresh(&others.refresh).status, 400);
    assert_eq!(installation.answer(&["grant", "list"]), json!([]));
    assert_eq!(
        installation.answer(&["user", "enable", NAME])["was_disabled"],
        true
    );
    assert_eq!(client.refresh(&tokens.refresh).status, 400);
    gate.stop();
    for words in [
        &["client", "disable", "nobody"][..],
        &["client", "show", "ksd_x"],
    ] {
        installation.failure(words).is(1, "client_unknown");
    }
    installation
        .failure(&["user", "disable", "nobody"])
        .is(1, "user_unknown");
}

#[test]
fn a_client_acts_for_itself_until_its_grant_or_secret_ends() {
    let installation = Installation::new();
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    let added = installation.answer(&JOB);
    let secret = added["client_secret"].as_str().expect("one").to_owned();
    assert!(
        secret.starts_with("ksx_") && secret.len() == 4 + 43 + 4,
        "{secret}"
    );
    let job = client(gate.port, &added);
    let ask = |client: &Client| client.ask(&[("grant_type", "client_credentials")]);
    let token = |client: &Client| {
        let reply = ask(client);
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.value()["access_token"]
            .as_str()
            .expect("one")
            .to_owned()
    };
    let access = token(&job);
    assert_eq!(call(gate.port, &access), 502);
    let shown = installation
        .answer(&["client", "show", &job.id])
        .to_string();
    assert!(!shown.contains(&secret), "{shown}");
    let grants = installation.answer(&["grant", "list", "--client", &job.id]);
    assert_eq!(grants[0]["person"], format!("client:{}", job.id));
    let id = grants[0]["id"].as_str().expect("an id");
    assert_eq!(
        installation.answer(&["grant", "revoke", id])["was_alive"],
        true
    );
    assert_eq!(call(gate.port, &access), 401);
    assert_eq!(call(gate.port, &token(&job)), 502, "a new grant");

    let kept = installation.answer(&["client", "rotate-secret", &job.id, "--keep-old", "600"]);
    let (new, old) = (client(gate.port, &kept), job);
    assert_eq!((ask(&new).status, ask(&old).status), (200, 200));
    let rotated = installation.answer(&["client", "rotate-secret", &old.id]);
    let newest = client(gate.port, &rotated);
    assert_eq!(ask(&newest).status, 200);
    assert_eq!((ask(&new).status, ask(&old).status), (401, 401));
    gate.stop();
}

#[test]
fn n_as_28_no_secret_of_a_client_is_kept() {
    let installation = Installation::new();
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    let added = installation.answer(&JOB);
    let job = client(gate.port, &added);
    assert_eq!(job.ask(&[("grant_type", "client_credentials")]).status, 200);
    let rotated = installation.answer(&["client", "rotate-secret", &job.id]);
    gate.stop();
    for answer in [&added, &rotated] {
        let secret = answer["client_secret"].as_str().expect("one");
        assert_eq!(kept_in(&installation, secret), None);
    }
}

#[test]
fn a_secret_that_is_kept_is_noticed() {
    let installation = Installation::new();
    installation.answer(&JOB);
    let place = installation.data().join("audit").join("secret");
    std::fs::write(&place, "… ksx_planted …").expect("a file");
    assert_eq!(kept_in(&installation, "ksx_planted"), Some(place));
}

/// The file of the installation in which a secret stands.
fn kept_in(installation: &Installation, secret: &str) -> Option<std::path::PathBuf> {
    installation.files().into_iter().find(|file| {
        let bytes = std::fs::read(file).unwrap_or_default();
        let secret = secret.as_bytes();
        bytes.windows(secret.len()).any(|part| part == secret)
    })
}

#[test]
fn what_makes_no_sense_of_a_client_is_said() {
    let installation = Installation::new();
    let add = |more: &[&str]| {
        let words = [&["client", "add", "--name", "x"], more].concat();
        installation.failure(&words)
    };
    add(&[]).is(2, "redirect_uri");
    add(&["--grant", "client_credentials", "--scope", "notes:call"]).is(2, "client_auth");
    let itself = [
        "--grant",
        "client_credentials",
        "--auth",
        "client_secret_post",
    ];
    add(&itself).is(2, "scope").says("needs a scope");
    let redirect = ["--redirect-uri", "https://x.example/cb"];
    add(&[&redirect[..], &["--scope", "notes:call"]].concat()).is(2, "scope");
    add(&[&redirect[..], &["--auth", "private_key_jwt"]].concat()).is(2, "client_keys");
    let keyed = [&redirect[..], &["--auth", "private_key_jwt", "--jwks-uri"]].concat();
    add(&[&keyed[..], &["http://x.example/jwks"]].concat()).is(2, "jwks_uri");
    add(&["--introspect", "http://localhost:7717/notes/mcp"]).is(2, "client_auth");
    let file = installation.data().with_extension("json");
    std::fs::write(&file, r#"{"keys":[{"kty":"oct","k":"x"}]}"#).expect("a file");
    let name = file.display().to_string();
    let keyed = [
        &redirect[..],
        &["--auth", "private_key_jwt", "--jwks", &name],
    ]
    .concat();
    add(&keyed).is(2, "jwks").says("private key");
}
