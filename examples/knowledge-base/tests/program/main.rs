//! The program as somebody starts it: as a child on pipes, or on HTTP.
#![expect(
    clippy::unwrap_used,
    reason = "steps that tests share may panic as tests do"
)]

mod http;
mod stdio;

use std::{ffi::OsStr, process::Stdio};

use tokio::process::Command;

pub(crate) fn program<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keystile-knowledge-base"));
    command.args(arguments).env_clear().kill_on_drop(true);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}
