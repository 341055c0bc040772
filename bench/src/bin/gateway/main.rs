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

use std::ffi::OsStr;
use std::hint::black_box;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use keystile_bench::process::{LOAD_CORE, SERVER_CORE};
use load::Round;
use peer::Peer;

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
    Gate {
        upstream: SocketAddr,
        /// How many tokens to sign
        count: usize,
        /// Where to put them
        tokens: PathBuf,
    },
}

fn main() -> Result<()> {
    let options = Options::parse();
    match &options.part {
        Some(Part::Upstream) => upstream::run(),
        Some(Part::Gate {
            upstream,
            count,
            tokens,
        }) => gate::run(*upstream, *count, tokens),
        None => {
            let folder = tempfile::tempdir()?;
            let role = [OsStr::new("upstream")];
            let upstream = Peer::ourselves("upstream", &role, LOAD_CORE, None)?;
            let seen = seen(&options, folder.path(), upstream.address)?;
            let new = each_new(&options, folder.path(), upstream.address)?;
            match seen && new {
                true => Ok(()),
                false => bail!("a gate is missed"),
            }
        }
    }
}

/// The released program with one token, beside nginx.
fn seen(options: &Options, folder: &Path, upstream: SocketAddr) -> Result<bool> {
    let peers = [
        Peer::nginx(folder, upstream)?,
        Peer::keystile(folder, upstream)?,
    ];
    let rounds = in_turns(options, &peers)?;
    // Of each round's own ratio: a round is as noisy for one peer as for the other.
    let rate = median(&rounds, |nginx, keystile| keystile.rate / nginx.rate);
    let cpu = median(&rounds, |nginx, keystile| keystile.cpu / nginx.cpu);
    println!(
        "keystile / nginx plain: {rate:.2} × req/s (gate ≥ 0.60), {cpu:.2} × CPU (gate ≤ 1.70)"
    );
    Ok(rate >= 0.6 && cpu <= 1.7)
}

/// The gateway with a token that it knows and with one that it sees for the first time.
fn each_new(options: &Options, folder: &Path, upstream: SocketAddr) -> Result<bool> {
    let gate = |name, count: usize, file: &str| {
        let (address, file) = (upstream.to_string(), folder.join(file));
        let count = count.to_string();
        let role = [
            OsStr::new("gate"),
            address.as_ref(),
            count.as_ref(),
            file.as_os_str(),
        ];
        Peer::ourselves(name, &role, SERVER_CORE, Some(file.clone()))
    };
    let most = MOST_PER_SECOND * (options.rounds + 2) * options.seconds as usize;
    let peers = [gate("seen", 1, "seen")?, gate("new", most, "new")?];
    let rounds = in_turns(options, &peers)?;
    let check = gate::one_check()?;
    let more = median(&rounds, |seen, new| (new.cpu - seen.cpu) / check);
    println!("each token new: {more:.2} × one ES256 check of {check:.1} µs (gate ≤ 1.40)");
    Ok(more <= 1.4)
}

/// Both peers, round by round, after one round that does not count.
fn in_turns(options: &Options, peers: &[Peer; 2]) -> Result<Vec<[Round; 2]>> {
    println!(
        "{:>5} {:>10} {:>9} {:>12} {:>8} {:>8}",
        "round", "peer", "req/s", "CPU µs/req", "p50 µs", "p99 µs"
    );
    let mut shown = [1; 2];
    let mut round = |number: usize, at: usize| -> Result<Round> {
        let peer = &peers[at];
        let round = load::run(peer, options.connections, options.seconds, shown[at])?;
        // Requests on the way when the round ended had a token too.
        shown[at] += round.requests + 2 * u64::from(options.connections);
        println!(
            "{number:>5} {:>10} {:>9.0} {:>12.2} {:>8} {:>8}",
            peer.name, round.rate, round.cpu, round.p50, round.p99
        );
        Ok(round)
    };
    for at in 0..peers.len() {
        black_box(round(0, at)?);
    }
    (1..=options.rounds)
        .map(|number| Ok([round(number, 0)?, round(number, 1)?]))
        .collect()
}

fn median(rounds: &[[Round; 2]], figure: impl Fn(&Round, &Round) -> f64) -> f64 {
    let mut figures: Vec<f64> = rounds
        .iter()
        .map(|[one, other]| figure(one, other))
        .collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// More requests than the gateway can answer in a second when it checks a signature in each.
const MOST_PER_SECOND: usize = 12_000;
