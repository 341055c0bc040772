//! A process under load.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::installation::Installation;
use crate::load::{CALL, PEER_CORE};
use crate::upstream::ANSWER;

/// Ended when it is dropped.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// `Host`: the name by which it knows itself.
    pub(crate) host: String,
    pub(crate) path: &'static str,
    /// The file with the tokens that the load shows in turn, one a line.
    pub(crate) tokens: Option<PathBuf>,
    child: Child,
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Peer {
    /// This program in one of its other roles; its first line is `ready ADDRESS`.
    pub(crate) fn ourselves(
        name: &'static str,
        role: &[&OsStr],
        core: &str,
        tokens: Option<PathBuf>,
    ) -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = Command::new("taskset");
        command
            .args(["-c", core])
            .arg(program)
            .args(role)
            .stdout(Stdio::piped());
        let mut child = command.spawn().context("taskset is needed (util-linux)")?;
        let mut line = String::new();
        let output = child.stdout.as_mut().context("it is piped")?;
        BufReader::new(output).read_line(&mut line)?;
        let Some(address) = line
            .trim()
            .strip_prefix("ready ")
            .and_then(|address| address.parse().ok())
        else {
            drop((child.kill(), child.wait()));
            bail!("{name} did not start: {line}")
        };
        let path = "/bench/mcp";
        let peer = Self {
            name,
            address,
            host: address.to_string(),
            path,
            tokens,
            child,
        };
        peer.look()?;
        Ok(peer)
    }

    /// The released program, with a token that a person approved.
    pub(crate) fn keystile(folder: &Path, upstream: SocketAddr) -> Result<Self> {
        let Installation {
            address,
            host,
            token,
            child,
        } = Installation::start(folder, upstream, PEER_CORE)?;
        let file = folder.join("token");
        fs::write(&file, token + "\n")?;
        let path = "/bench/mcp";
        let peer = Self {
            name: "keystile",
            address,
            host,
            path,
            tokens: Some(file),
            child,
        };
        peer.look()?;
        Ok(peer)
    }

    /// nginx without any authorization.
    pub(crate) fn nginx(folder: &Path, upstream: SocketAddr) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let text = include_str!("../../../nginx.conf")
            .replace("@DIR@", &folder.display().to_string())
            .replace("@UPSTREAM@", &upstream.to_string())
            .replace("@LISTEN@", &address.to_string());
        let file = folder.join("nginx.conf");
        fs::write(&file, text)?;
        let mut command = Command::new("taskset");
        command
            .args(["-c", PEER_CORE, "nginx", "-c"])
            .arg(&file)
            .stderr(Stdio::null());
        let child = command.spawn().context("taskset and nginx are needed")?;
        let peer = Self {
            name: "nginx",
            address,
            host: address.to_string(),
            path: "/mcp",
            tokens: None,
            child,
        };
        while TcpStream::connect(address).is_err() {
            std::thread::yield_now();
        }
        peer.look()?;
        Ok(peer)
    }

    /// User and system time so far, in seconds (proc(5), fields 14 and 15; a tick is 10 ms).
    pub(crate) fn cpu(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("proc(5) has a parenthesis")?;
        let ticks = |index: usize| -> Result<f64> {
            Ok(fields
                .split_whitespace()
                .nth(index)
                .context("proc(5) has it")?
                .parse()?)
        };
        Ok((ticks(11)? + ticks(12)?) / 100.0)
    }

    /// A round counts only if the wanted answer came.
    fn look(&self) -> Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        let authorization = match &self.tokens {
            None => String::new(),
            Some(file) => {
                let tokens = fs::read_to_string(file)?;
                let last = tokens.lines().next_back().context("there is a token")?;
                format!("Authorization: Bearer {last}\r\n")
            }
        };
        write!(
            stream,
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{authorization}Content-Length: {}\r\nConnection: close\r\n\r\n{CALL}",
            self.path,
            self.host,
            CALL.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if !answer.ends_with(ANSWER) {
            bail!("{} does not answer as it should:\n{answer}", self.name);
        }
        Ok(())
    }
}
