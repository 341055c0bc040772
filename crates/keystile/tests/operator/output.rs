//! Help that fits, answers that nobody reads, and the ready line.

use std::fs::File;
use std::process::Stdio;

use super::fake_server::dead;
use super::installation::{Installation, bare};
use super::program::Program;
use super::{NAME, PASSWORD};

#[test]
fn without_a_command_the_help_is_shown() {
    let ended = Program::start(&mut bare::<&str>(&[]), "").wait();
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stderr.contains("protect"), "{}", ended.stderr);
    assert!(
        ended.stderr.ends_with("  code: missing_command"),
        "{}",
        ended.stderr
    );
}

#[test]
fn help_and_version_go_to_standard_output_in_lines_that_fit() {
    for words in [
        &["--help"][..],
        &["-h"],
        &["protect", "--help"],
        &["demo", "-h"],
        &["user", "add", "--help"],
    ] {
        let ended = Program::start(&mut bare(words), "").wait();
        assert!(
            ended.status.success() && ended.stderr.is_empty(),
            "{words:?} {}",
            ended.stderr
        );
        assert!(ended.stdout.contains("Usage: keystile"), "{}", ended.stdout);
        let widest = ended.stdout.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{widest:?}: {}", ended.stdout);
    }
    let help = Program::start(&mut bare(&["--help"]), "").wait().stdout;
    for command in [
        "demo",
        "protect",
        "user",
        "client",
        "grant",
        "--data-dir",
        "KEYSTILE_DATA_DIR",
    ] {
        assert!(help.contains(command), "{help}");
    }
    let help = Program::start(&mut bare(&["protect", "--help"]), "").wait();
    assert!(help.stdout.contains("<HOST|CIDR>"), "{}", help.stdout);
    let version = Program::start(&mut bare(&["--version"]), "").wait();
    assert!(version.status.success());
    assert_eq!(
        version.stdout,
        concat!("keystile ", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_reader_that_has_gone_is_no_reason_to_panic() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    for words in [
        &["--help"][..],
        &["generate", "cli-page"],
        &["user", "list"],
        &["frobnicate"],
    ] {
        let (reader, writer) = std::io::pipe().expect("there are pipes");
        drop(reader);
        let mut command = installation.command(words);
        let errors = writer.try_clone().expect("a pipe can be shared");
        let status = command
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(errors)
            .status();
        let code = status.expect("it starts").code();
        let expected = if words == ["frobnicate"] { 2 } else { 0 };
        assert_eq!(code, Some(expected), "{words:?}");
    }
}

#[test]
fn an_answer_that_can_not_be_written_is_no_success() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("Linux has one");
    let mut command = installation.command(&["user", "list"]);
    let output = command.stdout(full).output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("No space left"), "{error}");
    assert!(error.ends_with("code: stdout\n"), "{error}");
}

#[test]
fn the_ready_line_has_what_is_documented_and_nothing_else() {
    let installation = Installation::new();
    let fields = |ready: &serde_json::Value| -> Vec<String> {
        let object = ready.as_object().expect("it is an object");
        let mut names: Vec<_> = object.keys().cloned().collect();
        names.sort();
        names
    };
    let documented = [
        "issuer",
        "mcp_url",
        "name",
        "ops_url",
        "pid",
        "servers",
        "setup_code",
        "setup_url",
    ];
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    assert_eq!(fields(&gate.ready), documented);
    let origin = format!("http://localhost:{}", gate.port);
    assert_eq!(gate.text("mcp_url"), format!("{origin}/notes/mcp"));
    assert_eq!(gate.text("issuer"), origin);
    assert_eq!(gate.ready["pid"], gate.program.pid());
    let code = gate.text("setup_code");
    assert_eq!(
        gate.text("setup_url"),
        format!("{origin}/ks/setup?code={code}")
    );
    let ended = gate.stop();
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);

    installation.add_user(NAME, PASSWORD);
    let gate = installation.serve(&["protect", "--name", "other", &dead()]);
    assert_eq!(fields(&gate.ready), documented);
    assert!(gate.ready["setup_url"].is_null() && gate.ready["setup_code"].is_null());
    gate.stop();
}
