//! A call through the gateway, beside nginx plain (DESIGN §9).
//!
//! The peer has one core, the load and the upstream have the other. Peers take turns, round by
//! round, so that a machine that is slower for a while is slower for both.

#![expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]

mod gate;
mod load;
mod peer;
mod upstream;

use std::net::SocketAddr;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    /// Rounds for each peer
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Seconds of load in each round
    #[arg(long, default_value_t = 1)]
    seconds: u32,
    /// Connections
    #[arg(long, default_value_t = 64)]
    connections: u32,
}

#[derive(Subcommand)]
enum Part {
    /// The server behind the peers
    Upstream,
    /// The gateway alone, with the real store's audit trail and revocation feed
    Gate { upstream: SocketAddr },
}

fn main() -> Result<()> {
    let options = Options::parse();
    match options.part {
        Some(Part::Upstream) => upstream::run(),
        Some(Part::Gate { upstream }) => gate::run(upstream),
        None => compare(&options),
    }
}

fn compare(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let upstream = peer::Peer::ourselves("upstream", &["upstream"], load::LOAD_CORE)?;
    let target = upstream.address;
    let nginx = peer::Peer::nginx(folder.path(), target)?;
    let gate = peer::Peer::ourselves("keystile", &["gate", &target.to_string()], load::PEER_CORE)?;
    let peers = [&nginx, &gate];
    println!(
        "{:>5} {:>10} {:>9} {:>12} {:>8} {:>8}",
        "round", "peer", "req/s", "CPU µs/req", "p50 µs", "p99 µs"
    );
    let mut rounds: Vec<Vec<load::Round>> = vec![Vec::new(); peers.len()];
    for peer in peers {
        load::run(peer, options.connections, 1)?;
    }
    for number in 1..=options.rounds {
        for (peer, rounds) in peers.iter().zip(&mut rounds) {
            let round = load::run(peer, options.connections, options.seconds)?;
            println!(
                "{number:>5} {:>10} {:>9.0} {:>12.2} {:>8} {:>8}",
                peer.name, round.rate, round.cpu, round.p50, round.p99
            );
            rounds.push(round);
        }
    }
    // Of each round's own ratio: a round is as noisy for one peer as for the other.
    let median = |figure: fn(&load::Round) -> f64| {
        let pairs = rounds[0].iter().zip(&rounds[1]);
        let mut ratios: Vec<f64> = pairs
            .map(|(nginx, gate)| figure(gate) / figure(nginx))
            .collect();
        ratios.sort_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    };
    let (rate, cpu) = (median(|round| round.rate), median(|round| round.cpu));
    println!(
        "gateway / nginx plain: {rate:.2} × req/s (gate ≥ 0.60), {cpu:.2} × CPU (gate ≤ 1.70)"
    );
    if rate < 0.6 || cpu > 1.7 {
        bail!("the gate is missed");
    }
    Ok(())
}
