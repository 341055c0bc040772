//! The released program's token endpoint beside node oidc-provider's, over HTTP.

use std::path::Path;
use std::time::Duration;

use keystile_bench::keystile::{Keystile, Program};
use keystile_bench::lane::Step;
use keystile_bench::oidc_provider::OidcProvider;
use keystile_bench::process::move_to_load_core;
use keystile_bench::rounds::{beside, say};

/// Refreshes per second, ours over theirs. From here on this process has one core only.
pub(super) fn ratio(folder: &Path, rounds: u32, time: Duration) -> anyhow::Result<f64> {
    move_to_load_core()?;
    say("\nover HTTP, one core for the server, 64 in parallel, beside oidc-provider in memory:");
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let ours = Keystile::start(folder, Program::NOBODY).await?;
            let theirs = OidcProvider::start(false)?;
            let load = (64, rounds as usize, time);
            beside(&ours, &theirs, Step::Refresh, load).await
        })
}
