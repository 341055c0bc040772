//! Peers in turns, round by round, so that a machine that is slower for a while is slower for both.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;

use crate::lane::{Lane, Side, Step};

/// What one round showed.
#[derive(Debug, Clone)]
pub struct Round {
    /// Steps per second.
    pub rate: f64,
    /// The server's CPU time per step, in microseconds.
    pub cpu: f64,
    /// Of one step, in milliseconds.
    pub p50: f64,
    /// Of one step, in milliseconds.
    pub p99: f64,
}

/// Clients of one issuer, signed in.
///
/// # Errors
/// It does not do its part.
pub async fn lanes<S: Side>(side: &S, count: u32) -> Result<Vec<Lane<'_, S>>> {
    let mut lanes = Vec::new();
    for number in 0..count {
        // One after the other: a password costs what it costs, and is not what is measured.
        lanes.push(Lane::begin(side, number).await?);
    }
    Ok(lanes)
}

/// All lanes at once, for so long.
///
/// # Errors
/// An answer was not the wanted one.
pub async fn round<S: Side>(
    side: &S,
    lanes: &mut [Lane<'_, S>],
    step: Step,
    time: Duration,
) -> Result<Round> {
    for lane in &mut *lanes {
        lane.connect().await?;
    }
    let stop = Cell::new(false);
    let (begin, cpu) = (clock(), side.process().cpu()?);
    let work = lanes.iter_mut().map(async |lane| {
        let mut waits = Vec::new();
        while !stop.get() {
            let began = clock();
            lane.step(step).await?;
            waits.push(began.elapsed().as_secs_f64() * 1e3);
            if begin.elapsed() >= time {
                stop.set(true);
            }
        }
        anyhow::Ok(waits)
    });
    // The load's core never sleeps: to wake it is no work of an issuer whose clients are on other machines, and on a virtual
    // one it costs the server as much as its own half of a request.
    let awake = async {
        loop {
            tokio::task::yield_now().await;
        }
    };
    let mut waits = tokio::select! {
        waits = try_join_all(work) => waits?.concat(),
        () = awake => Vec::new(),
    };
    let (elapsed, cpu) = (begin.elapsed().as_secs_f64(), side.process().cpu()? - cpu);
    ensure!(!waits.is_empty(), "nothing was done");
    waits.sort_by(f64::total_cmp);
    let count = waits.len() as f64;
    let at = |part: f64| waits[(count * part) as usize];
    Ok(Round {
        rate: count / elapsed,
        cpu: cpu * 1e6 / count,
        p50: at(0.5),
        p99: at(0.99),
    })
}

/// The median and the spread of a figure.
#[must_use]
pub fn median(figures: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let last = figures.len() - 1;
    (figures[last / 2], figures[0], figures[last])
}

/// Both peers round by round after one that does not count; prints each, the medians and the ratio.
///
/// # Errors
/// A peer answered wrongly.
pub async fn beside<A: Side, B: Side>(
    ours: &A,
    theirs: &B,
    step: Step,
    (connections, rounds, time): (u32, usize, Duration),
) -> Result<f64> {
    let mut our_lanes = lanes(ours, connections).await?;
    let mut their_lanes = lanes(theirs, connections).await?;
    say(&format!(
        "{:>6} {:>14} {:>9} {:>10} {:>8} {:>8}",
        "round", "peer", "per s", "CPU µs", "p50 ms", "p99 ms"
    ));
    let mut shown: [Vec<Round>; 2] = [Vec::new(), Vec::new()];
    for number in 0..=rounds {
        let one = round(ours, &mut our_lanes, step, time).await?;
        let other = round(theirs, &mut their_lanes, step, time).await?;
        for (at, (round, name)) in [(one, ours.name()), (other, theirs.name())]
            .into_iter()
            .enumerate()
        {
            say(&line(&number.to_string(), name, &round));
            if number > 0 {
                shown[at].push(round);
            }
        }
    }
    for (rounds, name) in shown.iter().zip([ours.name(), theirs.name()]) {
        let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure)).0;
        let middle = Round {
            rate: of(|round| round.rate),
            cpu: of(|round| round.cpu),
            p50: of(|round| round.p50),
            p99: of(|round| round.p99),
        };
        let (_, least, most) = median(rounds.iter().map(|round| round.rate));
        say(&format!(
            "{}   ({least:.0} to {most:.0} per s)",
            line("median", name, &middle)
        ));
    }
    // Of each round's own ratio: a round is as noisy for one peer as for the other.
    let ratios = shown[0]
        .iter()
        .zip(&shown[1])
        .map(|(one, other)| one.rate / other.rate);
    let (ratio, least, most) = median(ratios);
    say(&format!(
        "{} / {}: {ratio:.1} × ({least:.1} to {most:.1})",
        ours.name(),
        theirs.name()
    ));
    Ok(ratio)
}

fn line(number: &str, name: &str, round: &Round) -> String {
    let Round {
        rate,
        cpu,
        p50,
        p99,
    } = round;
    format!("{number:>6} {name:>14} {rate:>9.0} {cpu:>10.0} {p50:>8.2} {p99:>8.2}")
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn clock() -> Instant {
    Instant::now()
}

/// A line of the table.
#[expect(clippy::print_stdout, reason = "a bench prints its table")]
pub fn say(line: &str) {
    println!("{line}");
}
