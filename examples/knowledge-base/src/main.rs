//! The sample server on its own: over standard input and output, or over HTTP on loopback.

use std::{
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, ValueEnum};
use keystile_knowledge_base::{Eras, Http, Options, serve_http, serve_stdio_eras};

/// A sample MCP server: full-text search over a folder of Markdown.
///
/// Speaks MCP on standard input and output, unless --http is given.
#[derive(Debug, Parser)]
#[command(name = "keystile-knowledge-base", version)]
struct Arguments {
    /// A folder of .md files; without one, Keystile's own documentation
    folder: Option<PathBuf>,

    /// Where notes and the index are kept [default: keystile-knowledge-base in the XDG state folder]
    #[arg(long, value_name = "FOLDER", env = "KEYSTILE_KNOWLEDGE_BASE_STATE")]
    state: Option<PathBuf>,

    /// Serve Streamable HTTP at this loopback address instead, at the path /mcp; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    http: Option<SocketAddr>,

    /// Speak only the revisions of one era, to stand in for a server that is older or newer than its clients
    #[arg(long, value_name = "ERA")]
    only: Option<Only>,

    #[arg(long, hide = true, env = "XDG_STATE_HOME")]
    xdg_state_home: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Only {
    #[value(name = "2025")]
    Y2025,
    #[value(name = "2026")]
    Y2026,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_max_level(tracing::Level::WARN)
        .without_time()
        .init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let state = arguments
        .state
        .or_else(|| arguments.xdg_state_home.map(in_state_home))
        .or_else(|| std::env::home_dir().map(|home| in_state_home(home.join(".local/state"))))
        .ok_or_else(|| anyhow::anyhow!("there is no home folder; say --state FOLDER"))?;
    let options = Options {
        folder: arguments.folder,
        state,
    };
    let eras = match arguments.only {
        None => Eras::Both,
        Some(Only::Y2025) => Eras::Only2025,
        Some(Only::Y2026) => Eras::Only2026,
    };
    match arguments.http {
        None => serve_stdio_eras(options, eras).await?,
        Some(listen) => serve_http(options, Http { listen, eras }, announce, stop()).await?,
    }
    Ok(())
}

fn in_state_home(folder: PathBuf) -> PathBuf {
    folder.join("keystile-knowledge-base")
}

/// One line for whoever started it; nobody may be reading.
fn announce(address: SocketAddr) {
    let _ = writeln!(
        io::stdout(),
        "{}",
        serde_json::json!({ "mcp_url": format!("http://{address}/mcp") })
    );
}

async fn stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
