//! The Keystile binary.

mod admin;
mod ambient;
mod cli;
mod config;
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
mod upstream;
mod wire;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request's futures are larger than what the system's allocator keeps at hand: a tenth of the issuer's CPU time
/// (ADR 0012).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    no_huge_pages();
    cli::run()
}

/// The allocator asks for huge pages, of which an idle server holds 15 MB that it never used (DESIGN §9: 20 MiB in all).
/// Where the kernel refuses this there is only more memory in use.
#[cfg(target_os = "linux")]
fn no_huge_pages() {
    rustix::thread::disable_transparent_huge_pages(true).ok();
}
