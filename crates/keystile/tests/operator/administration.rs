//! Commands of the administration, while a server runs and while none does.
//!
//! That another user's process is turned away from `control.sock` is not tested: it needs a second
//! user, and the modes of socket and directory keep that one out before the check of its uid.

use std::os::unix::fs::FileTypeExt as _;

use rustix::process::Signal;
use serde_json::json;

use super::fake_server::dead;
use super::flow::{Browser, Client, connect, initialize};
use super::http::Request;
use super::installation::{Failed, Installation, mode};
use super::program::Program;
use super::{NAME, PASSWORD};

#[test]
fn a_mistyped_data_directory_is_said_and_not_made() {
    let installation = Installation::new();
    for words in [
        &["user", "list"][..],
        &["client", "list"],
        &["grant", "list"],
        &["grant", "revoke", "x"],
        &["user", "setup-link"],
    ] {
        let failed = installation.failure(words);
        failed
            .is(78, "no_installation")
            .says("data")
            .advises("--data-dir");
    }
    assert!(!installation.data().exists());
}

#[test]
fn what_can_not_be_done_is_said_alike_with_and_without_a_running_server() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let unknown = "0198c0de-7f3a-7bcd-8e21-5a1f0c9d2b44";
    let add = [
        "client",
        "add",
        "--name",
        "Desk",
        "--client-id",
        "desk",
        "--redirect-uri",
    ];
    installation.answer(&[&add[..], &["https://desk.example.com/cb"]].concat());
    let cases: &[(&[&str], i32, &str, &str)] = &[
        (
            &["grant", "revoke", "nonsense"],
            2,
            "grant_id",
            "ids look like",
        ),
        (&["grant", "revoke", unknown], 1, "grant_unknown", unknown),
        (
            &["grant", "list", "--user", "nobody"],
            1,
            "user_unknown",
            "nobody",
        ),
        (
            &["user", "setup-link"],
            1,
            "already_set_up",
            "an account already",
        ),
        (
            &[
                "client",
                "add",
                "--name",
                "x",
                "--redirect-uri",
                "http://evil.example/cb",
            ],
            2,
            "redirect_uri",
            "evil.example",
        ),
        (
            &[
                "client",
                "add",
                "--name",
                "x",
                "--redirect-uri",
                "https://x.example/cb",
                "--client-id",
                "a b",
            ],
            2,
            "client_id",
            "letters",
        ),
        (
            &[
                "client",
                "add",
                "--name",
                "x",
                "--redirect-uri",
                "https://x.example/cb",
                "--client-id",
                "desk",
            ],
            1,
            "client_exists",
            "desk",
        ),
        (
            &[
                "client",
                "add",
                "--name",
                "\u{1b}[2J",
                "--redirect-uri",
                "https://x.example/cb",
            ],
            2,
            "client_name",
            "control characters",
        ),
        (
            &["user", "add", NAME, "--password-stdin"],
            2,
            "password_missing",
            "no password",
        ),
    ];
    let check = || {
        for (words, exit, code, what) in cases {
            installation.failure(words).is(*exit, code).says(what);
        }
        for (name, password, code) in [
            (NAME, PASSWORD, "user_exists"),
            ("bob", "short", "password_unusable"),
            ("b\tb", PASSWORD, "user_name"),
        ] {
            let words = ["--json", "user", "add", name, "--password-stdin"];
            let ended = Program::start(&mut installation.command(&words), password).wait();
            assert!(
                !ended.status.success() && ended.stderr.contains(code),
                "{}",
                ended.stderr
            );
            assert!(!ended.stderr.contains(password), "{}", ended.stderr);
        }
        assert_eq!(
            installation
                .answer(&["user", "list"])
                .as_array()
                .map(Vec::len),
            Some(1)
        );
        assert_eq!(
            installation
                .answer(&["client", "list"])
                .as_array()
                .map(Vec::len),
            Some(1)
        );
    };
    check();
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    let socket = installation.data().join("control.sock");
    assert_eq!(mode(&socket), 0o600);
    check();
    gate.stop();
    assert!(!socket.exists());
}

#[test]
fn commands_work_while_it_runs_and_are_true_when_they_return() {
    let installation = Installation::new();
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    installation.add_user(NAME, PASSWORD);
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    let tokens = connect(&client, NAME, PASSWORD);
    let call = || {
        Request::mcp("/notes/mcp", &tokens.access, initialize())
            .send(gate.port)
            .status
    };
    assert_eq!(call(), 502);
    let grants = installation.answer(&["grant", "list", "--user", NAME]);
    let id = grants[0]["id"]
        .as_str()
        .expect("a grant has an id")
        .to_owned();
    assert_eq!(
        installation.answer(&["grant", "revoke", &id]),
        json!({"id": id, "was_alive": true})
    );
    assert_eq!(call(), 401);
    assert_eq!(client.refresh(&tokens.refresh).status, 400);
    assert_eq!(
        installation.answer(&["grant", "revoke", &id])["was_alive"],
        false
    );
    gate.stop();
    assert_eq!(
        installation.answer(&["grant", "revoke", &id])["was_alive"],
        false
    );
}

#[test]
fn a_client_that_the_operator_registered_can_sign_in() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    let redirect = ["--redirect-uri", super::flow::REDIRECT];
    let add = [&["client", "add", "--name", "Desk"], &redirect[..]].concat();
    let id = installation.answer(&add)["client_id"].clone();
    let id = id.as_str().expect("it has an id");
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    let mut browser = Browser::new(gate.port);
    let page = browser.open(&client.authorize_with(&[("client_id", id)]));
    let page = browser.sign_in(&page, NAME, PASSWORD);
    assert!(page.body.contains("Desk"), "{}", page.body);
    super::flow::code(&browser.allow(&page));
    gate.stop();
}

#[test]
fn only_a_client_on_this_computer_may_come_back_on_another_port() {
    let installation = Installation::new();
    let native = |redirects: &[&str], more: &[&str]| {
        let mut words = vec!["client", "add", "--name", "Desk"];
        for redirect in redirects {
            words.extend(["--redirect-uri", redirect]);
        }
        words.extend(more);
        installation.answer(&words)["native"].clone()
    };
    let (web, loopback) = ("https://desk.example.com/cb", "http://127.0.0.1/cb");
    assert_eq!(native(&[web], &[]), false);
    assert_eq!(native(&[loopback], &[]), true);
    assert_eq!(native(&["com.example.desk:/cb"], &[]), true);
    assert_eq!(native(&[web, loopback], &[]), true);
    assert_eq!(native(&[loopback], &["--exact-port"]), false);
}

#[test]
fn a_name_that_is_taken_is_no_change_on_record() {
    let installation = Installation::new();
    for _ in 0..2 {
        let words = ["user", "add", NAME, "--password-stdin"];
        Program::start(&mut installation.command(&words), PASSWORD).wait();
    }
    let trail = installation.files().into_iter().find(|file| {
        let folder = file.parent().and_then(std::path::Path::file_name);
        folder.is_some_and(|folder| folder == "audit")
    });
    let trail = std::fs::read_to_string(trail.expect("there is one")).expect("it is text");
    let added = trail.lines().filter(|line| line.contains("\"user_add\""));
    assert_eq!(added.count(), 1, "{trail}");
}

#[test]
fn a_socket_that_a_killed_process_left_is_in_nobodys_way() {
    let installation = Installation::new();
    let mut gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    gate.program.signal(Signal::KILL);
    gate.program.wait();
    let socket = installation.data().join("control.sock");
    let left = std::fs::metadata(&socket).expect("nobody took it away");
    assert!(left.file_type().is_socket());
    installation.add_user(NAME, PASSWORD);
    let gate = installation.serve(&["protect", "--name", "other", &dead()]);
    assert_eq!(installation.answer(&["user", "list"])[0]["name"], NAME);
    gate.stop();
}

#[test]
fn commands_at_the_same_time_wait_for_each_other() {
    let installation = Installation::new();
    let names = ["ada", "bea", "cleo", "dora"];
    let add = |name: &&str| {
        let words = ["user", "add", name, "--password-stdin"];
        Program::start(&mut installation.command(&words), PASSWORD)
    };
    let mut running: Vec<Program> = names.iter().map(add).collect();
    for program in &mut running {
        let ended = program.wait();
        assert!(ended.status.success(), "{}", ended.stderr);
    }
    let people = installation.answer(&["user", "list"]);
    assert_eq!(people.as_array().map(Vec::len), Some(names.len()));
}

#[test]
fn a_list_of_people_is_for_people() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let list = installation.run(&["user", "list"]).stdout;
    let line = list.lines().find(|line| line.contains(NAME));
    assert!(line.is_some_and(|line| line.contains(" GMT")), "{list}");
}

#[test]
fn a_password_of_two_lines_is_refused() {
    let installation = Installation::new();
    for text in ["kelp-lantern-ostrich\nsecond", "\nkelp-lantern-ostrich"] {
        let mut add = installation.command(&["--json", "user", "add", NAME, "--password-stdin"]);
        let failed = Failed::read(&Program::start(&mut add, text).wait());
        failed.is(2, "password_lines").says("more than one line");
        assert!(!failed.message.contains("kelp"), "{failed:?}");
    }
    assert!(!installation.data().exists());
    let with_its_end = format!("{PASSWORD}\n");
    installation.add_user(NAME, &with_its_end);
}
