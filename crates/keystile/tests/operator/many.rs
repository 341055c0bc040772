//! Many servers in one file.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::fake_server::{always, dead, ok, that_never_answers};
use super::flow::{Client, connect, initialize};
use super::http::Request;
use super::installation::{Gate, Installation, mode};
use super::{NAME, PASSWORD};

const INITIALIZED: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"n","version":"1"}}}"#;

fn written(installation: &Installation, text: &str) -> PathBuf {
    let file = installation.beside("keystile.toml");
    fs::write(&file, text).expect("the folder is ours");
    file
}

fn serve(installation: &Installation, text: &str) -> Gate {
    let file = written(installation, text);
    let mut command = installation.command(&["--json", "serve", "--config"]);
    Gate::start(
        command
            .arg(file)
            .env("KEYSTILE_LISTEN__PORT", "0")
            .env("KEYSTILE_LISTEN__OPS", "127.0.0.1:0"),
    )
}

/// The file with two servers that work, and three that don't, each in its own way.
fn five(installation: &Installation, called: std::sync::mpsc::Sender<()>) -> String {
    let program = env!("CARGO_BIN_EXE_keystile");
    let state = installation.beside("kb");
    format!(
        "[servers.notes]\nurl = \"{}\"\n\n[servers.kb]\ncommand = [\"{program}\", \"knowledge-base\", \"--state\", \"{}\"]\n\n\
         [servers.gone]\nurl = \"{}\"\n\n[servers.hangs]\nurl = \"{}\"\ntransport = \"http\"\n\n[servers.broken]\ncommand = [\"no-such-program-here\"]\n",
        always(&ok("application/json", INITIALIZED)),
        state.display(),
        dead(),
        that_never_answers(called),
    )
}

#[test]
fn each_server_of_a_file_is_a_resource_of_its_own_and_one_that_fails_takes_no_other_down() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let (called, _calls) = std::sync::mpsc::channel();
    let text = five(&installation, called);
    let gate = serve(&installation, &text);
    let servers = gate.ready["servers"].as_array().expect("a list").clone();
    let names: Vec<_> = servers.iter().map(|server| &server["name"]).collect();
    assert_eq!(names, ["notes", "kb", "gone", "hangs", "broken"]);

    let url = |name: &str| {
        let server = servers.iter().find(|server| server["name"] == name);
        let url = server.and_then(|server| server["mcp_url"].as_str());
        url.expect("it is served").to_owned()
    };
    let token = |name: &str| {
        let client = Client::register(gate.port, &url(name), "none");
        connect(&client, NAME, PASSWORD).access
    };
    let call = |name: &str, token: &str| {
        Request::mcp(&format!("/{name}/mcp"), token, initialize()).send(gate.port)
    };
    let (notes, kb) = (token("notes"), token("kb"));
    for (name, token, other) in [("notes", &notes, &kb), ("kb", &kb, &notes)] {
        let reply = call(name, token);
        assert_eq!(reply.status, 200, "{name}: {reply:?}");
        assert_eq!(call(name, other).status, 401, "{name}");
    }
    assert_eq!(call("gone", &token("gone")).status, 502);
    let broken = call("broken", &token("broken"));
    assert_eq!(broken.status, 502, "{broken:?}");
    assert!(
        broken.body.contains("stdio_command_not_found"),
        "{broken:?}"
    );

    let ops = gate.text("ops_url");
    let ops = ops.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let ready = Request::get("/readyz").send(ops.expect("a port"));
    assert_eq!(ready.status, 200);
    for (name, is_unhealthy) in [("gone", true), ("broken", true), ("kb", false)] {
        let said = ready.body.contains(&format!("unhealthy: {name}\n"));
        assert_eq!(said, is_unhealthy, "{name}: {}", ready.body);
    }
    let ended = gate.stop();
    assert!(
        ended
            .stderr
            .lines()
            .any(|line| line.contains("broken") && line.contains("not found")),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_name_of_the_file_is_not_given_to_another_server_without_a_word() {
    let installation = Installation::new();
    let of = |url: &str| {
        format!(
            "[servers.notes]\nurl = \"{url}\"\n[servers.kb]\nurl = \"{}\"\n",
            dead()
        )
    };
    let (one, other) = (of(&dead()), of(&dead()));
    serve(&installation, &one).stop();
    let file = written(&installation, &other);
    let file = file.to_str().expect("a plain path");
    let arguments = ["serve", "--config", file];
    installation
        .failure(&arguments)
        .is(78, "other_upstream")
        .advises("--rebind");
    installation
        .failure(&["serve", "--config", file, "--rebind", "nots"])
        .is(2, "unknown_server");
}

#[test]
fn all_mistakes_of_a_file_are_told_before_anything_is_made() {
    let installation = Installation::new();
    let file = written(&installation, "[listen]\nprot = 1\n\n[servers.a]\n");
    let file = file.to_str().expect("a plain path");
    for arguments in [
        ["serve", "--config", file].as_slice(),
        &["config", "check", "--config", file],
    ] {
        let failed = installation.failure(arguments);
        failed
            .is(78, "config")
            .says("has 2 mistakes")
            .says("keystile.toml:2:1: listen has no key prot; did you mean port?")
            .says("keystile.toml:4:10: a has neither url nor command")
            .advises("keystile config check");
    }
    assert!(!installation.data().exists());
    let missing = installation.beside("missing.toml");
    installation
        .failure(&["serve", "--config", missing.to_str().expect("a plain path")])
        .is(78, "config_missing")
        .advises("keystile config init");
}

#[test]
fn a_new_file_explains_every_key_and_serves_as_it_is() {
    let installation = Installation::new();
    let file = installation.beside("new.toml");
    let path = file.to_str().expect("a plain path");
    installation.answer(&["config", "init", "--config", path]);
    assert_eq!(mode(&file), 0o600);
    installation
        .failure(&["config", "init", "--config", path])
        .is(78, "config_exists");
    let checked = installation.answer(&["config", "check", "--config", path]);
    assert_eq!(checked["servers"], 1);
}

#[test]
fn what_holds_is_shown_without_secrets() {
    let installation = Installation::new();
    fs::write(installation.beside("key"), "hunter2\n").expect("the folder is ours");
    let file = written(
        &installation,
        "[servers.git]\ncommand = [\"sh\", \"--token\", \"hunter2\"]\nenv = { API_KEY_file = \"key\", MODE = \"hunter2\" }\n\
         [servers.kb]\nurl = \"http://127.0.0.1:1/mcp?key=hunter2\"\n",
    );
    let mut command = installation.command(&["config", "show", "--config"]);
    command.arg(file).env("KEYSTILE_LISTEN__PORT", "9000");
    let shown = super::program::Program::start(&mut command, "").wait();
    assert!(shown.status.success(), "{}", shown.stderr);
    assert!(!shown.stdout.contains("hunter2"), "{}", shown.stdout);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(shown["listen"]["port"], 9000);
    let names = shown["servers"]["git"]["env"].as_array().expect("names");
    assert!(names.contains(&json!("API_KEY")) && names.contains(&json!("MODE")));
}
