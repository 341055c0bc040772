//! Authorization code with PKCE and token for a person with a live session, beside node oidc-provider (DESIGN §9).
//!
//! Ours is the released program with SQLite on disk, audit trail, limits and the consent page; theirs keeps everything in
//! memory and its interaction says yes at once, without a page. One core for the server, the other for the load. A run counts only if each answer was the wanted one.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;
use keystile_bench::keystile::{Keystile, Program};
use keystile_bench::lane::Step;
use keystile_bench::oidc_provider::OidcProvider;
use keystile_bench::process::move_to_load_core;
use keystile_bench::rounds::{beside, say};

#[derive(Parser)]
struct Options {
    /// Rounds for each peer
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of load in each round
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Connections, each with a session of its own
    #[arg(long, default_value_t = 16)]
    connections: u32,
    /// Beside an oidc-provider that asks nobody: two requests to our four
    #[arg(long)]
    silent: bool,
    /// On the disk to be measured; a temporary folder unless given
    #[arg(long)]
    folder: Option<PathBuf>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    move_to_load_core()?;
    let folder = tempfile::tempdir_in(options.folder.unwrap_or_else(std::env::temp_dir))?;
    let load = (
        options.connections,
        options.rounds,
        Duration::from_secs(options.seconds),
    );
    let ratio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let ours = Keystile::start(folder.path(), Program::NOBODY).await?;
            let theirs = OidcProvider::start(!options.silent)?;
            beside(&ours, &theirs, Step::Flow, load).await
        })?;
    say("gate: at least 5 × oidc-provider in memory");
    if ratio < 5.0 {
        bail!("the gate is missed");
    }
    Ok(())
}
