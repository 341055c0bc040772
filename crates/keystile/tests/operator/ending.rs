//! The end: gentle, impatient, or a kill; and no process that outlives it.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::fake_server::{dead, that_never_answers, with_open_streams};
use super::flow::{Client, connect, initialize};
use super::http::{Reply, Request, Stream};
use super::installation::{Gate, Installation};
use super::processes::{descendants, wait_for_the_end_of};
use super::{NAME, PASSWORD};

/// Below the time that open requests are given, with room for a busy machine.
const QUICKLY: Duration = Duration::from_secs(8);

fn token(gate: &Gate) -> String {
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    connect(&client, NAME, PASSWORD).access
}

fn call(gate: &Gate, token: &str) -> Reply {
    Request::mcp(&gate.endpoint(), token, initialize()).send(gate.port)
}

fn listen(gate: &Gate, token: &str, session: &str) -> Request {
    Request::get(&gate.endpoint())
        .header("accept", "text/event-stream")
        .header("mcp-protocol-version", "2025-06-18")
        .header("authorization", &format!("Bearer {token}"))
        .header("mcp-session-id", session)
}

fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long an end takes is what is tested"
    )]
    Instant::now()
}

fn stop_quickly(gate: Gate) {
    let begin = now();
    gate.stop();
    assert!(begin.elapsed() < QUICKLY, "{:?}", begin.elapsed());
}

/// A stream does not hold up the end of the gate, which takes the processes behind it along.
fn ends_with_its_processes(gate: Gate, stream: Stream) {
    let children = descendants(gate.program.pid());
    assert!(!children.is_empty());
    stop_quickly(gate);
    wait_for_the_end_of(&children);
    stream.rest();
}

#[test]
fn open_streams_of_an_http_server_do_not_hold_up_the_end() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let (opened, streams) = channel();
    let gate = installation.serve(&["protect", "--name", "notes", &with_open_streams(opened)]);
    let token = token(&gate);
    let reply = call(&gate, &token);
    assert_eq!(reply.status, 200, "{reply:?}");
    let session = reply.header("mcp-session-id").to_owned();
    let stream = listen(&gate, &token, &session).open(gate.port);
    streams.recv().expect("the server is asked");
    stop_quickly(gate);
    assert!(stream.rest().contains("notifications/here"));
}

#[test]
fn open_streams_of_a_stdio_server_do_not_hold_up_the_end_and_its_children_go() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let gate = installation.serve(&["demo"]);
    let token = token(&gate);
    let reply = call(&gate, &token);
    assert_eq!(reply.status, 200, "{reply:?}");
    let session = reply.header("mcp-session-id").to_owned();
    let stream = listen(&gate, &token, &session).open(gate.port);
    ends_with_its_processes(gate, stream);
}

#[test]
fn the_stream_of_an_old_client_does_not_hold_up_the_end_and_its_process_goes() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let gate = installation.serve(&["demo"]);
    let token = token(&gate);
    let mut stream = Request::get(&format!("{}/sse", gate.endpoint()))
        .header("accept", "text/event-stream")
        .header("authorization", &format!("Bearer {token}"))
        .open(gate.port);
    let endpoint = stream.event();
    let posted = Request::mcp(&endpoint, &token, initialize()).send(gate.port);
    assert_eq!(posted.status, 202, "{posted:?}");
    assert!(stream.event().contains("protocolVersion"));
    ends_with_its_processes(gate, stream);
}

#[test]
fn a_call_that_outlasts_the_end_is_told_so() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let (called, calls) = channel();
    let gate = installation.serve(&["protect", "--name", "notes", &that_never_answers(called)]);
    // The start asks, too.
    calls.recv().expect("the server is asked");
    let (token, port) = (token(&gate), gate.port);
    let waiting = std::thread::spawn(move || {
        let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
        Request::mcp("/notes/mcp", &token, ping).send(port)
    });
    calls.recv().expect("the server is called");
    let ended = gate.stop();
    let reply = waiting.join().expect("it is answered");
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(reply.header("retry-after"), "10");
    assert!(reply.body.contains("gateway_ending"), "{reply:?}");
    for said in ["calls have run for 10 s", "gateway_ending"] {
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}

#[test]
fn a_second_interrupt_ends_at_once_what_the_first_would_wait_for() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let (called, calls) = channel();
    let mut gate = installation.serve(&["protect", "--name", "notes", &that_never_answers(called)]);
    // The start asks, too.
    calls.recv().expect("the server is asked");
    let token = token(&gate);
    let port = gate.port;
    let waiting = std::thread::spawn(move || {
        let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
        let call = Request::mcp("/notes/mcp", &token, ping);
        std::panic::catch_unwind(move || call.send(port).status)
    });
    calls.recv().expect("the server is called");
    let begin = now();
    gate.program.signal(Signal::INT);
    gate.program
        .stderr
        .find("a second signal")
        .expect("it says so");
    gate.program.signal(Signal::INT);
    let ended = gate.program.wait();
    assert!(begin.elapsed() < QUICKLY, "{:?}", begin.elapsed());
    assert!(ended.status.success(), "{}", ended.status);
    assert!(ended.stderr.contains("ended at once"), "{}", ended.stderr);
    let answer = waiting.join().expect("it was caught");
    assert!(answer.is_err(), "nobody has answered: {answer:?}");
    // Nothing is locked or left behind.
    assert!(!installation.data().join("control.sock").exists());
    installation
        .serve(&["protect", "--name", "other", &dead()])
        .stop();
}

/// Ignores that its standard input ends, and SIGTERM; has a child of its own.
const STUBBORN: &str = r#"trap "" TERM; sleep 1000 & while :; do sleep 1000; done"#;

#[test]
fn a_child_that_does_not_want_to_end_is_ended_with_what_it_started() {
    for impatient in [false, true] {
        let installation = Installation::new();
        let arguments = ["protect", "--name", "notes", "--", "sh", "-c", STUBBORN];
        let mut gate = installation.serve(&arguments);
        gate.program
            .stderr
            .find("stdio server started")
            .expect("it is looked at");
        let children = descendants(gate.program.pid());
        assert!(!children.is_empty());
        gate.program.signal(Signal::INT);
        if impatient {
            gate.program
                .stderr
                .find("a second signal")
                .expect("it says so");
            gate.program.signal(Signal::INT);
        }
        // Either signal may find it ended already, and its output is held by nobody.
        let ended = gate.program.wait();
        assert!(ended.status.success(), "{}: {}", ended.status, ended.stderr);
        wait_for_the_end_of(&children);
    }
}

#[test]
fn a_kill_takes_the_children_along() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let mut gate = installation.serve(&["demo"]);
    let token = token(&gate);
    assert_eq!(call(&gate, &token).status, 200);
    let children = descendants(gate.program.pid());
    assert!(!children.is_empty());
    gate.program.signal(Signal::KILL);
    gate.program.wait();
    wait_for_the_end_of(&children);
    // What was acknowledged is still there.
    assert_eq!(
        installation
            .answer(&["grant", "list"])
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[test]
fn a_start_that_fails_leaves_no_process() {
    let installation = Installation::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let mark = installation.beside("started");
    let script = format!("touch {}; exec cat", mark.display());
    let words = ["protect", "--port", &port, "--", "sh", "-c", &script];
    installation.failure(&words).is(1, "port_in_use");
    assert!(!mark.exists(), "no child before everything is bound");
}
