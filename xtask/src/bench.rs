//! `cargo xtask bench`: figures against the gates of the design.

mod start;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::tools;
use crate::workspace::{Workspace, succeed};

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Time to `--version`, to the first start ever, to the start of an existing installation; idle memory
    Start {
        /// Measure this program instead of building one
        #[arg(long)]
        program: Option<PathBuf>,
    },
    /// A call through the gateway, beside nginx plain
    Gateway(Rest),
    /// Authorization code, PKCE and token with a live session, beside node oidc-provider
    Issuer(Rest),
    /// Refreshes per second, beside raw SQLite and node oidc-provider
    Refresh(Rest),
    /// A million registrations from many addresses: no row, and flat (`--requests N` for fewer)
    Registrations(Rest),
    /// A million messages to many clients with the same ids: none to the wrong place (`--quick` for fewer)
    Crossed(Rest),
    /// A thousand open streams: memory of each, revocation, what stays behind (`--check`, `--quick`)
    Streams(Rest),
}

#[derive(Args)]
struct Rest {
    /// Handed to the harness
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// `start` stands here; the load benches are programs of the crate in `bench/`.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let (name, rest) = match &options.what {
        What::Start { program } => return start::run(workspace, program.as_deref()),
        What::Gateway(rest) => ("gateway", rest),
        What::Issuer(rest) => ("issuer", rest),
        What::Refresh(rest) => ("refresh", rest),
        What::Registrations(rest) => ("registrations", rest),
        What::Crossed(rest) => ("crossed", rest),
        What::Streams(rest) => ("streams", rest),
    };
    if matches!(name, "issuer" | "refresh") {
        // Node and oidc-provider.
        tools::ensure(workspace)?;
    }
    succeed(&mut workspace.cargo([
        "build",
        "--quiet",
        "--locked",
        "--release",
        "--package",
        "keystile",
    ]))?;
    let mut harness = workspace.cargo([
        "run",
        "--quiet",
        "--locked",
        "--release",
        "--package",
        "keystile-bench",
    ]);
    harness.args(["--bin", name, "--"]).args(&rest.arguments);
    succeed(harness.env("KEYSTILE_BIN", workspace.target.join("release/keystile")))
}
