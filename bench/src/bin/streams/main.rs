//! Open streams: what each costs, that they are kept alive, that a revocation ends them at once and nobody else's, and that
//! nothing stays behind (DESIGN §9, CHECKLIST A-118). And that connections which say nothing keep nobody out.
//!
//! Four kinds: GET streams of sessions and subscriptions without one, forwarded to an HTTP server; subscriptions to a stdio
//! server; and GET streams of sessions that are bridged to a server of 2026-07-28.

mod gate;
mod silent;
mod stream;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use futures_util::future::try_join_all;
use keystile_bench::keystile::Upstream;
use keystile_bench::process::Held;
use keystile_bench::rounds::say;
use keystile_bench::upstream::{Eras, http, stdio};
use tokio::time::timeout;

use gate::{Ending, Gate};
use stream::{Ground, Kind, Stream};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    part: Option<stdio::Part>,
    /// Streams of each of the four kinds
    #[arg(long, default_value_t = 250)]
    each: usize,
    /// Seconds for which they stay open; a comment comes every 15
    #[arg(long, default_value_t = 180)]
    seconds: u64,
    /// Connections that begin a request and say no more; twice as many files are to be open
    #[arg(long, default_value_t = 10_000)]
    silent: usize,
    /// 25 of each kind, for 17 s, and 500 silent connections
    #[arg(long)]
    quick: bool,
    /// Fail beyond the gates
    #[arg(long)]
    check: bool,
    /// Leave out the memory, which only a release build shows
    #[arg(long)]
    no_memory: bool,
}

/// At each gate. Half of them are revoked.
const PEOPLE: u8 = 8;
/// The limit for a stream, in KiB, and the aim.
const GATE: (f64, f64) = (40.0, 20.0);
/// From the answer to a revocation until the last of its streams is closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(1);
/// For all that is to be as it was.
const BACK_WITHIN: Duration = Duration::from_secs(30);
/// Connections to the server behind that wait for a next call, threads that wait for a file to be written: how many of
/// each a program has is a matter of chance.
const RESTING: u64 = 4;
/// How often the streams of who was not revoked are opened and closed once more.
const AGAIN: usize = 4;
/// What an allocator may keep of that, in KiB for each stream that there was: a task that stays is more.
const KEPT: f64 = 2.0;

fn main() -> Result<()> {
    let mut options = Options::parse();
    if options.quick {
        (options.each, options.seconds, options.silent) = (25, 17, 500);
    }
    stdio::run(options.part.as_ref(), run(&options))
}

/// Streams of one kind at one gate.
struct Group {
    name: &'static str,
    /// Its gate.
    at: usize,
    kind: Kind,
    grounds: Vec<(usize, Ground)>,
    streams: Vec<Stream>,
}

async fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let upstreams = [
        Upstream::from(http::serve(Eras::Both).await?),
        Upstream::Stdio(stdio::itself(Eras::Both)?),
        Upstream::from(http::serve(Eras::Stateless).await?),
    ];
    let mut gates = Vec::new();
    for (at, upstream) in upstreams.iter().enumerate() {
        gates.push(Gate::start(folder.path(), at as u8, upstream, PEOPLE).await?);
    }
    let mut groups = [
        ("GET, forwarded", 0, Kind::Get),
        ("listen, forwarded", 0, Kind::Listen),
        ("listen, to stdio", 1, Kind::Listen),
        ("GET, bridged", 2, Kind::Get),
    ]
    .map(|(name, at, kind)| Group {
        name,
        at,
        kind,
        grounds: Vec::new(),
        streams: Vec::new(),
    });
    for group in &mut groups {
        group.begin(&gates[group.at], options.each).await?;
    }
    let baseline = held(&gates)?;
    let mut missed = Vec::new();

    say(&format!(
        "{:<20} {:>7} {:>12} {:>12} {:>9}",
        "streams", "number", "before KiB", "with KiB", "KiB each"
    ));
    for group in &mut groups {
        let each = group.measured(&gates[group.at]).await?;
        if each > GATE.0 && !options.no_memory {
            missed.push(format!("{}: {each:.1} KiB", group.name));
        }
    }
    say(&format!("gate: {} KiB each, aim: {}", GATE.0, GATE.1));
    let with = resident(&gates)?;
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    say(&format!(
        "after {} s: {} KiB more, of all programs",
        options.seconds,
        resident(&gates)? as i64 - with as i64
    ));
    kept_alive(&groups, options.seconds)?;

    let late = revoke_half(&gates, &groups).await?;
    if late > CLOSED_WITHIN {
        missed.push(format!("a stream was closed {late:?} after its revocation"));
    }
    others_go_on(&gates, &groups).await?;

    for group in &mut groups {
        group.streams.clear();
    }
    back_to(&gates, &baseline).await?;
    let (kept, streams) = again(&gates, &mut groups, &baseline).await?;
    let each = kept as f64 / streams as f64;
    say(&format!(
        "{streams} streams opened and closed once more: {kept} KiB stay, {each:.2} each"
    ));
    if each > KEPT && !options.no_memory {
        missed.push(format!("{each:.1} KiB of each stream stay"));
    }
    silent::silent(&gates[0], options.silent).await?;
    back_to(&gates, &baseline).await?;
    ensure!(
        missed.is_empty() || !options.check,
        "beyond the gates: {}",
        missed.join("; ")
    );
    Ok(())
}

impl Group {
    /// Everything but the streams, so that they are what is measured.
    async fn begin(&mut self, gate: &Gate, number: usize) -> Result<()> {
        for at in 0..number {
            let person = &gate.people[at % gate.people.len()];
            let mut line = person.dial().await?;
            let ground = Ground::new(person, &mut line, self.kind, at).await?;
            if at < gate.people.len() {
                // Each person's server has started, and something has passed.
                drop(ground.open(person).await?);
            }
            self.grounds.push((person.number, ground));
        }
        Ok(())
    }

    async fn open(&mut self, gate: &Gate, whose: impl Fn(usize) -> bool) -> Result<()> {
        for (person, ground) in &self.grounds {
            if whose(*person) {
                self.streams.push(ground.open(&gate.people[*person]).await?);
            }
        }
        Ok(())
    }

    /// Opens all; gives the KiB of each.
    async fn measured(&mut self, gate: &Gate) -> Result<f64> {
        let before = gate.program.process.resident()?;
        self.open(gate, |_| true).await?;
        let with = gate.program.process.resident()?;
        let each = (with as f64 - before as f64) / self.streams.len() as f64;
        say(&format!(
            "{:<20} {:>7} {before:>12} {with:>12} {each:>9.1}",
            self.name,
            self.streams.len()
        ));
        Ok(each)
    }
}

/// Whose streams a revocation ends: half of the people.
const fn is_revoked(person: usize) -> bool {
    person.is_multiple_of(2)
}

fn kept_alive(groups: &[Group], seconds: u64) -> Result<()> {
    // The last one may be on its way.
    let least = (seconds - seconds / 10) / 15;
    let streams = || groups.iter().flat_map(|group| &group.streams);
    let closed = streams().filter(|stream| !stream.is_open()).count();
    ensure!(closed == 0, "{closed} streams were closed");
    let quiet = streams().filter(|stream| stream.comments() < least);
    let quiet = quiet.count();
    ensure!(
        quiet == 0,
        "{quiet} streams had fewer than {least} comments"
    );
    let comments: u64 = streams().map(Stream::comments).sum();
    say(&format!(
        "{} streams open, {comments} keep-alive comments, at least {least} on each",
        streams().count()
    ));
    Ok(())
}

/// Half of the people at all gates, at once, in all ways; gives the longest that a stream outlived the answer.
async fn revoke_half(gates: &[Gate], groups: &[Group]) -> Result<Duration> {
    let mut endings = Vec::new();
    for (at, gate) in gates.iter().enumerate() {
        let revoked = gate
            .people
            .iter()
            .filter(|person| is_revoked(person.number));
        for (person, how) in revoked.zip(Ending::ALL) {
            let of_gate = groups.iter().filter(move |group| group.at == at);
            let streams = of_gate.flat_map(|group| &group.streams);
            let streams: Vec<_> = streams
                .filter(|stream| stream.person == person.number)
                .collect();
            endings.push(async move {
                let begun = now();
                gate.end(person, how).await?;
                let said = now();
                let closed = try_join_all(streams.iter().map(|stream| stream.closed()));
                let closed = timeout(BACK_WITHIN, closed).await;
                let closed = closed.context("a stream stays open")??;
                let last = closed.iter().max().context("there are some")?;
                let whole = last.saturating_duration_since(begun);
                let late = last.saturating_duration_since(said);
                anyhow::Ok((how, streams.len(), whole, late))
            });
        }
    }
    let ended = try_join_all(endings).await?;
    for how in Ending::ALL {
        let same = ended.iter().filter(|(own, ..)| own.name() == how.name());
        let (mut count, mut whole, mut late) = (0, Duration::ZERO, Duration::ZERO);
        for (_, streams, own_whole, own_late) in same {
            count += streams;
            whole = whole.max(*own_whole);
            late = late.max(*own_late);
        }
        say(&format!(
            "{:<22} {count:>4} streams, the last closed {:.0} ms after it was asked for, {:.0} ms after it returned",
            how.name(),
            whole.as_secs_f64() * 1e3,
            late.as_secs_f64() * 1e3
        ));
    }
    let late = ended.iter().map(|(.., late)| *late).max();
    late.context("somebody was revoked")
}

/// Who was not revoked still hears what there is to hear.
async fn others_go_on(gates: &[Gate], groups: &[Group]) -> Result<()> {
    let mut open = 0;
    for group in groups {
        let gate = &gates[group.at];
        let others = || {
            group
                .streams
                .iter()
                .filter(|stream| !is_revoked(stream.person))
        };
        for stream in others() {
            let person = &gate.people[stream.person];
            stream.speak(person, &mut person.dial().await?).await?;
        }
        let heard = || others().all(|stream| stream.events() > 0);
        wait_for(BACK_WITHIN, || Ok(heard())).await?;
        ensure!(
            others().all(|stream| stream.is_open() && stream.events() == 1),
            "a stream of somebody else was closed, or heard something twice"
        );
        open += others().count();
    }
    say(&format!(
        "{open} streams of others are open, and heard of an event each"
    ));
    Ok(())
}

/// Waits until each program holds no more than it did.
async fn back_to(gates: &[Gate], baseline: &[Held]) -> Result<()> {
    let begun = now();
    let waited = wait_for(BACK_WITHIN, || is_back(gates, baseline)).await;
    for (held, before) in held(gates)?.into_iter().zip(baseline) {
        say(&format!("  {held}; before: {before}"));
    }
    waited.context("something is held that was not before")?;
    say(&format!(
        "all closed; back to that after {:.1} s",
        begun.elapsed().as_secs_f64()
    ));
    Ok(())
}

fn is_back(gates: &[Gate], baseline: &[Held]) -> Result<bool> {
    let mut pairs = held(gates)?.into_iter().zip(baseline);
    Ok(pairs.all(|(held, before)| held.is_within(*before, RESTING)))
}

/// Opens and closes the streams of the others a few times; gives the KiB that stay, and how many streams there were.
async fn again(gates: &[Gate], groups: &mut [Group], baseline: &[Held]) -> Result<(u64, usize)> {
    let (mut first, mut streams) = (None, 0);
    for _ in 0..=AGAIN {
        for group in &mut *groups {
            group
                .open(&gates[group.at], |person| !is_revoked(person))
                .await?;
            streams += group.streams.len() * usize::from(first.is_some());
        }
        let most = resident(gates)?;
        first.get_or_insert(most);
        for group in &mut *groups {
            group.streams.clear();
        }
        // There is one stream of a session at a time: the end of the last one is noticed first.
        wait_for(BACK_WITHIN, || is_back(gates, baseline)).await?;
    }
    let last = resident(gates)?;
    Ok((last.saturating_sub(first.unwrap_or(last)), streams))
}

fn held(gates: &[Gate]) -> Result<Vec<Held>> {
    let of_each = gates.iter().map(|gate| gate.program.process.held());
    of_each.collect()
}

/// Of all programs, in KiB.
fn resident(gates: &[Gate]) -> Result<u64> {
    let of_each = gates.iter().map(|gate| gate.program.process.resident());
    of_each.sum()
}

/// Looks again and again.
async fn wait_for(limit: Duration, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = now();
    while !is_so()? {
        ensure!(begun.elapsed() < limit, "it is not so after {limit:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a bench measures time")]
    Instant::now()
}
