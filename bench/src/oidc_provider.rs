//! node oidc-provider in memory: `bench/peers/oidc-provider.mjs`.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use keystile_testkit::issuer::{CHALLENGE, VERIFIER};
use serde_json::Value;

use crate::connection::Connection;
use crate::lane::{Side, encoded, tokens};
use crate::process::{Process, SERVER_CORE, handed_over, on_core};

const CALLBACK: &str = "https://app.example/callback";

/// The peer.
pub struct OidcProvider {
    process: Process,
    address: SocketAddr,
    origin: String,
    authorize: String,
    asks: bool,
}

impl OidcProvider {
    /// Starts it with the Node and the packages of `cargo xtask tools`. If it `asks`, each flow goes through an interaction
    /// that says yes at once; if not, whoever is signed in has agreed.
    ///
    /// # Errors
    /// They are not installed, or it does not start.
    pub fn start(asks: bool) -> Result<Self> {
        let tools = std::fs::read(handed_over("KEYSTILE_TOOLS")?)
            .context("no tools: run cargo xtask tools first")?;
        let tools: Value = serde_json::from_slice(&tools)?;
        let place = |name: &str| tools[name].as_str().context("tools.json says where it is");
        let (node, modules) = (place("node")?, place("node_modules")?);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/oidc-provider.mjs");
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let port = address.port().to_string();
        let asking = asks.then_some("asking");
        let mut command = on_core(SERVER_CORE, node);
        command.args([script, modules, &port]).args(asking);
        let (process, line) = Process::ready(command.stderr(Stdio::null()))?;
        ensure!(line.starts_with("ready "), "oidc-provider said {line}");
        let authorize = format!(
            "/auth?response_type=code&client_id=bench&scope=bench:call&redirect_uri={}&code_challenge={CHALLENGE}&code_challenge_method=S256&resource={}&state=",
            encoded(CALLBACK),
            encoded(&format!("http://{address}/bench/mcp"))
        );
        Ok(Self {
            process,
            address,
            origin: format!("http://{address}"),
            authorize,
            asks,
        })
    }
}

impl Side for OidcProvider {
    fn name(&self) -> &'static str {
        match self.asks {
            true => "oidc-provider",
            false => "silent",
        }
    }

    fn process(&self) -> &Process {
        &self.process
    }

    async fn connect(&self, from: Ipv4Addr) -> Result<Connection> {
        Connection::open(self.address, from, &self.address.to_string()).await
    }

    async fn sign_in(&self, connection: &mut Connection) -> Result<String> {
        let mut cookies = String::new();
        let mut next = format!("{}0", self.authorize);
        while !next.starts_with(CALLBACK) {
            let answer = connection.get(&next, &cookies).await?;
            if !answer.cookies().is_empty() {
                cookies = answer.cookies();
            }
            let location = answer.header("location").context("a sign-in leads on")?;
            next = location.trim_start_matches(&*self.origin).to_owned();
        }
        Ok(session_of(&cookies))
    }

    /// Authorization request, interaction, its end, token; silent only the first and the last.
    async fn flow(
        &self,
        connection: &mut Connection,
        session: &mut String,
        state: u64,
    ) -> Result<String> {
        let path = format!("{}{state}", self.authorize);
        let mut answer = connection.get(&path, session).await?;
        if self.asks {
            let cookies = format!("{session}; {}", answer.cookies());
            for _ in 0..2 {
                let next = answer.header("location").context("it leads on")?;
                let next = next.trim_start_matches(&*self.origin).to_owned();
                answer = connection.get(&next, &cookies).await?;
            }
        }
        if self.asks {
            *session = session_of(&answer.cookies());
        }
        let code = answer.code(state)?;
        let form = format!(
            "grant_type=authorization_code&client_id=bench&redirect_uri={}&code={code}&code_verifier={VERIFIER}",
            encoded(CALLBACK)
        );
        Ok(tokens(&connection.form("/token", "", &form).await?)?.refresh)
    }

    async fn refresh(&self, connection: &mut Connection, token: &str) -> Result<String> {
        let form = format!("grant_type=refresh_token&client_id=bench&refresh_token={token}");
        Ok(tokens(&connection.form("/token", "", &form).await?)?.refresh)
    }
}

fn session_of(cookies: &str) -> String {
    let all = cookies.split("; ");
    let session: Vec<_> = all.filter(|pair| pair.starts_with("_session")).collect();
    session.join("; ")
}
