//! Words that make no sense, help that does, and output that nobody reads.

use std::fs::File;
use std::process::Stdio;

use super::fake_server::dead;
use super::installation::{Installation, bare};
use super::program::Program;
use super::{NAME, PASSWORD};

#[test]
fn an_unknown_command_is_said_and_changes_nothing() {
    let installation = Installation::new();
    let failed = installation.failure(&["frobnicate"]);
    failed
        .is(2, "unknown_command")
        .says("frobnicate")
        .advises("--help");
    let failed = installation.failure(&["protcet"]);
    failed.is(2, "unknown_command").advises("'protect'");
    assert!(!installation.data().exists());
}

#[test]
fn a_command_line_that_makes_no_sense_says_what_does() {
    let installation = Installation::new();
    let dead = dead();
    let cases: &[(&[&str], &str, &str, &str)] = &[
        (&["protect"], "missing_argument", "<URL>", "-- <CMD>"),
        (
            &["protect", "--frob", &dead],
            "unknown_argument",
            "--frob",
            "--help",
        ),
        (
            &["protect", "3000"],
            "upstream_url",
            "3000",
            "http://127.0.0.1:3000/mcp",
        ),
        (
            &["protect", "localhost:3000/mcp"],
            "upstream_url",
            "not an http",
            "did you mean http://localhost:3000/mcp?",
        ),
        (
            &["protect", "npx", "-y", "some-server"],
            "unknown_argument",
            "-y",
            "keystile protect -- npx -y some-server",
        ),
        (&["protect", "npx"], "upstream_url", "npx", "after --"),
        (
            &["protect", "ftp://x/mcp"],
            "upstream_url",
            "not an http",
            "http://",
        ),
        (
            &["protect", "--name", "A/B", &dead],
            "name",
            "A/B",
            "--name",
        ),
        (
            &["protect", "--name", "oauth", &dead],
            "name",
            "oauth",
            "--name",
        ),
        (
            &["protect", "--port", "70000", &dead],
            "invalid_value",
            "70000",
            "--help",
        ),
        (
            &["protect", "--listen", "here", &dead],
            "invalid_value",
            "here",
            "--help",
        ),
        (
            &["protect", "--trusted-proxy", "10.0.0.0/99", &dead],
            "invalid_value",
            "10.0.0.0/99",
            "--help",
        ),
        (
            &["protect", "--access-token-lifetime", "2h", &dead],
            "access_token_lifetime",
            "60 minutes",
            "10m",
        ),
        (
            &["protect", "--access-token-lifetime", "0s", &dead],
            "access_token_lifetime",
            "1 second",
            "10m",
        ),
        (
            &["protect", "--key-rotation", "23h", &dead],
            "key_rotation",
            "1 to 365 days",
            "90d",
        ),
        (
            &["protect", "--key-rotation", "366d", &dead],
            "key_rotation",
            "1 to 365 days",
            "keystile key rotate",
        ),
        (
            &["protect", "--access-token-lifetime", "soon", &dead],
            "invalid_value",
            "90s, 10m or 1h",
            "--help",
        ),
        (
            &["protect", "--env", "A=b", &dead],
            "conflicting_arguments",
            "--env",
            "-- <CMD>",
        ),
        (
            &["protect", "--env", "NOT_SET_ANYWHERE", "--", "sh"],
            "env",
            "NOT_SET_ANYWHERE",
            "NAME=VALUE",
        ),
        (
            &["protect", "--env", "A-B=c", "--", "sh"],
            "env",
            "A-B",
            "NAME=VALUE",
        ),
        (
            &["protect", "--env", "=c", "--", "sh"],
            "env",
            "--env =: there is no name",
            "NAME=VALUE",
        ),
        (
            &["protect", "--port", "1", "--listen", "127.0.0.1:2", &dead],
            "conflicting_arguments",
            "--listen",
            "--help",
        ),
    ];
    for (words, code, what, to_do) in cases {
        let failed = installation.failure(words);
        failed.is(2, code).says(what).advises(to_do);
        assert_eq!(
            installation.files(),
            Vec::<std::path::PathBuf>::new(),
            "{words:?}"
        );
    }
}

#[test]
fn settings_that_would_not_be_safe_or_true_are_refused() {
    let installation = Installation::new();
    let dead = dead();
    let missing = installation.beside("missing");
    let missing = missing.to_str().expect("a plain path");
    let cases: &[(&[&str], &str, &str, &str)] = &[
        (
            &["--public-url", "mcp.example.com", &dead],
            "public_url",
            "not a URL",
            "https://mcp.example.com",
        ),
        (
            &["--public-url", "http://mcp.example.com", &dead],
            "public_url",
            "use https",
            "https://mcp.example.com",
        ),
        (
            &["--public-url", "https://mcp.example.com/x", &dead],
            "public_url",
            "without path",
            "https://mcp.example.com",
        ),
        (
            &["--listen", "0.0.0.0:0", &dead],
            "listen_without_tls",
            "other machines",
            "--trusted-proxy",
        ),
        (
            &["--listen", "[::]:0", &dead],
            "listen_without_tls",
            "other machines",
            "--trusted-proxy",
        ),
        (
            &[
                "--listen",
                "0.0.0.0:0",
                "--trusted-proxy",
                "10.0.0.0/8",
                &dead,
            ],
            "public_url_missing",
            "URL that people see",
            "--public-url",
        ),
        (
            &[
                "--listen",
                "0.0.0.0:0",
                "--trusted-proxy",
                "0.0.0.0/0",
                "--public-url",
                "https://mcp.example.com",
                &dead,
            ],
            "trusted_proxy",
            "everybody",
            "network",
        ),
        (
            &["--origin", "app.example.com", &dead],
            "origin",
            "app.example.com",
            "https://app.example.com",
        ),
        (
            &["--danger-fetch-allow", "a b", &dead],
            "danger_fetch_allow",
            "host name",
            "each host",
        ),
        (
            &["--extra-ca-file", missing, &dead],
            "extra_ca_file",
            "missing",
            "PEM",
        ),
        (
            &["--env-file", missing, "--", "sh"],
            "env_file",
            "missing",
            "NAME=VALUE",
        ),
    ];
    for (words, code, what, to_do) in cases {
        let failed = installation.failure(&[&["protect"], *words].concat());
        failed.is(78, code).says(what).advises(to_do);
        assert_eq!(
            installation.files(),
            Vec::<std::path::PathBuf>::new(),
            "{words:?}"
        );
    }
}

#[test]
fn health_that_others_can_ask_for_is_warned_of() {
    let installation = Installation::new();
    let missing = installation.beside("missing");
    let missing = missing.to_str().expect("a plain path");
    // It ends before it listens anywhere.
    let end = ["--extra-ca-file", missing, "http://127.0.0.1:1/mcp"];
    let warned = |address: &str| {
        let words = [&["protect", "--ops-listen", address][..], &end].concat();
        let said = installation.run(&words).stderr;
        assert!(said.contains("code: extra_ca_file"), "{said}");
        said.contains("WARN") && said.contains(&format!("--ops-listen {address}: other machines"))
    };
    assert!(warned("0.0.0.0:7718"));
    assert!(!warned("127.0.0.1:7718"));
}

#[test]
fn an_error_repeats_no_secret_of_the_operator() {
    let installation = Installation::new();
    let failed = installation.failure(&["protect", "http://me:hunter2@127.0.0.1/mcp"]);
    failed.is(2, "upstream_url").says("user name");
    assert!(!failed.message.contains("hunter2"), "{failed:?}");
    let file = installation.beside("secrets.env");
    std::fs::write(&file, "API_KEY=right\nhunter2 without a name\n").expect("it can be written");
    let file = file.to_str().expect("a plain path");
    let failed = installation.failure(&["protect", "--env-file", file, "--", "sh"]);
    failed.is(78, "env_file").says("line 2").says("NAME=VALUE");
    assert!(!failed.message.contains("hunter2"), "{failed:?}");
}

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
