//! The program in front of a server, and the people who listen.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use keystile_bench::connection::Connection;
use keystile_bench::keystile::{Client, Program, Upstream, add_person, sign_in};
use keystile_bench::lane::Tokens;
use keystile_bench::process::handed_over;
use keystile_bench::streaming::Line;
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};

pub(crate) struct Gate {
    pub(crate) program: Program,
    pub(crate) people: Vec<Person>,
    client: Client,
    binary: PathBuf,
    data: PathBuf,
}

pub(crate) struct Person {
    pub(crate) number: usize,
    pub(crate) name: String,
    pub(crate) token: String,
    refresh: String,
    from: Ipv4Addr,
    to: SocketAddr,
    host: String,
}

/// The ways in which the product ends what somebody may do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending {
    UserDisable,
    UserRemove,
    GrantRevoke,
    /// RFC 7009.
    Endpoint,
}

impl Ending {
    pub(crate) const ALL: [Self; 4] = [
        Self::UserDisable,
        Self::GrantRevoke,
        Self::Endpoint,
        Self::UserRemove,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::UserDisable => "keystile user disable",
            Self::UserRemove => "keystile user remove",
            Self::GrantRevoke => "keystile grant revoke",
            Self::Endpoint => "POST /oauth/revoke",
        }
    }
}

const PASSWORD: &str = "kelp-lantern-ostrich-42";

impl Gate {
    /// Starts the program; so many people sign in and approve the client. `at` is the number of the gate.
    pub(crate) async fn start(
        folder: &Path,
        at: u8,
        upstream: &Upstream,
        people: u8,
    ) -> Result<Self> {
        let binary = handed_over("KEYSTILE_BIN")?;
        let data = folder.join(at.to_string());
        for person in 0..people {
            add_person(&binary, &data, (&name(person), PASSWORD))?;
        }
        let port = free_port()?;
        let start = || {
            let flags = ["--port", &port, "--access-token-lifetime", "60m"];
            let mut command = Command::new(&binary);
            // Its allocator keeps 2 MiB pages for itself, in which hundreds of streams would not be seen.
            command.env("MIMALLOC_ALLOW_THP", "0");
            command.env("MIMALLOC_PURGE_DELAY", "0");
            Program::start_with(command, &data, upstream, &flags)
        };
        let program = start()?;
        let (to, host) = (program.address, program.host.clone());
        let mut connection = Connection::open(to, Ipv4Addr::LOCALHOST, &host).await?;
        let client = Client::register(&mut connection, "streams", &program.mcp_url).await?;
        let mut listeners = Vec::new();
        for person in 0..people {
            // An address of their own: the limits for one are not what is looked at.
            let from = Ipv4Addr::new(127, 48 + at, person, 1);
            let mut connection = Connection::open(to, from, &host).await?;
            let cookies = sign_in(&mut connection, (&name(person), PASSWORD)).await?;
            let Tokens { access, refresh } = client.approved(&mut connection, &cookies, 0).await?;
            listeners.push(Person {
                number: usize::from(person),
                name: name(person),
                token: access,
                refresh,
                from,
                to,
                host: host.clone(),
            });
        }
        // What passwords took of the memory would hide what streams take.
        drop(program);
        Ok(Self {
            program: start()?,
            people: listeners,
            client,
            binary,
            data,
        })
    }

    /// Ends what this person's client may do; returns when the product says that it is done.
    pub(crate) async fn end(&self, person: &Person, how: Ending) -> Result<()> {
        let name = person.name.as_str();
        match how {
            Ending::UserDisable => drop(self.ask(&["user", "disable", name]).await?),
            Ending::UserRemove => drop(self.ask(&["user", "remove", name]).await?),
            Ending::GrantRevoke => {
                let id = self.grant(person).await?;
                drop(self.ask(&["grant", "revoke", &id]).await?);
            }
            Ending::Endpoint => {
                let mut connection = Connection::open(person.to, person.from, &person.host).await?;
                self.client.revoke(&mut connection, &person.refresh).await?;
            }
        }
        Ok(())
    }

    async fn grant(&self, person: &Person) -> Result<String> {
        let grants = self.ask(&["grant", "list", "--user", &person.name]).await?;
        let id = grants[0]["id"].as_str().context("there is a grant")?;
        Ok(id.to_owned())
    }

    /// What a command says.
    async fn ask<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<Value> {
        let mut command = tokio::process::Command::new(&self.binary);
        command.arg("--data-dir").arg(&self.data).arg("--json");
        let output = command.args(words).stdin(Stdio::null()).output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "keystile: {said}");
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

impl Person {
    pub(crate) async fn dial(&self) -> Result<Line> {
        Line::open(self.to, self.from, &self.host).await
    }

    /// A connection on which nothing is said yet.
    pub(crate) async fn connect(&self) -> Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((self.from, 0)))?;
        Ok(socket.connect(self.to).await?)
    }
}

fn free_port() -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port().to_string())
}

fn name(person: u8) -> String {
    format!("person{person}")
}
