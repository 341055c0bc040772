//! Connections that begin a request and say no more (CHECKLIST A-159).

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use keystile_bench::rounds::say;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::gate::{Gate, Person};
use crate::stream::{Ground, Kind};
use crate::{is_revoked, now};

/// A head has ten seconds; so many connections end within a few more.
const HUNG_UP_WITHIN: Duration = Duration::from_secs(20);
/// Somebody else's stream begins, and says something, within this time.
const SERVED_WITHIN: Duration = Duration::from_secs(1);

/// So many of them, every other one without a word. Meanwhile somebody is served; then all are hung up on.
pub(crate) async fn silent(gate: &Gate, number: usize) -> Result<()> {
    let honest = gate.people.iter().find(|it| !is_revoked(it.number));
    let honest = honest.context("somebody was not revoked")?;
    let begun = now();
    let mut silent = Vec::with_capacity(number);
    for at in 0..number {
        silent.push(begin(honest, at).await?);
    }
    say(&format!(
        "{number} silent connections in {:.1} s: {}",
        begun.elapsed().as_secs_f64(),
        gate.program.process.held()?
    ));
    let asked = now();
    let mut line = honest.dial().await?;
    let ground = Ground::new(honest, &mut line, Kind::Listen, usize::MAX).await?;
    let stream = ground.open(honest).await?;
    stream.speak(honest, &mut line).await?;
    let served = asked.elapsed();
    ensure!(
        served < SERVED_WITHIN,
        "others were served after {served:?}"
    );
    let last = timeout(HUNG_UP_WITHIN, hung_up(&mut silent)).await;
    let last = last.context("a silent connection stays open")??;
    say(&format!(
        "meanwhile a stream began and spoke within {:.0} ms; the last was hung up on {:.1} s after the first began",
        served.as_secs_f64() * 1e3,
        last.saturating_duration_since(begun).as_secs_f64()
    ));
    Ok(())
}

async fn begin(person: &Person, at: usize) -> Result<TcpStream> {
    let mut stream = person.connect().await?;
    if at.is_multiple_of(2) {
        stream
            .write_all(b"POST /bench/mcp HTTP/1.1\r\nHost: ")
            .await?;
    }
    Ok(stream)
}

/// Until the other side has closed all; whatever it says before does not matter.
async fn hung_up(silent: &mut [TcpStream]) -> Result<Instant> {
    for stream in silent {
        let mut said = Vec::new();
        // A reset is an end as well.
        drop(stream.read_to_end(&mut said).await);
    }
    Ok(now())
}
