//! On standard input and output.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Result;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, stdin, stdout};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::AbortHandle;

use super::{CANCELLED, Eras, Server};

/// Serves until standard input ends.
///
/// # Errors
/// What comes is no JSON, or standard output is gone.
pub async fn serve(eras: Eras) -> Result<()> {
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
