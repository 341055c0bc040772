//! On standard input and output.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::Arc;

use anyhow::Result;
use clap::Subcommand;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, stdin, stdout};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::AbortHandle;

use super::{CANCELLED, Eras, Server};

/// What a load program is besides the load.
#[derive(Subcommand)]
pub enum Part {
    /// The stdio server behind a gate
    Upstream {
        /// That it speaks
        eras: Eras,
    },
}

/// What starts this program as that server.
///
/// # Errors
/// It does not know where it is.
pub fn itself(eras: Eras) -> Result<Vec<OsString>> {
    let program = std::env::current_exe()?.into_os_string();
    Ok(vec![program, "upstream".into(), eras.word().into()])
}

/// Runs the part that the program was started as.
///
/// # Errors
/// Those of the part.
pub fn run(part: Option<&Part>, load: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    match part {
        Some(Part::Upstream { eras }) => {
            let served = runtime.block_on(serve(*eras));
            // Standard input is read by a thread that can't be told to stop.
            runtime.shutdown_background();
            served
        }
        None => runtime.block_on(load),
    }
}

/// Serves until standard input ends.
///
/// # Errors
/// What comes is no JSON, or standard output is gone.
async fn serve(eras: Eras) -> Result<()> {
    let (out, messages) = unbounded_channel();
    let server = Server::new(eras);
    let writing = tokio::spawn(write(messages));
    let mut running: HashMap<String, AbortHandle> = HashMap::new();
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let message: Value = serde_json::from_str(&line)?;
        if message["method"] == CANCELLED {
            let cancelled = running.remove(&message["params"]["requestId"].to_string());
            cancelled.inspect(AbortHandle::abort);
        }
        if message["method"].is_null() || message["id"].is_null() {
            continue;
        }
        running.retain(|_, task| !task.is_finished());
        let (server, out) = (Arc::clone(&server), out.clone());
        let id = message["id"].to_string();
        let task = tokio::spawn(async move { server.answer(&message, &out, &out).await });
        running.insert(id, task.abort_handle());
    }
    writing.abort();
    Ok(())
}

async fn write(mut messages: UnboundedReceiver<String>) -> Result<()> {
    let mut out = stdout();
    while let Some(message) = messages.recv().await {
        let mut lines = message + "\n";
        while let Ok(more) = messages.try_recv() {
            lines += &more;
            lines.push('\n');
        }
        out.write_all(lines.as_bytes()).await?;
        out.flush().await?;
    }
    Ok(())
}
