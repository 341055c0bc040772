//! Nobody's message to somebody else: many people, three clients each, four servers, and the same request ids everywhere.
//!
//! The real program guards a stdio server and HTTP servers of 2025, of 2026 and of both. Each person has a client of
//! 2024-11-05, one of 2025-11-25 and one of 2026-07-28 at each. Each call carries a word that is nobody else's, which comes
//! back in its progress and in its answer; each subscription is to a resource that nobody else knows. Tokens are renewed,
//! connections close in the middle of an answer, sessions begin anew and calls are cancelled in between.

mod call;
mod ledger;
mod old;
mod seat;
mod session;
mod stateless;

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use keystile_bench::connection::Connection;
use keystile_bench::keystile::{Client, Program, Upstream, add_person, sign_in};
use keystile_bench::lane::Tokens;
use keystile_bench::process::handed_over;
use keystile_bench::rounds::say;
use keystile_bench::upstream::{Eras, http, stdio};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use ledger::{Ledger, Tally, Wrong};
use seat::{Gate, Gone, Seat};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    part: Option<stdio::Part>,
    /// People, with three clients each at four servers
    #[arg(long, default_value_t = 50)]
    people: u8,
    /// Messages to be delivered and looked at
    #[arg(long, default_value_t = 1_000_000)]
    messages: u64,
    /// The same seed gives the same choices
    #[arg(long, default_value_t = 4)]
    seed: u64,
    /// 20,000 messages to ten people
    #[arg(long)]
    quick: bool,
}

/// The clients of a person, by the revision that they speak.
const CLIENTS: [&str; 3] = ["2024-11-05", "2025-11-25", "2026-07-28"];
const PASSWORD: &str = "kelp-lantern-ostrich-42";
/// A stdio server may run 64 times; whoever comes next takes the place of one that rests. What a client broke off is not
/// at rest at once, so that some who have gone still have a place.
const STDIO_PLACES: usize = 48;

fn main() -> Result<()> {
    let mut options = Options::parse();
    if options.quick {
        (options.people, options.messages) = (10, 20_000);
    }
    stdio::run(options.part.as_ref(), run(&options))
}

async fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let ledger = Arc::new(Ledger::new(options.messages));
    let servers = [
        ("stdio both", Upstream::Stdio(stdio::itself(Eras::Both)?)),
        ("http both", http::serve(Eras::Both).await?.into()),
        ("http 2025", http::serve(Eras::Sessions).await?.into()),
        ("http 2026", http::serve(Eras::Stateless).await?.into()),
    ];
    let mut gates = JoinSet::new();
    for (at, (name, upstream)) in servers.into_iter().enumerate() {
        let (data, people, seed) = (
            folder.path().join(at.to_string()),
            options.people,
            options.seed,
        );
        let ledger = Arc::clone(&ledger);
        gates.spawn(async move {
            let gate = gate(name, &upstream, &data, people).await?;
            seats(gate, &ledger, at as u8, people, seed).await
        });
    }
    let mut all = Vec::new();
    while let Some(seats) = gates.join_next().await {
        all.extend(seats?.context("a gate")?);
    }
    all.sort_by_key(|seat| seat.number);
    say(&format!(
        "{} people, {} clients, {} messages",
        options.people,
        all.len(),
        options.messages
    ));
    let mut visitors = JoinSet::new();
    for seat in &all {
        visitors.spawn(visits(Arc::clone(seat)));
    }
    while let Some(visitor) = visitors.join_next().await {
        visitor?;
    }
    report(&all, &ledger)
}

/// The program in front of a server, with its people.
async fn gate(
    name: &'static str,
    upstream: &Upstream,
    data: &Path,
    people: u8,
) -> Result<Arc<Gate>> {
    let binary = handed_over("KEYSTILE_BIN")?;
    for person in 0..people {
        let (binary, data) = (binary.clone(), data.to_owned());
        let added = move || add_person(&binary, &data, (&person_name(person), PASSWORD));
        tokio::task::spawn_blocking(added).await??;
    }
    let flags = ["--port", "0", "--access-token-lifetime", "60m"];
    let program = Program::start_with(Command::new(binary), data, upstream, &flags)?;
    let mut connection =
        Connection::open(program.address, Ipv4Addr::LOCALHOST, &program.host).await?;
    let mut clients = Vec::new();
    for name in CLIENTS {
        clients.push(Client::register(&mut connection, name, &program.mcp_url).await?);
    }
    let places = match upstream {
        Upstream::Stdio(_) => STDIO_PLACES,
        Upstream::Http(_) => Semaphore::MAX_PERMITS,
    };
    Ok(Arc::new(Gate {
        name,
        program,
        clients,
        places: Semaphore::new(places),
    }))
}

/// Everybody signs in and approves each client.
async fn seats(
    gate: Arc<Gate>,
    ledger: &Arc<Ledger>,
    at: u8,
    people: u8,
    seed: u64,
) -> Result<Vec<Arc<Seat>>> {
    let mut seats = Vec::new();
    for person in 0..people {
        let program = &gate.program;
        // An address of their own: the limits for one are not what is looked at.
        let from = Ipv4Addr::new(127, 32 + at, person, 1);
        let mut connection = Connection::open(program.address, from, &program.host).await?;
        let name = person_name(person);
        let cookies = sign_in(&mut connection, (&name, PASSWORD)).await?;
        for client in 0..CLIENTS.len() {
            let approved = gate.clients[client].approved(&mut connection, &cookies, 0);
            let tokens: Tokens = approved.await?;
            let number =
                (u64::from(at) * u64::from(people) + u64::from(person)) * 3 + client as u64;
            let (gate, ledger) = (Arc::clone(&gate), Arc::clone(ledger));
            let seat = Seat::new(gate, ledger, (number, client), from, tokens, seed);
            seats.push(Arc::new(seat));
        }
    }
    Ok(seats)
}

fn person_name(person: u8) -> String {
    format!("person{person}")
}

/// Comes again and again, until all messages are delivered.
async fn visits(seat: Arc<Seat>) {
    while !seat.ledger.is_over() {
        let Ok(_place) = seat.gate.places.acquire().await else {
            return;
        };
        let steps = 5 + seat.chance.below(40);
        let visited = match seat.client() {
            0 => old::visit(&seat, steps).await,
            1 => session::visit(&seat, steps).await,
            _ => stateless::visit(&seat, steps).await,
        };
        match visited {
            Err(error) if error.is::<Gone>() => seat.count(|tally| tally.evicted += 1),
            Err(error) => seat.blame(Wrong::Missing, &format!("{error:#}")),
            Ok(()) => {}
        }
    }
}

/// The table, and whether all is as it should be.
fn report(seats: &[Arc<Seat>], ledger: &Ledger) -> Result<()> {
    say(&format!(
        "{:<10} {:<10} {}",
        "server",
        "client",
        Tally::HEAD
    ));
    let mut all = Tally::default();
    for of_gate in seats.chunk_by(|one, other| one.gate.name == other.gate.name) {
        for (at, client) in CLIENTS.iter().enumerate() {
            let mut tally = Tally::default();
            let same = of_gate.iter().filter(|seat| seat.client() == at);
            same.for_each(|seat| tally += seat.tally());
            all += tally;
            say(&format!(
                "{:<10} {client:<10} {tally}",
                of_gate[0].gate.name
            ));
        }
    }
    say(&format!("{:<21} {all}", "all"));
    let wrong = ledger.wrong();
    let count = |kind| wrong.get(&kind).map_or(0, Vec::len);
    say(&format!(
        "{} messages delivered; {} to the wrong place, {} missing, {} refused",
        all.delivered(),
        count(Wrong::Stray),
        count(Wrong::Missing),
        count(Wrong::Refused)
    ));
    for (kind, cases) in &*wrong {
        for case in cases.iter().take(SHOWN) {
            say(&format!("{kind:?}: {case}"));
        }
    }
    ensure!(
        wrong.is_empty(),
        "not every message came to where it belongs"
    );
    ensure!(
        all.delivered() >= ledger.wanted() && all.cancelled > 0 && all.broken > 0,
        "too little was done"
    );
    let idle = seats.iter().filter(|seat| seat.tally().delivered() == 0);
    ensure!(idle.count() == 0, "somebody got nothing");
    Ok(())
}

/// Of each kind.
const SHOWN: usize = 10;
