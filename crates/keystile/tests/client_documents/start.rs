//! Settings that can't be right stop the start, before anything is made.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn start(data: &Path, flags: &[&str]) -> Output {
    let mut keystile = Command::new(env!("CARGO_BIN_EXE_keystile"));
    keystile.args(["--json", "--data-dir"]).arg(data);
    keystile.args(["demo", "--port", "0", "--ops-listen", "127.0.0.1:0"]);
    keystile.args(flags).output().expect("keystile starts")
}

#[test]
fn a_setting_of_the_fetcher_that_means_nothing_stops_the_start() {
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let data = folder.path().join("data");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate here\n").expect("the folder is ours");
    let empty = empty.to_str().expect("a path of ours is UTF-8");
    for (flag, value, code, words) in [
        (
            "--extra-ca-file",
            "/nowhere/ca.pem",
            "extra_ca_file",
            "/nowhere/ca.pem: I/O error",
        ),
        (
            "--extra-ca-file",
            empty,
            "extra_ca_file",
            "holds no certificate",
        ),
        (
            "--danger-fetch-allow",
            "*.corp.example",
            "danger_fetch_allow",
            "--danger-fetch-allow *.corp.example: expected a host name",
        ),
        (
            "--danger-fetch-allow",
            "https://corp.example",
            "danger_fetch_allow",
            "expected a host name",
        ),
        (
            "--danger-fetch-allow",
            "http://localhost:8080",
            "danger_fetch_allow",
            "nothing is fetched without TLS",
        ),
        (
            "--danger-fetch-allow",
            "10.0.0.0/33",
            "danger_fetch_allow",
            "expected a host name",
        ),
    ] {
        let output = start(&data, &[flag, value]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{value}: {said}");
        let said: Value = serde_json::from_str(&said).expect("a failure is JSON");
        assert_eq!(said["error"]["code"], code);
        let message = said["error"]["message"].as_str().expect("a message");
        assert!(message.contains(words), "{message}");
        let made = std::fs::read_dir(&data).map_or(0, Iterator::count);
        assert_eq!(made, 0, "{value} left something behind");
    }
}
