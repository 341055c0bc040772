//! The load programs on a small scale, with the program that is being tested. `cargo xtask bench` runs them whole.

use std::process::Command;

/// It succeeds; what it printed is shown if not.
fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.expect("the program starts");
    let (said, why) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}{why}");
}

#[test]
fn a_113_among_many_clients_with_the_same_ids_each_gets_its_own() {
    let scale = ["--people", "5", "--messages", "5000"];
    run(env!("CARGO_BIN_EXE_crossed"), &scale);
}

#[test]
fn a_118_revoked_streams_close_within_a_second_and_nothing_stays_behind() {
    let scale = "--each 16 --seconds 0 --silent 100 --check --no-memory";
    let scale: Vec<_> = scale.split(' ').collect();
    run(env!("CARGO_BIN_EXE_streams"), &scale);
}
