//! Servers behind the gate that are missing, broken or something else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;

use super::fake_server::{always, dead, ok};
use super::flow::{Client, connect, initialize};
use super::http::{Reply, Request};
use super::installation::{Failed, Gate, Installation};
use super::processes::{descendants, wait_for_the_end_of};
use super::program::Program;
use super::{NAME, PASSWORD};

/// The first call of a person's client.
fn call(gate: &Gate) -> Reply {
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    let tokens = connect(&client, NAME, PASSWORD);
    Request::mcp(&gate.endpoint(), &tokens.access, initialize()).send(gate.port)
}

/// A JSON-RPC error for the call's id with this code, and a sentence for the person.
fn refused(reply: &Reply, status: u16, code: &str, sentence: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    let body = reply.value();
    assert_eq!(body["id"], 1, "{body}");
    assert_eq!(body["error"]["data"]["code"], code, "{body}");
    let message = body["error"]["message"].as_str().expect("a sentence");
    assert!(message.contains(sentence), "{body}");
}

#[test]
fn a_dead_upstream_is_said_at_the_start_and_at_the_call() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let url = dead();
    let gate = installation.serve(&["protect", &url]);
    let warning = gate.program.stderr.find("upstream_unreachable");
    let warning = warning.expect("it is said at the start");
    assert!(warning.contains("Connection refused"), "{warning}");
    assert!(warning.contains("the URL on the command line"), "{warning}");
    assert!(
        warning.contains("WARN") && warning.contains(&url),
        "{warning}"
    );
    refused(
        &call(&gate),
        502,
        "upstream_unreachable",
        "can't be reached",
    );
    gate.stop();
}

#[test]
fn what_is_no_mcp_server_is_said_at_the_start_and_at_the_call() {
    let page = ok("text/html", "<h1>It works!</h1>");
    let code = "upstream_not_mcp";
    said_twice(&page, code, code, "no MCP server");
    let installation = Installation::new();
    let gate = installation.serve(&["protect", &always(&page)]);
    let sent = gate.program.stderr.find("text/html");
    let sent = sent.expect("the log has what it sent");
    assert!(
        sent.contains("WARN") && sent.contains("reaches no client"),
        "{sent}"
    );
    gate.stop();
    let code = "upstream_unreachable";
    said_twice("SSH-2.0-OpenSSH_9.7\r\n", code, code, "hung up");
    said_twice("", code, code, "hung up");
}

#[test]
fn an_upstream_that_refuses_or_fails_is_said_at_the_start_and_at_the_call() {
    let head = "content-type: text/html\r\nconnection: close\r\n";
    let at_start = "upstream_bad_status";
    for (answer, code, sentence) in [
        (
            format!(
                "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic realm=\"x\"\r\n{head}\r\n"
            ),
            "upstream_refused_us",
            "sign-in of its own",
        ),
        (
            format!("HTTP/1.1 301 Moved\r\nlocation: http://evil.example/\r\n{head}\r\n"),
            "upstream_redirects",
            "redirects",
        ),
        (
            format!("HTTP/1.1 500 Oops\r\n{head}\r\nsecret stack trace"),
            "upstream_failed",
            "failed",
        ),
    ] {
        said_twice(&answer, at_start, code, sentence);
    }
}

/// A server that gives this answer is warned of when the gate starts, and refused when it is called.
fn said_twice(answer: &str, at_start: &str, code: &str, sentence: &str) {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let gate = installation.serve(&["protect", &always(answer)]);
    let warning = gate.program.stderr.find(at_start);
    assert!(
        warning.is_some_and(|line| line.contains("WARN")),
        "{answer}"
    );
    let reply = call(&gate);
    refused(&reply, 502, code, sentence);
    assert_eq!(reply.header("www-authenticate"), "");
    for theirs in ["evil", "secret"] {
        assert!(!reply.body.contains(theirs), "{reply:?}");
    }
    gate.stop();
}

#[test]
fn a_command_that_is_missing_or_not_executable_is_said_before_anything_is_made() {
    let installation = Installation::new();
    let file = installation.beside("server.py");
    fs::write(&file, "#!/usr/bin/env python3\n").expect("it can be written");
    let file = file.to_str().expect("a plain path");
    for command in ["no-such-program-anywhere", "/no/such/program", file] {
        let failed = installation.failure(&["protect", "--port", "0", "--", command, "--flag"]);
        failed
            .is(1, "stdio_command_missing")
            .says(command)
            .advises("PATH");
        assert!(!installation.data().exists());
    }
}

#[test]
fn a_command_that_goes_missing_later_is_said_at_the_call() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let file = installation.beside("server.sh");
    fs::write(&file, "#!/bin/sh\nwhile read -r line; do :; done\n").expect("it can be written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let path = file.to_str().expect("a plain path").to_owned();
    let gate = installation.serve(&["protect", "--", &path]);
    gate.program
        .stderr
        .find("stdio server started")
        .expect("it is looked at");
    fs::remove_file(&file).expect("it is ours");
    refused(&call(&gate), 502, "stdio_command_not_found", "not found");
    gate.stop();
}

/// The words of a stdio server that is this script of a shell.
fn script(script: &str) -> Vec<&str> {
    vec!["protect", "--name", "notes", "--", "sh", "-c", script]
}

/// A start that must fail; the log, and the error after it. Nothing says that it is ready.
fn failed_start(installation: &Installation, words: &[&str]) -> (String, Failed) {
    let mut ended = Program::start(&mut installation.serving(words), "").wait();
    assert_eq!(ended.stdout, "", "nothing is ready");
    let (log, error) = match ended.stderr.rsplit_once('\n') {
        Some((log, error)) => (log.to_owned(), error.to_owned()),
        None => (String::new(), ended.stderr),
    };
    ended.stderr = error;
    (log, Failed::read(&ended))
}

#[test]
fn a_command_that_exits_at_once_ends_the_start_and_leaves_nothing() {
    let installation = Installation::new();
    let words = script("echo 'API_KEY is not set' >&2; exit 3");
    let (log, failed) = failed_start(&installation, &words);
    failed
        .is(1, "stdio_exited_at_once")
        .says("exit status: 3")
        .says("API_KEY is not set")
        .advises("--env");
    assert!(!log.contains("ERROR"), "it is said once: {log}");
    assert!(!log.contains("found out"), "nothing was: {log}");
    assert!(!log.contains("second signal"), "nobody ended it: {log}");
    assert!(!installation.data().exists());

    // Nor does it leave anything in an installation that is there.
    installation.add_user(NAME, PASSWORD);
    failed_start(&installation, &words)
        .1
        .is(1, "stdio_exited_at_once");
    assert_eq!(installation.answer(&["user", "list"])[0]["name"], NAME);
    // Not even the name is taken.
    installation
        .serve(&["protect", "--name", "notes", &dead()])
        .stop();
}

#[test]
fn a_command_that_prints_garbage_ends_the_start_and_is_ended() {
    let installation = Installation::new();
    let words = script("while :; do echo 'Listening on port 3000!' || exit; done");
    let (_, failed) = failed_start(&installation, &words);
    failed
        .is(1, "upstream_not_mcp")
        .says("not MCP")
        .advises("standard error");
    assert!(!installation.data().exists());
    let (_, failed) = failed_start(&installation, &["protect", "--", "cat"]);
    failed.is(1, "upstream_not_mcp");
}

#[test]
fn a_folder_that_can_not_be_read_is_said_before_anything_is_made() {
    let installation = Installation::new();
    let folder = installation.beside("missing");
    let folder = folder.to_str().expect("a plain path");
    let failed = installation.failure(&["demo", "--port", "0", "--folder", folder]);
    failed.is(78, "folder").says(folder).advises("Markdown");
    assert!(!installation.data().exists());
}

#[test]
fn a_command_that_is_slow_is_waited_for_a_moment_and_one_that_exits_later_is_said_at_the_call() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let mark = installation.beside("broken");
    let mute = format!(
        "if [ -e {} ]; then echo 'API_KEY is not set' >&2; exit 3; fi; while read -r line; do :; done",
        mark.display()
    );
    let gate = installation.serve(&script(&mute));
    let note = gate.program.stderr.find("has not answered yet");
    assert!(note.is_some_and(|note| note.contains("WARN")));
    fs::write(&mark, "").expect("it can be written");
    let reply = call(&gate);
    refused(
        &reply,
        502,
        "stdio_exited_at_once",
        "ended before it answered",
    );
    let last = gate.program.stderr.find("API_KEY is not set");
    last.expect("its last words are logged");
    // The client is not the operator: it learns what to do, and nothing of the host.
    assert!(!reply.body.contains("API_KEY"), "{}", reply.body);
    assert!(
        reply.value()["error"]["data"]["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("log"))
    );
    gate.stop();
}

#[test]
fn a_start_that_is_interrupted_leaves_nothing() {
    let installation = Installation::new();
    let words = script("while read -r line; do :; done");
    let mut program = Program::start(&mut installation.serving(&words), "");
    program
        .stderr
        .find("stdio server started")
        .expect("it is looked at");
    let children = descendants(program.pid());
    program.signal(Signal::INT);
    let ended = program.wait();
    assert!(ended.status.success(), "{}: {}", ended.status, ended.stderr);
    assert_eq!(ended.stdout, "");
    wait_for_the_end_of(&children);
    assert!(!installation.data().exists());
}
