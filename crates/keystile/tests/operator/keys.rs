//! `keystile key`: signing keys and the master key, rotated while clients use what they made.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustix::process::Signal;
use serde_json::Value;

use super::fake_server::dead;
use super::flow::{Client, Tokens, connect, initialize};
use super::http::Request;
use super::installation::{Gate, Installation, mode};
use super::program::Program;
use super::{NAME, PASSWORD};

/// The status of a call with this token; 502 says that it was admitted, since nobody is behind.
fn call(gate: &Gate, tokens: &Tokens) -> u16 {
    let request = Request::mcp("/notes/mcp", &tokens.access, initialize());
    request.send(gate.port).status
}

fn header(tokens: &Tokens) -> Value {
    let header = tokens.access.split('.').next().expect("a JWT has a header");
    let header = URL_SAFE_NO_PAD.decode(header).expect("it is base64url");
    serde_json::from_slice(&header).expect("it is JSON")
}

fn published(gate: &Gate) -> Vec<Value> {
    let reply = Request::get("/oauth/jwks").send(gate.port);
    assert_eq!(reply.header("cache-control"), "public, max-age=300");
    let keys = reply.value()["keys"].as_array().cloned();
    let keys = keys.expect("a JWK set has keys").into_iter();
    keys.map(|key| key["kid"].clone()).collect()
}

fn states(installation: &Installation) -> Vec<(Value, String)> {
    let listed = installation.answer(&["key", "list"]);
    let keys = listed["signing"].as_array().cloned().expect("a list");
    let state = |key: &Value| key["state"].as_str().expect("a state").to_owned();
    keys.iter()
        .map(|key| (key["kid"].clone(), state(key)))
        .collect()
}

/// A server that can be started anew where it was: tokens are for that place.
struct Place {
    upstream: String,
    port: u16,
}

impl Place {
    fn new() -> Self {
        let upstream = dead();
        Self { upstream, port: 0 }
    }

    fn serve(&mut self, installation: &Installation) -> Gate {
        let port = self.port.to_string();
        let words = ["--json", "protect", "--name", "notes", "--port", &port];
        let more = ["--ops-listen", "127.0.0.1:0", &self.upstream];
        let gate = Gate::start(&mut installation.command(&[&words[..], &more].concat()));
        self.port = gate.port;
        gate
    }
}

#[test]
fn a_082_a_rotation_is_seen_by_nobody_but_in_the_key_id() {
    let (installation, mut place) = (Installation::new(), Place::new());
    installation.add_user(NAME, PASSWORD);
    let gate = place.serve(&installation);
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    let mut tokens = vec![connect(&client, NAME, PASSWORD)];
    let first = published(&gate);
    assert_eq!(first.len(), 2, "what signs and what is next");
    assert_eq!(header(&tokens[0])["kid"], first[0]);

    let rotated = installation.answer(&["key", "rotate"]);
    assert_eq!(rotated["kid"], first[1], "what was next signs");
    assert_eq!(rotated["published_before"], true);
    for algorithm in ["EdDSA", "RS256", "ES256"] {
        let refreshed = Tokens::of(&client.refresh(&tokens[tokens.len() - 1].refresh));
        assert_eq!(header(&refreshed)["kid"], published(&gate)[0]);
        tokens.push(refreshed);
        let rotated = installation.answer(&["key", "rotate", "--algorithm", algorithm]);
        assert_eq!(rotated["algorithm"], algorithm);
        assert_eq!(rotated["published_before"], false);
        assert!(published(&gate).contains(&rotated["kid"]));
        assert!(published(&gate).contains(&rotated["next"]));
        for earlier in &tokens {
            assert_eq!(call(&gate, earlier), 502, "an earlier token still opens");
        }
    }
    let newest = Tokens::of(&client.refresh(&tokens[tokens.len() - 1].refresh));
    assert_eq!(header(&newest)["alg"], "ES256");
    let states_before = states(&installation);
    assert_eq!(published(&gate).len(), states_before.len());
    gate.stop();

    // A restart serves what is stored; and a rotation needs no running server.
    assert_eq!(states(&installation), states_before);
    installation.answer(&["key", "rotate"]);
    let gate = place.serve(&installation);
    assert_eq!(states(&installation).len(), states_before.len() + 1);
    let refreshed = Tokens::of(&client.refresh(&newest.refresh));
    assert_eq!(header(&refreshed)["kid"], published(&gate)[0]);
    gate.stop();
}

#[test]
fn after_a_leak_no_earlier_key_is_good_for_anything() {
    let (installation, mut place) = (Installation::new(), Place::new());
    installation.add_user(NAME, PASSWORD);
    let gate = place.serve(&installation);
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    let tokens = connect(&client, NAME, PASSWORD);
    assert_eq!(call(&gate, &tokens), 502);
    let before = published(&gate);
    installation.answer(&["key", "rotate", "--forget-old"]);
    assert_eq!(call(&gate, &tokens), 401);
    let after = published(&gate);
    assert_eq!(after.len(), 2);
    assert!(
        after.iter().all(|kid| !before.contains(kid)),
        "nor what was next"
    );
    let refreshed = Tokens::of(&client.refresh(&tokens.refresh));
    assert_eq!(call(&gate, &refreshed), 502);
    let failed = installation.failure(&["key", "rotate", "--algorithm", "HS256"]);
    assert_eq!(failed.exit, 2);
    gate.stop();
}

#[test]
fn rotations_without_a_pause_are_bounded() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    for _ in 0..8 {
        installation.answer(&["key", "rotate"]);
    }
    let failed = installation.failure(&["key", "rotate"]);
    failed
        .is(1, "keys_rotated_too_often")
        .says("8 retired")
        .advises("--forget-old");
    assert_eq!(states(&installation).len(), 10);
    for _ in 0..4 {
        installation.answer(&["key", "rotate-master"]);
    }
    let failed = installation.failure(&["key", "rotate-master"]);
    failed.is(1, "master_keys_many").advises("--forget-old");
    let forgot = installation.answer(&["key", "rotate-master", "--forget-old"]);
    assert_eq!(
        (&forgot["open_only"], &forgot["forgotten"]),
        (&1.into(), &4.into())
    );
}

#[test]
fn what_an_earlier_master_key_made_works_until_it_is_forgotten() {
    let (installation, mut place) = (Installation::new(), Place::new());
    installation.add_user(NAME, PASSWORD);
    let gate = place.serve(&installation);
    let resource = gate.text("mcp_url");
    let client = Client::register(gate.port, &resource, "client_secret_basic");
    let tokens = connect(&client, NAME, PASSWORD);
    let file = installation.data().join("master.key");
    let before = std::fs::read(&file).expect("there is a master key");

    installation.answer(&["key", "rotate-master"]);
    let after = std::fs::read(&file).expect("there is a master key");
    assert_eq!((mode(&file), before.len(), after.len()), (0o600, 32, 72));
    assert_ne!(before, after[..32]);
    assert_eq!(call(&gate, &tokens), 502);
    let tokens = Tokens::of(&client.refresh(&tokens.refresh));
    let again = Client::register(gate.port, &resource, "none");
    assert_eq!(
        again.refresh(&tokens.refresh).status,
        400,
        "of another client"
    );
    gate.stop();

    // After a restart as well; and no key is anywhere but in its file.
    let gate = place.serve(&installation);
    let tokens = Tokens::of(&client.refresh(&tokens.refresh));
    let others = connect(&again, NAME, PASSWORD);
    for path in installation
        .files()
        .into_iter()
        .filter(|path| *path != file)
    {
        let bytes = std::fs::read(&path).unwrap_or_default();
        for key in [&before[..], &after[..32]] {
            let found = bytes.windows(32).any(|part| part == key);
            assert!(!found, "a master key is in {}", path.display());
        }
    }

    installation.answer(&["key", "rotate-master", "--forget-old"]);
    let refused = client.refresh(&tokens.refresh);
    assert_eq!(refused.value()["error"], "invalid_client", "{refused:?}");
    Tokens::of(&again.refresh(&others.refresh));
    gate.stop();
}

/// The process is killed as soon as the new file is seen, before or after it took the old one's place.
#[test]
fn a_rotation_that_is_killed_leaves_an_installation_that_works() {
    let (installation, mut place) = (Installation::new(), Place::new());
    installation.add_user(NAME, PASSWORD);
    let mut gate = place.serve(&installation);
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    let mut tokens = connect(&client, NAME, PASSWORD);
    let (file, new) = (
        installation.data().join("master.key"),
        installation.data().join("master.key.new"),
    );
    for _ in 0..4 {
        let before = std::fs::read(&file).expect("there is a master key");
        let mut rotating = Program::start(&mut installation.command(&["key", "rotate-master"]), "");
        while !new.exists() && std::fs::read(&file).is_ok_and(|now| now == before) {
            std::hint::spin_loop();
        }
        gate.program.signal(Signal::KILL);
        gate.program.wait();
        rotating.wait();
        gate = place.serve(&installation);
        tokens = Tokens::of(&client.refresh(&tokens.refresh));
        assert_eq!(call(&gate, &tokens), 502);
        Client::register(gate.port, &gate.text("mcp_url"), "none");
    }
    gate.stop();
}
