//! A flood of registrations from many addresses leaves nothing behind (CHECKLIST A-065).
//!
//! The released program, keep-alive connections out of 127/8, as many requests from each address as
//! one network may send at once. A run counts only if nearly all of them were answered with 201.
//!
//! Times move with the machine: what counts is the CPU time of each, and the p99 beside that of a document that nothing can
//! slow down, asked for in between.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use clap::Parser;
use keystile_bench::connection::{Answer, Connection};
use keystile_bench::keystile::Program;
use keystile_bench::process::handed_over;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

/// From each address; the limit is 120 at once.
const FROM_EACH: u64 = 60;
/// Connections at the same time.
const LANES: usize = 32;
/// Addresses may share a counter of the limits: a few are told to wait.
const LEAST: f64 = 0.9;
const FLAT: f64 = 1.5;
/// A look at the keys after so many registrations.
const LOOK_AFTER: u64 = 6;
/// What an allocator keeps after a tenth of the flood, in KiB.
const SLACK: u64 = 4096;

#[derive(Parser)]
struct Options {
    /// How many registrations are sent
    #[arg(long, default_value_t = 1_000_000)]
    requests: u64,
}

/// One tenth of the run.
#[derive(Default)]
struct Tenth {
    micros: Vec<u32>,
    looks: Vec<u32>,
    created: u64,
    resident: u64,
    /// Seconds of CPU time.
    cpu: f64,
}

impl Tenth {
    fn p99(micros: &[u32]) -> f64 {
        f64::from(micros[micros.len() * 99 / 100])
    }

    /// CPU microseconds for each registration, the looks included.
    fn cpu_each(&self) -> f64 {
        self.cpu * 1e6 / self.micros.len() as f64
    }
}

fn main() -> Result<()> {
    let Options { requests } = Options::parse();
    let folder = tempfile::tempdir()?;
    let binary = Command::new(handed_over("KEYSTILE_BIN")?);
    let data = folder.path().join("keystile");
    let program = Arc::new(Program::start(binary, &data, &Program::NOBODY.into())?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let before = runtime.block_on(rows(&program.database))?;
    let mut tenths = Vec::new();
    let next = Arc::new(AtomicU64::new(0));
    for _ in 0..10 {
        let addresses = requests.div_ceil(10).div_ceil(FROM_EACH);
        let cpu = program.process.cpu()?;
        let mut tenth = runtime.block_on(flood(&program, &next, addresses))?;
        tenth.resident = program.process.resident()?;
        tenth.cpu = program.process.cpu()? - cpu;
        tenth.micros.sort_unstable();
        tenth.looks.sort_unstable();
        tenths.push(tenth);
    }
    let after = runtime.block_on(rows(&program.database))?;
    report(&tenths, before, after)
}

async fn flood(program: &Arc<Program>, next: &Arc<AtomicU64>, addresses: u64) -> Result<Tenth> {
    let end = next.load(Ordering::Relaxed) + addresses;
    let mut lanes = tokio::task::JoinSet::new();
    for _ in 0..LANES {
        let (program, next) = (Arc::clone(program), Arc::clone(next));
        lanes.spawn(async move {
            let mut tenth = Tenth::default();
            while let Ok(number) =
                next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |number| {
                    (number < end).then_some(number + 1)
                })
            {
                from_one(&program, number, &mut tenth).await?;
            }
            anyhow::Ok(tenth)
        });
    }
    let mut all = Tenth::default();
    while let Some(lane) = lanes.join_next().await {
        let lane = lane??;
        all.micros.extend(lane.micros);
        all.looks.extend(lane.looks);
        all.created += lane.created;
    }
    Ok(all)
}

/// Everything that one address sends, over one connection.
async fn from_one(program: &Program, number: u64, tenth: &mut Tenth) -> Result<()> {
    // Out of 127.1.0.0 and up: 127.0.0.1 is everybody's.
    let number = u32::try_from(number)?;
    let address = Ipv4Addr::from_bits(0x7F01_0000 + number);
    let (path, media) = ("/oauth/register", "application/json");
    let mut connection = Connection::open(program.address, address, &program.host).await?;
    for at in 0..FROM_EACH {
        let body = format!(
            r#"{{"client_name":"Flood {number} {at}","redirect_uris":["http://127.0.0.1:{}/cb"],"token_endpoint_auth_method":"none"}}"#,
            1024 + at
        );
        let (status, micros) = timed(connection.post(path, "", media, &body)).await?;
        tenth.micros.push(micros);
        if at % LOOK_AFTER == 0 {
            let (status, micros) = timed(connection.get("/oauth/jwks", "")).await?;
            ensure!(status == 200, "the keys were answered with {status}");
            tenth.looks.push(micros);
        }
        match status {
            201 => tenth.created += 1,
            429 => {}
            other => bail!("a registration was answered with {other}"),
        }
    }
    Ok(())
}

/// The status of the answer and how long it took.
async fn timed(answer: impl Future<Output = Result<Answer>>) -> Result<(u16, u32)> {
    #[expect(clippy::disallowed_methods, reason = "a bench measures time")]
    let start = Instant::now();
    let status = answer.await?.status;
    let micros = u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX);
    Ok((status, micros))
}

/// The rows of all tables.
async fn rows(database: &Path) -> Result<u64> {
    let options = SqliteConnectOptions::new()
        .filename(database)
        .read_only(true);
    let mut connection = options.connect().await?;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
            .fetch_all(&mut connection)
            .await?;
    let mut rows = 0;
    for table in tables {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM \"{table}\""));
        let count: i64 = sqlx::query_scalar(count).fetch_one(&mut connection).await?;
        rows += u64::try_from(count)?;
    }
    connection.close().await?;
    Ok(rows)
}

fn report(tenths: &[Tenth], before: u64, after: u64) -> Result<()> {
    let sent: usize = tenths.iter().map(|tenth| tenth.micros.len()).sum();
    let created: u64 = tenths.iter().map(|tenth| tenth.created).sum();
    let rejected = sent as u64 - created;
    let mut lines = String::new();
    for (number, tenth) in tenths.iter().enumerate() {
        lines += &format!(
            "  tenth {:>2}: p99 {:>6.0} us (keys {:>6.0} us), CPU {:>4.0} us each, resident {:>6} KiB\n",
            number + 1,
            Tenth::p99(&tenth.micros),
            Tenth::p99(&tenth.looks),
            tenth.cpu_each(),
            tenth.resident
        );
    }
    write(&format!(
        "{sent} registrations sent, {created} answered with 201, {rejected} with 429\n\
         rows in the database: {before} before, {after} after\n{lines}"
    ))?;
    let [first, .., last] = tenths else {
        bail!("a run has ten tenths");
    };
    // The machine, for everything alike.
    let slower = Tenth::p99(&last.looks) / Tenth::p99(&first.looks);
    ensure!(
        created as f64 >= sent as f64 * LEAST,
        "too few were answered with 201"
    );
    ensure!(before == after, "a registration left a row behind");
    ensure!(
        Tenth::p99(&last.micros) <= Tenth::p99(&first.micros) * FLAT * slower.max(1.0),
        "p99 grew from the first tenth to the last"
    );
    ensure!(
        last.cpu_each() <= first.cpu_each() * FLAT,
        "the CPU time of each grew from the first tenth to the last"
    );
    ensure!(
        last.resident <= first.resident + SLACK,
        "memory grew from the first tenth to the last"
    );
    Ok(())
}

fn write(text: &str) -> Result<()> {
    use std::io::Write as _;
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}
