//! A disk without room, played by a limit on the size of files (`ulimit -f`): nothing is acknowledged that is not kept.

use std::process::Command;

use super::fake_server::{always, dead, ok};
use super::flow::{Browser, Client, Tokens, connect, initialize};
use super::http::{Reply, Request};
use super::installation::{Gate, Installation};
use super::program::Program;
use super::{NAME, PASSWORD};

/// The command, with files of at most so many KiB. The signal that the limit sends is ignored, so that writes fail as on
/// a full disk.
fn limited(command: &Command, kib: u32) -> Command {
    // POSIX: `ulimit -f` counts blocks of 512 bytes.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", kib * 2);
    let mut wrapped = Command::new("dash");
    wrapped.args(["-c", &script]).arg(command.get_program());
    wrapped.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped
}

#[test]
fn a_first_start_without_room_says_so_and_can_be_tried_again() {
    let installation = Installation::new();
    for words in [
        &[
            "--json",
            "client",
            "add",
            "--name",
            "x",
            "--redirect-uri",
            "https://x.example/cb",
        ][..],
        &["--json", "protect", "--port", "0", "http://127.0.0.1:1/mcp"],
    ] {
        let ended = Program::start(&mut limited(&installation.command(words), 16), "").wait();
        assert_eq!(ended.status.code(), Some(78), "{}", ended.stderr);
        let error: serde_json::Value = serde_json::from_str(&ended.stderr).expect("it is JSON");
        assert_eq!(error["error"]["code"], "database", "{error}");
        assert!(!installation.data().exists(), "nothing is left of it");
    }
    installation.add_user(NAME, PASSWORD);
    installation
        .serve(&["protect", "--name", "notes", &dead()])
        .stop();
}

#[test]
fn when_the_audit_trail_is_full_calls_are_denied_until_there_is_room() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let upstream = always(&ok(
        "application/json",
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
    ));
    let arguments = ["protect", "--name", "notes", &upstream];
    let gate = installation.serve(&arguments);
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    let tokens = connect(&client, NAME, PASSWORD);
    let port = gate.port.to_string();
    gate.stop();

    // Larger than the database; the trail grows by a line a call.
    let mut command = installation.command(&["--json", "protect", "--name", "notes"]);
    command.args([
        "--port",
        &port,
        "--ops-listen",
        "127.0.0.1:0",
        "-v",
        &upstream,
    ]);
    let gate = Gate::start(&mut limited(&command, 128));
    let call = || Request::mcp("/notes/mcp", &tokens.access, initialize()).send(gate.port);
    let mut allowed = 0;
    let denied = (0..2000).map(|_| call()).find(|reply| {
        allowed += usize::from(reply.status == 200);
        reply.status != 200
    });
    let denied = denied.expect("the limit is met");
    assert_eq!(denied.status, 503, "{denied:?}");
    assert_eq!(denied.value()["error"]["data"]["code"], "audit_unavailable");
    assert_eq!(call().status, 503);
    let (_, ops) = gate
        .text("ops_url")
        .rsplit_once(':')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("it has a port");
    let ops: u16 = ops.parse().expect("it is a number");
    assert_eq!(Request::get("/readyz").send(ops).status, 503);
    // Whoever signs in or refreshes is refused, too: their tokens would be used unrecorded.
    assert_ne!(client.refresh(&tokens.refresh).status, 200);
    let form = Browser::new(gate.port).open(&client.authorize_with(&[]));
    let signed_in = Browser::new(gate.port).sign_in(&form, NAME, PASSWORD);
    assert_eq!(signed_in.status, 500, "{signed_in:?}");
    gate.stop();

    let trail = std::fs::read_to_string(audit(&installation)).expect("it is text");
    let recorded = trail.lines().filter(|line| line.contains("\"initialize\""));
    assert_eq!(
        recorded.count(),
        allowed,
        "each call that was allowed, and no other"
    );
    assert!(trail.ends_with('\n'), "no half line");

    let mut command = installation.command(&["--json", "protect", "--name", "notes"]);
    command.args(["--port", &port, "--ops-listen", "127.0.0.1:0", &upstream]);
    let gate = Gate::start(&mut command);
    let reply = Request::mcp("/notes/mcp", &tokens.access, initialize()).send(gate.port);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(client.refresh(&tokens.refresh).status, 200);
    gate.stop();
}

#[test]
fn when_the_audit_trail_is_full_nothing_is_changed_but_what_ends_a_grant() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let upstream = always(&ok(
        "application/json",
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
    ));
    let command = installation.serving(&["protect", "--name", "notes", &upstream]);
    let gate = Gate::start(&mut limited(&command, 128));
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    let tokens = connect(&client, NAME, PASSWORD);
    let call = || Request::mcp("/notes/mcp", &tokens.access, initialize()).send(gate.port);
    let denied = (0..2000)
        .map(|_| call().status)
        .find(|status| *status != 200);
    assert_eq!(denied, Some(503), "the limit is met");

    // A short line may still fit where the line of a call did not.
    let add = |id: &str| {
        let words = ["--json", "client", "add", "--name", "x", "--client-id", id];
        let mut command = installation.command(&words);
        Program::start(command.args(["--redirect-uri", "http://[::1]/"]), "").wait()
    };
    let ids = (10..100).map(|number| number.to_string());
    let (added, refused): (Vec<_>, Vec<_>) = ids
        .map(|id| add(&id))
        .scan(false, |full, ended| {
            (!std::mem::replace(full, !ended.status.success())).then_some(ended)
        })
        .partition(|ended| ended.status.success());
    let refused = refused.first().expect("the limit is met");
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("audit_unwritable"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("nothing was changed"),
        "{}",
        refused.stderr
    );
    let clients = installation.answer(&["client", "list"]);
    assert_eq!(clients.as_array().map(Vec::len), Some(added.len()));
    let words = [
        "--json",
        "user",
        "add",
        "bob-with-a-longer-name",
        "--password-stdin",
    ];
    let ended = Program::start(&mut installation.command(&words), PASSWORD).wait();
    assert!(
        ended.stderr.contains("audit_unwritable"),
        "{}",
        ended.stderr
    );
    let people = installation.answer(&["user", "list"]);
    assert_eq!(people.as_array().map(Vec::len), Some(1), "{people}");

    let id = installation.answer(&["grant", "list"])[0]["id"].clone();
    let revoke = ["grant", "revoke", id.as_str().expect("a grant has an id")];
    installation
        .failure(&revoke)
        .is(1, "audit_unwritable")
        .says("is revoked");
    assert_eq!(
        installation.answer(&["grant", "list"]),
        serde_json::json!([])
    );
    gate.stop();
}

fn audit(installation: &Installation) -> std::path::PathBuf {
    let files = installation.files();
    let mut segments = files
        .into_iter()
        .filter(|file| file.components().any(|part| part.as_os_str() == "audit"));
    segments.next().expect("there is a trail")
}

#[test]
fn when_the_database_is_full_nothing_is_acknowledged_that_is_not_kept() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let upstream = dead();
    let command = installation.serving(&["protect", "--name", "notes", &upstream]);
    let gate = Gate::start(&mut limited(&command, 128));
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    // Each sign-in writes to the log of the database, which no checkpoint empties that soon.
    let mut kept = Vec::new();
    let refused = (0..200).find_map(|_| match sign_in(&gate, &client) {
        Ok(refresh_token) => {
            kept.push(refresh_token);
            None
        }
        Err(refused) => Some(refused),
    });
    let refused = refused.expect("the limit is met");
    let said =
        [&refused.body, refused.header("location")].map(|text| text.contains("server_error"));
    assert!(said.contains(&true), "{refused:?}");
    assert!(!refused.header("location").contains("code="), "{refused:?}");
    assert!(!kept.is_empty(), "some fitted");
    let port = gate.port.to_string();
    gate.stop();

    let mut command = installation.command(&["--json", "protect", "--name", "notes"]);
    command.args(["--port", &port, "--ops-listen", "127.0.0.1:0", &upstream]);
    let gate = Gate::start(&mut command);
    for refresh_token in &kept {
        assert_eq!(client.refresh(refresh_token).status, 200);
    }
    gate.stop();
}

/// The refresh token of a new sign-in, or the answer that refused it.
fn sign_in(gate: &Gate, client: &Client) -> Result<String, Reply> {
    let mut browser = Browser::new(gate.port);
    let form = browser.open(&client.authorize_with(&[]));
    let page = browser.sign_in(&form, NAME, PASSWORD);
    if page.status != 200 {
        return Err(page);
    }
    let redirect = browser.allow(&page);
    if !redirect.header("location").contains("code=") {
        return Err(redirect);
    }
    let reply = client.exchange(&redirect);
    match reply.status {
        200 => Ok(Tokens::of(&reply).refresh),
        _ => Err(reply),
    }
}
