//! `cargo xtask bench start`: how long until the first answer, and how much memory while nothing happens.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::release;
use crate::workspace::{Workspace, succeed};

/// A gate, in the unit of its figure, and how often it is measured; the median counts.
struct Figure {
    name: &'static str,
    unit: &'static str,
    gate: f64,
    rounds: usize,
}

const VERSION: Figure = Figure {
    name: "--version",
    unit: "ms",
    gate: 10.0,
    rounds: 25,
};
const FIRST: Figure = Figure {
    name: "first start ever",
    unit: "ms",
    gate: 300.0,
    rounds: 7,
};
const AGAIN: Figure = Figure {
    name: "start of an existing installation",
    unit: "ms",
    gate: 50.0,
    rounds: 15,
};
const IDLE: Figure = Figure {
    name: "idle memory",
    unit: "MiB",
    gate: 20.0,
    rounds: 7,
};

/// A start that has not answered by then failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Builds the release program unless it is given one, measures, prints the table; an error names each figure over its gate.
pub(super) fn run(workspace: &Workspace, program: Option<&Path>) -> Result<()> {
    let program = match program {
        Some(program) => program.to_path_buf(),
        None => release::build(workspace)?,
    };
    let bench = Bench {
        program,
        upstream: serve_upstream()?,
    };
    let mut memory = Vec::new();
    let version = bench.rounds(&VERSION, || bench.version())?;
    let first = bench.rounds(&FIRST, || {
        let folder = tempfile::tempdir()?;
        bench.start(folder.path(), &mut memory)
    })?;
    let folder = tempfile::tempdir()?;
    bench.start(folder.path(), &mut Vec::new())?;
    let again = bench.rounds(&AGAIN, || bench.start(folder.path(), &mut Vec::new()))?;
    println!("{:<36} {:>10} {:>10}", "", "measured", "gate");
    let measured = [
        (VERSION, version),
        (FIRST, first),
        (AGAIN, again),
        (IDLE, median(memory)),
    ];
    let mut over = Vec::new();
    for (
        Figure {
            name, unit, gate, ..
        },
        value,
    ) in measured
    {
        println!("{name:<36} {value:>6.1} {unit:<3} {gate:>6.0} {unit:<3}");
        if value > gate {
            over.push(format!(
                "{name}: {value:.1} {unit}, the gate is {gate:.0} {unit}"
            ));
        }
    }
    ensure!(over.is_empty(), "{}", over.join("\n"));
    Ok(())
}

struct Bench {
    program: PathBuf,
    upstream: SocketAddr,
}

impl Bench {
    fn rounds(&self, figure: &Figure, mut measure: impl FnMut() -> Result<f64>) -> Result<f64> {
        let values: Result<Vec<_>> = (0..figure.rounds).map(|_| measure()).collect();
        Ok(median(values.with_context(|| figure.name)?))
    }

    fn version(&self) -> Result<f64> {
        let start = Instant::now();
        succeed(
            Command::new(&self.program)
                .arg("--version")
                .stdout(Stdio::null()),
        )?;
        Ok(milliseconds(start))
    }

    /// From exec to the first complete answer, and the memory a moment after it. The data folder is made by the program
    /// itself, which refuses one that others can read.
    fn start(&self, folder: &Path, memory: &mut Vec<f64>) -> Result<f64> {
        let port = free_port()?;
        let mut command = Command::new(&self.program);
        command
            .arg("protect")
            .arg(format!("http://{}/mcp", self.upstream));
        command
            .args(["--port", &port.to_string(), "--data-dir"])
            .arg(folder.join("data"))
            // The port behind the other is one that the system may give to who asks for an answer.
            .args(["--ops-listen", "127.0.0.1:0"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("log"))?);
        let start = Instant::now();
        let mut running = Running(command.spawn().context("can't start keystile")?);
        while !answers(port) {
            if let Some(status) = running.0.try_wait()? {
                let log = std::fs::read_to_string(folder.join("log"))?;
                bail!("keystile ended with {status} before it answered\n{log}");
            }
            ensure!(start.elapsed() < PATIENCE, "no answer within {PATIENCE:?}");
            std::thread::sleep(Duration::from_micros(200));
        }
        let took = milliseconds(start);
        std::thread::sleep(Duration::from_millis(200));
        memory.push(resident_mebibytes(running.0.id())?);
        Ok(took)
    }
}

/// Ends with the scope: SIGTERM first, so that the next start finds a folder that was left in order.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(None)) {
            return;
        }
        let asked = Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .status();
        let start = Instant::now();
        while asked.is_ok() && start.elapsed() < PATIENCE {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        // Too late for a good end, and nothing more can be done about a failure here.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let path = "/.well-known/oauth-authorization-server";
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// As little of an MCP server as a start may want to see: it answers `initialize`. It ends with this process.
fn serve_upstream() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let body = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}}"#;
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 16 * 1024];
            let length = body.len();
            // A request that does not come or an answer that is not taken is the other side's loss.
            let _ = stream.read(&mut request).and_then(|_| {
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                )
            });
        }
    });
    Ok(address)
}

fn resident_mebibytes(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kibibytes / 1024.0)
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
