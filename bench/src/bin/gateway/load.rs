//! One round of load by wrk.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use keystile_bench::process::{LOAD_CORE, on_core};

use crate::peer::Peer;

pub(crate) const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hello"}}}"#;

/// What a round showed.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) requests: u64,
    /// Requests per second.
    pub(crate) rate: f64,
    /// The peer's CPU time per request, in microseconds.
    pub(crate) cpu: f64,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
}

/// Loads a peer; the load shows the tokens of its file from the `first` on.
pub(crate) fn run(peer: &Peer, connections: u32, seconds: u32, first: u64) -> Result<Round> {
    let before = peer.process.cpu()?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/call.lua");
    let output = on_core(LOAD_CORE, "wrk")
        .arg("-t1")
        .arg(format!("-c{connections}"))
        .arg(format!("-d{seconds}s"))
        .args(["-s", script])
        .arg(format!("http://{}{}", peer.address, peer.path))
        .env("TOKENS", peer.tokens.as_deref().unwrap_or(Path::new("")))
        .env("HOST", &peer.host)
        .env("FIRST", first.to_string())
        .env("CALL", CALL)
        .output()
        .context("wrk is needed")?;
    let cpu = peer.process.cpu()? - before;
    let text = String::from_utf8(output.stdout)?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("RESULT "))
        .context("wrk failed")?;
    let figures: Vec<u64> = line
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [requests, micros, refused, broken, p50, p99] = figures[..] else {
        bail!("wrk said {line}")
    };
    if refused + broken > 0 || requests == 0 {
        bail!(
            "{}: {refused} wrong answers, {broken} broken connections of {requests}",
            peer.name
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (count, micros) = (requests as f64, micros as f64);
    Ok(Round {
        requests,
        rate: count / micros * 1e6,
        cpu: cpu / count * 1e6,
        p50,
        p99,
    })
}
