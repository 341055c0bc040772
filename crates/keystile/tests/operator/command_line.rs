//! Words that make no sense, and settings that do not.

use super::fake_server::dead;
use super::installation::Installation;

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
