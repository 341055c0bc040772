//! Refreshes per second through the single writer, beside SQLite itself (DESIGN §9).
//!
//! "Grouped" is one connection that runs 64 `UPDATE … RETURNING` and a COMMIT, over and over, with
//! nothing else around it. Where `python3` is there, its `sqlite3` module runs that loop against
//! the C library, which is the raw rate; sqlx's own loop stands beside it. Then the released program over HTTP, beside node
//! oidc-provider.

mod over_http;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use futures_util::future::join_all;
use keystile_bench::process::cpu_of;
use keystile_bench::rounds::say;
use keystile_domain::ids::{GrantId, PersonId, TransactionId};
use keystile_domain::ports::{Grants as _, People as _, Rng};
use keystile_domain::records::{Approval, CodeProof, NewPerson, Presented, Rotated};
use keystile_domain::secrets::code::AuthorizationCode;
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use keystile_protocol::pkce::CodeChallenge;
use keystile_store::Store;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const CLIENT: &str = "https://editor.example/.well-known/oauth-client/metadata.json";
const LANES: usize = 64;
/// The three are measured in turn, so that a busy machine slows all of them.
const ROUNDS: u32 = 6;

fn main() -> Outcome<()> {
    let Options {
        families,
        seconds,
        folder,
    } = Options::parse();
    let folder = tempfile::tempdir_in(folder.unwrap_or_else(std::env::temp_dir))?;
    let path = folder.path().join("keystile.db");
    let seconds = Duration::from_secs(seconds);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let raw = runtime.block_on(async {
        tokio::spawn(async move { run(families, seconds, &path).await }).await?
    })?;
    drop(runtime);
    let ratio = over_http::ratio(folder.path(), ROUNDS, seconds)?;
    say(&format!(
        "gates: store ÷ raw {raw:.2} (≥ 0.60), keystile ÷ oidc-provider {ratio:.1} (≥ 5)"
    ));
    match raw >= 0.6 && ratio >= 5.0 {
        true => Ok(()),
        false => Err("a gate is missed".into()),
    }
}

#[derive(Parser)]
struct Options {
    /// Families that are refreshed in turn
    #[arg(long, default_value_t = 1_000)]
    families: usize,
    /// Seconds of each round
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// On the disk to be measured; a temporary folder unless given
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// What share of the raw rate the store has.
async fn run(families: usize, seconds: Duration, path: &Path) -> Outcome<f64> {
    let store = Arc::new(Store::open(path, NOW).await?);
    let grants = fill(&store, families).await?;
    let mut generations = vec![1_u32; families];
    say(
        "| round | store, 64 in parallel | p50 ms | p99 ms | µs CPU | raw, 64 per commit | sqlx, 64 per commit | store ÷ raw |",
    );
    say("|---|---|---|---|---|---|---|---|");
    let mut totals = (0.0, 0.0);
    for round in 1..=ROUNDS {
        let measured = store_round(&store, &grants, &mut generations, seconds).await?;
        let raw = raw_round(path, &grants, &mut generations, seconds)?;
        let sqlx = sqlx_round(path, &grants, &mut generations, seconds).await?;
        totals.0 += measured.rate;
        totals.1 += raw.unwrap_or(sqlx);
        let ratio = raw.map_or_else(
            || "–".to_owned(),
            |raw| format!("{:.2}", measured.rate / raw),
        );
        let raw = raw.map_or_else(|| "no python3".to_owned(), |raw| format!("{raw:.0}/s"));
        let Measured {
            rate,
            p50,
            p99,
            cpu,
        } = measured;
        say(&format!(
            "| {round} | {rate:.0}/s | {p50:.2} | {p99:.2} | {cpu:.0} | {raw} | {sqlx:.0}/s | {ratio} |"
        ));
    }
    let mean = |sum: f64| sum / f64::from(ROUNDS);
    let (store_rate, raw_rate) = (mean(totals.0), mean(totals.1));
    let ratio = store_rate / raw_rate;
    say(&format!(
        "mean: store {store_rate:.0}/s, raw {raw_rate:.0}/s, ratio {ratio:.2} (gate ≥ 0.60)"
    ));
    store.close().await;
    Ok(ratio)
}

struct Measured {
    rate: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
}

/// Each lane owns every 64th family and refreshes one after the other.
async fn store_round(
    store: &Arc<Store>,
    grants: &[GrantId],
    generations: &mut [u32],
    seconds: Duration,
) -> Outcome<Measured> {
    let stop = Arc::new(AtomicBool::new(false));
    let ourselves = std::process::id();
    let (begin, cpu) = (clock(), cpu_of(ourselves)?);
    let lanes = (0..LANES).map(|lane| {
        let (store, stop) = (Arc::clone(store), Arc::clone(&stop));
        let mut mine: Vec<(usize, GrantId, u32)> = grants
            .iter()
            .zip(generations.iter())
            .enumerate()
            .skip(lane)
            .step_by(LANES)
            .map(|(at, (grant, generation))| (at, *grant, *generation))
            .collect();
        tokio::spawn(async move {
            let mut waits = Vec::new();
            let mut at = lane;
            while !stop.load(Ordering::Relaxed) {
                at = (at + 7_919) % mine.len();
                let (_, grant, generation) = &mut mine[at];
                let began = clock();
                let rotated = store.rotate(presented(*grant, *generation), NOW).await?;
                waits.push(began.elapsed());
                if !matches!(rotated, Rotated::Successor(_)) {
                    return Err(format!("refused: {rotated:?}").into());
                }
                *generation += 1;
            }
            Outcome::Ok((mine, waits))
        })
    });
    let lanes: Vec<_> = lanes.collect();
    tokio::time::sleep(seconds).await;
    stop.store(true, Ordering::Relaxed);
    let mut waits = Vec::new();
    for lane in join_all(lanes).await {
        let (mine, mut its) = lane??;
        for (at, _, generation) in mine {
            generations[at] = generation;
        }
        waits.append(&mut its);
    }
    let (elapsed, cpu) = (begin.elapsed().as_secs_f64(), cpu_of(ourselves)? - cpu);
    waits.sort_unstable();
    let count = waits.len() as f64;
    let millis = |part: f64| waits[(count * part) as usize].as_secs_f64() * 1e3;
    Ok(Measured {
        rate: count / elapsed,
        p50: millis(0.5),
        p99: millis(0.99),
        cpu: cpu * 1e6 / count,
    })
}

fn presented(grant: GrantId, generation: u32) -> Presented {
    let expires_at = NOW.plus(Duration::from_secs(30 * 86_400));
    Presented {
        grant,
        generation,
        client_id: CLIENT.to_owned(),
        client_proved: false,
        resource: None,
        expires_at,
    }
}

const ONE: &str = "UPDATE grants SET presented = $2, presented_at = $3, last_used_at = $3,
     expires_at = $4 WHERE id = $1 AND client_id = $5 AND presented = $2 - 1
     AND activated_at IS NOT NULL AND revoked_at IS NULL AND expires_at > $3
     AND EXISTS (SELECT 1 FROM people p WHERE p.id = grants.person_id AND p.disabled_at IS NULL)
     RETURNING id, person_id, (SELECT name FROM people WHERE id = person_id), client_name, resource,
     scopes, created_at";

async fn sqlx_round(
    path: &Path,
    grants: &[GrantId],
    generations: &mut [u32],
    seconds: Duration,
) -> Outcome<f64> {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", "-16384")
        .pragma("wal_autocheckpoint", "4000")
        .disable_statement_logging()
        .connect()
        .await?;
    let (begin, mut count, mut at) = (clock(), 0_u32, 0);
    while begin.elapsed() < seconds {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        for _ in 0..LANES {
            at = (at + 7_919) % grants.len();
            let row = sqlx::query(ONE)
                .bind(grants[at].to_string())
                .bind(i64::from(generations[at]))
                .bind(NOW.0)
                .bind(NOW.plus(Duration::from_secs(86_400)).0)
                .bind(CLIENT)
                .fetch_optional(&mut *transaction)
                .await?;
            row.ok_or("the raw loop was refused")?;
            generations[at] += 1;
            count += 1;
        }
        transaction.commit().await?;
    }
    let rate = f64::from(count) / begin.elapsed().as_secs_f64();
    connection.close().await?;
    Ok(rate)
}

/// `None` without python3.
fn raw_round(
    path: &Path,
    grants: &[GrantId],
    generations: &mut [u32],
    seconds: Duration,
) -> Outcome<Option<f64>> {
    let families: Vec<(String, u32)> = grants
        .iter()
        .map(ToString::to_string)
        .zip(generations.iter().copied())
        .collect();
    let input = path.with_extension("families.json");
    std::fs::write(&input, serde_json::to_vec(&families)?)?;
    let output = Command::new("python3")
        .args(["-c", PYTHON])
        .arg(path)
        .arg(&input)
        .args([ONE, CLIENT])
        .args([NOW.0, NOW.plus(Duration::from_secs(86_400)).0].map(|time| time.to_string()))
        .arg(seconds.as_secs().to_string())
        .output();
    let output = match output {
        Ok(output) if output.status.success() => output.stdout,
        Ok(output) => return Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        Err(_) => return Ok(None),
    };
    let (rate, after): (f64, Vec<u32>) = serde_json::from_slice(&output)?;
    generations.copy_from_slice(&after);
    Ok(Some(rate))
}

const PYTHON: &str = include_str!("raw.py");

/// Families whose code was redeemed.
async fn fill(store: &Store, families: usize) -> Outcome<Vec<GrantId>> {
    let rng = Counting(AtomicU64::new(1));
    let person = PersonId::new(NOW, &rng);
    let alice = NewPerson {
        id: person,
        name: "alice".into(),
        password_hash: "none".into(),
        created_at: NOW,
    };
    store.create(alice).await?;
    let challenge = CodeChallenge::from_bytes([7; 32]);
    let mut grants = Vec::with_capacity(families);
    while grants.len() < families {
        let some: Vec<Approval> = (grants.len()..families.min(grants.len() + 256))
            .map(|n| Approval {
                transaction: TransactionId::new(NOW, &rng),
                grant: GrantId::new(NOW, &rng),
                person,
                client_id: CLIENT.to_owned(),
                client_name: "Editor".to_owned(),
                client_proves: false,
                resource: "http://localhost:7717/notes/mcp".to_owned(),
                scopes: "notes:call offline_access".parse().unwrap_or_default(),
                code: Digest::of(&n.to_string()),
                redirect_uri: "http://127.0.0.1:40001/callback".to_owned(),
                challenge,
                created_at: NOW,
                code_expires_at: NOW.plus(Duration::from_secs(60)),
                grant_expires_at: NOW.plus(Duration::from_secs(86_400)),
            })
            .collect();
        let proofs: Vec<CodeProof> = some
            .iter()
            .map(|approval| CodeProof {
                code: AuthorizationCode {
                    grant: approval.grant,
                    digest: approval.code,
                },
                client_id: CLIENT.to_owned(),
                client_proved: false,
                redirect_uri: None,
                challenge,
                resource: None,
            })
            .collect();
        grants.extend(some.iter().map(|approval| approval.grant));
        for approved in join_all(some.into_iter().map(|approval| store.approve(approval))).await {
            approved?;
        }
        for taken in join_all(proofs.into_iter().map(|proof| store.take(proof, NOW))).await {
            taken?;
        }
    }
    Ok(grants)
}

struct Counting(AtomicU64);

impl Rng for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        // Spread, so that families do not lie in the order of their making.
        let next = self
            .0
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for (to, from) in bytes.iter_mut().rev().zip(next.to_be_bytes()) {
            *to = from;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn clock() -> Instant {
    Instant::now()
}
