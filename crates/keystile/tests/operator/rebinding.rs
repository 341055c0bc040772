//! Whether a name still means the server that people approved.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::fake_server::dead;
use super::flow::{Client, connect, initialize};
use super::http::Request;
use super::installation::{Installation, bare, set_mode};
use super::program::{Ended, Program};
use super::{NAME, PASSWORD};

#[test]
fn another_upstream_needs_a_word_and_ends_the_grants_of_the_earlier_one() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let upstream = dead();
    let arguments = ["protect", "--name", "notes", &upstream];
    let gate = installation.serve(&arguments);
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    let tokens = connect(&client, NAME, PASSWORD);
    let call = |token: &str, port| Request::mcp("/notes/mcp", token, initialize()).send(port);
    assert_eq!(call(&tokens.access, gate.port).status, 502);
    let port = gate.port.to_string();
    gate.stop();

    let other = dead();
    let failed = installation.failure(&["protect", "--port", "0", "--name", "notes", &other]);
    failed
        .is(78, "other_upstream")
        .says("notes")
        .says(&format!("it was: {upstream}; now it is: {other}"))
        .advises("--rebind");
    // The refused start has changed nothing: the earlier one works on, with its tokens.
    let at_the_port = |upstream: &str, more: &[&str]| {
        let mut command = installation.command(&["--json", "protect", "--name", "notes"]);
        command.args(["--port", &port, "--ops-listen", "127.0.0.1:0"]);
        super::installation::Gate::start(command.args(more).arg(upstream))
    };
    let gate = at_the_port(&upstream, &[]);
    assert_eq!(call(&tokens.access, gate.port).status, 502);
    gate.stop();

    let gate = at_the_port(&other, &["--rebind"]);
    let warning = gate.program.stderr.find("another server now");
    assert!(warning.is_some_and(|line| line.contains("notes")));
    assert_eq!(call(&tokens.access, gate.port).status, 401);
    let refused = client.refresh(&tokens.refresh);
    assert_eq!(
        (refused.status, &refused.value()["error"]),
        (400, &"invalid_grant".into())
    );
    assert_eq!(
        installation.answer(&["grant", "list"]),
        serde_json::json!([])
    );
    let ended = installation.answer(&["grant", "list", "--all"]);
    assert_eq!(ended[0]["revoked_why"], "rebound");
    gate.stop();
}

/// Starts it with these words in front and ends it.
fn starts(mut command: Command, front: &[&str], words: &[&str]) {
    command.arg("--json").args(front);
    command.args([words[0], "--port", "0", "--ops-listen", "127.0.0.1:0"]);
    super::installation::Gate::start(command.args(&words[1..])).stop();
}

/// It was looked at first, so the error comes after a log.
fn refused_as_another(ended: &Ended, how: &str) {
    let error = ended.stderr.lines().last().expect("an error");
    assert!(
        error.contains(r#""code":"other_upstream","exit":78"#),
        "{error}"
    );
    assert!(error.contains(how), "{error}");
}

#[test]
fn the_demo_is_the_same_server_wherever_it_and_its_data_are() {
    let installation = Installation::new();
    installation.serve(&["demo"]).stop();
    let data = installation.data();
    let above = data.parent().expect("it is in a folder");
    let roundabout = above.join("data/../data");
    let roundabout = roundabout.to_str().expect("a plain path");
    starts(bare::<&str>(&[]), &["--data-dir", roundabout], &["demo"]);
    let mut there = bare::<&str>(&[]);
    there.current_dir(above);
    starts(there, &["--data-dir", "data"], &["demo"]);
    let moved = installation.beside("moved");
    fs::rename(&data, &moved).expect("it is ours");
    let moved = moved.to_str().expect("a plain path");
    starts(bare::<&str>(&[]), &["--data-dir", moved], &["demo"]);
    // An upgrade may put the program elsewhere.
    let program = installation.beside("keystile-of-tomorrow");
    let today = env!("CARGO_BIN_EXE_keystile");
    if fs::hard_link(today, &program).is_err() {
        fs::copy(today, &program).expect("there is room");
    }
    starts(Command::new(&program), &["--data-dir", moved], &["demo"]);

    // Another folder is another knowledge base; another spelling of it is not.
    let notes = installation.beside("notes");
    fs::create_dir(&notes).expect("the folder beside it exists");
    let notes = notes.to_str().expect("a plain path");
    let words = ["--json", "--data-dir", moved, "demo", "--port", "0"];
    let mut other = bare(&[&words[..], &["--folder", notes]].concat());
    refused_as_another(
        &Program::start(&mut other, "").wait(),
        "it was: keystile demo; now it is: keystile demo --folder ",
    );
    let data = ["--data-dir", moved];
    let folder = format!("{notes}/../notes/.");
    starts(
        bare::<&str>(&[]),
        &data,
        &["demo", "--rebind", "--folder", notes],
    );
    starts(bare::<&str>(&[]), &data, &["demo", "--folder", &folder]);
}

#[test]
fn a_command_is_the_same_server_wherever_it_was_found() {
    let installation = Installation::new();
    let script = "#!/bin/sh\nwhile read -r line; do :; done\n";
    let version = |name: &str| {
        let folder = installation.beside(name);
        fs::create_dir(&folder).expect("the folder beside it exists");
        let program = folder.join("some-server");
        fs::write(&program, script).expect("it can be written");
        set_mode(&program, 0o755);
        folder
    };
    let start = |folder: &Path, words: &[&str]| {
        let mut command = installation.serving(&["protect", "--name", "notes"]);
        command.env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
        command.arg("--env").arg("API_KEY=hunter2");
        command.arg("--").arg("some-server").args(words);
        command
    };
    let (old, new) = (version("v1"), version("v2"));
    super::installation::Gate::start(&mut start(&old, &["--token", "hunter2", "notes"])).stop();
    super::installation::Gate::start(&mut start(&new, &["--token", "hunter2", "notes"])).stop();
    let mut other = start(&new, &["--token", "hunter2", "mail"]);
    let ended = Program::start(&mut other, "").wait();
    refused_as_another(
        &ended,
        "it was: some-server --token … notes; now it is: some-server --token … mail",
    );
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    for file in installation.files() {
        let kept = fs::read(&file).expect("it is ours");
        let found = kept.windows(7).any(|part| part == b"hunter2");
        assert!(!found, "{}", file.display());
    }
}

#[test]
fn a_rebind_ends_the_grants_of_every_port_the_name_has_had() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    connect(&client, NAME, PASSWORD);
    gate.stop();
    // On another port, so the resource of the grant is not the one that is served now.
    installation
        .serve(&["protect", "--name", "notes", "--rebind", &dead()])
        .stop();
    assert_eq!(
        installation.answer(&["grant", "list"]),
        serde_json::json!([])
    );
}
