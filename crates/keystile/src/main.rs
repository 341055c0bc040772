//! The Keystile binary.

mod admin;
mod ambient;
mod cli;
mod connect_snippets;
mod control;
mod data_dir;
mod failure;
mod flows;
mod front;
mod keys;
mod listen;
mod port_holder;
mod ready;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
