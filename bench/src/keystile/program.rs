//! `keystile protect` in front of anything.

use std::ffi::OsString;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::process::Process;

/// It answers. Ended when it is dropped.
pub struct Program {
    /// For its CPU time and its memory.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    /// `Host`: the name by which it knows itself.
    pub host: String,
    /// Of the guarded server, which is called `bench`.
    pub mcp_url: String,
    /// Its SQLite file.
    pub database: PathBuf,
}

/// What stands behind it.
pub enum Upstream {
    /// An HTTP server, whose endpoint is `/mcp`.
    Http(SocketAddr),
    /// The command of a stdio server.
    Stdio(Vec<OsString>),
}

impl From<SocketAddr> for Upstream {
    fn from(address: SocketAddr) -> Self {
        Self::Http(address)
    }
}

impl Program {
    /// Where nobody listens: for who asks only the issuer.
    pub const NOBODY: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

    /// The released program, which `command` is, with its data in `data`..
    ///
    /// # Errors
    /// It does not start, or does not say where it is.
    pub fn start(command: Command, data: &Path, upstream: &Upstream) -> Result<Self> {
        Self::start_with(command, data, upstream, &["--port", "0"])
    }

    /// As [`start`](Self::start), with these flags of `protect`; one of them says the port.
    ///
    /// # Errors
    /// As of [`start`](Self::start).
    pub fn start_with(
        mut command: Command,
        data: &Path,
        upstream: &Upstream,
        flags: &[&str],
    ) -> Result<Self> {
        command.arg("--data-dir").arg(data).arg("--json");
        command.args(["protect", "--name", "bench"]);
        command.args(["--ops-listen", "127.0.0.1:0"]).args(flags);
        match upstream {
            Upstream::Http(address) => command.arg(format!("http://{address}/mcp")),
            Upstream::Stdio(words) => command.arg("--").args(words),
        };
        let (process, line) = Process::ready(command.stderr(Stdio::null()))?;
        let ready: Value = serde_json::from_str(&line)?;
        let said = |key: &str| {
            let text = ready[key].as_str().map(str::to_owned);
            text.with_context(|| format!("it says its {key}"))
        };
        let issuer = said("issuer")?;
        let host = issuer.trim_start_matches("http://").to_owned();
        let port = host.rsplit(':').next().and_then(|port| port.parse().ok());
        let port: u16 = port.context("its issuer has a port")?;
        Ok(Self {
            process,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            host,
            mcp_url: said("mcp_url")?,
            database: data.join("keystile.db"),
        })
    }
}

/// An account, made without a browser.
///
/// # Errors
/// The program does not make it.
pub fn add_person(binary: &Path, data: &Path, (name, password): (&str, &str)) -> Result<()> {
    let mut child = Command::new(binary)
        .arg("--data-dir")
        .arg(data)
        .args(["user", "add", name, "--password-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("the released program starts")?;
    let mut input = child.stdin.take().context("it is piped")?;
    writeln!(input, "{password}")?;
    drop(input);
    ensure!(child.wait()?.success(), "keystile could not add a person");
    Ok(())
}
