//! A process under load.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use keystile_bench::keystile::Keystile;
use keystile_bench::process::{Process, SERVER_CORE, on_core};

use crate::load::CALL;
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
    pub(crate) process: Process,
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
        let (process, line) = Process::ready(on_core(core, program).args(role))?;
        let address = line.trim().strip_prefix("ready ");
        let address: Option<SocketAddr> = address.and_then(|address| address.parse().ok());
        let address = address.with_context(|| format!("{name} did not start: {line}"))?;
        let path = "/bench/mcp";
        let peer = Self {
            name,
            address,
            host: address.to_string(),
            path,
            tokens,
            process,
        };
        peer.look()?;
        Ok(peer)
    }

    /// The released program, with a token that a person approved.
    pub(crate) fn keystile(folder: &Path, upstream: SocketAddr) -> Result<Self> {
        let (program, token) = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(async {
                let keystile = Keystile::start(folder, upstream).await?;
                let token = keystile.access_token().await?;
                anyhow::Ok((keystile.program, token))
            })?;
        let file = folder.join("token");
        fs::write(&file, token + "\n")?;
        let path = "/bench/mcp";
        let peer = Self {
            name: "keystile",
            address: program.address,
            host: program.host,
            path,
            tokens: Some(file),
            process: program.process,
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
        let mut command = on_core(SERVER_CORE, "nginx");
        command.arg("-c").arg(&file).stderr(Stdio::null());
        let process = Process::start(&mut command)?;
        let peer = Self {
            name: "nginx",
            address,
            host: address.to_string(),
            path: "/mcp",
            tokens: None,
            process,
        };
        while TcpStream::connect(address).is_err() {
            std::thread::yield_now();
        }
        peer.look()?;
        Ok(peer)
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
