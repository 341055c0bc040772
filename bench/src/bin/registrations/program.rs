//! The released program with an empty installation.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

/// Ended when it is dropped.
pub(crate) struct Program {
    pub(crate) port: u16,
    child: Child,
    database: PathBuf,
}

impl Program {
    /// `keystile protect` in front of a port where nobody listens: only the issuer is asked.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let data = folder.join("keystile");
        let mut child = Command::new(binary()?)
            .arg("--data-dir")
            .arg(&data)
            .args(["--json", "protect", "http://127.0.0.1:9/mcp"])
            .args([
                "--name",
                "bench",
                "--port",
                "0",
                "--ops-listen",
                "127.0.0.1:0",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("the released program starts")?;
        let mut line = String::new();
        let output = child.stdout.as_mut().context("it is piped")?;
        BufReader::new(output).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line).context("keystile did not start")?;
        let issuer = ready["issuer"].as_str().context("it says its issuer")?;
        let port = issuer.rsplit(':').next().and_then(|port| port.parse().ok());
        Ok(Self {
            port: port.context("its issuer has a port")?,
            child,
            database: data.join("keystile.db"),
        })
    }

    /// The rows of all tables.
    pub(crate) async fn rows(&self) -> Result<u64> {
        let options = SqliteConnectOptions::new()
            .filename(&self.database)
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

    /// User and system time so far, in seconds (proc(5), fields 14 and 15; a tick is 10 ms).
    pub(crate) fn cpu(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("proc(5) has a parenthesis")?;
        let mut ticks = fields.split_whitespace().skip(11).take(2);
        let ticks = ticks.try_fold(0.0, |sum, field| field.parse().map(|one: f64| sum + one))?;
        Ok(ticks / 100.0)
    }

    /// Resident memory in KiB.
    pub(crate) fn resident(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        Ok(kib.context("no VmRSS")?.parse()?)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended itself; either way it is gone then.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "`cargo xtask bench` hands the program over this way"
)]
fn binary() -> Result<PathBuf> {
    let program = std::env::var_os("KEYSTILE_BIN");
    Ok(program
        .context("run me as `cargo xtask bench registrations`")?
        .into())
}
