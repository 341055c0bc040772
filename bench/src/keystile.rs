//! The released program: SQLite on disk, audit trail on, limits on.

mod client;
mod program;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Result;
use keystile_testkit::issuer::PERSON;

use crate::connection::Connection;
use crate::lane::Side;
use crate::process::{Process, SERVER_CORE, handed_over, on_core};
pub use client::{Client, sign_in};
pub use program::{Program, Upstream, add_person};

/// The program on [`SERVER_CORE`], with a person and a client.
pub struct Keystile {
    /// As it is without them.
    pub program: Program,
    client: Client,
}

impl Keystile {
    /// Starts it in front of `upstream` with its data in `folder`, adds a person and registers a client.
    ///
    /// # Errors
    /// The program is not there or does not do its part.
    pub async fn start(folder: &Path, upstream: SocketAddr) -> Result<Self> {
        let binary = handed_over("KEYSTILE_BIN")?;
        let data = folder.join("keystile");
        add_person(&binary, &data, PERSON)?;
        let program = Program::start(on_core(SERVER_CORE, binary), &data, &upstream.into())?;
        let mut connection =
            Connection::open(program.address, Ipv4Addr::LOCALHOST, &program.host).await?;
        let client = Client::register(&mut connection, "bench", &program.mcp_url).await?;
        Ok(Self { program, client })
    }

    /// Of the person, who signs in and approves the client.
    ///
    /// # Errors
    /// The program does not do its part.
    pub async fn access_token(&self) -> Result<String> {
        let mut connection = self.connect(Ipv4Addr::LOCALHOST).await?;
        let session = self.sign_in(&mut connection).await?;
        let approved = self.client.approved(&mut connection, &session, 0);
        Ok(approved.await?.access)
    }
}

impl Side for Keystile {
    fn name(&self) -> &'static str {
        "keystile"
    }

    fn process(&self) -> &Process {
        &self.program.process
    }

    async fn connect(&self, from: Ipv4Addr) -> Result<Connection> {
        Connection::open(self.program.address, from, &self.program.host).await
    }

    async fn sign_in(&self, connection: &mut Connection) -> Result<String> {
        sign_in(connection, PERSON).await
    }

    async fn flow(
        &self,
        connection: &mut Connection,
        session: &mut String,
        state: u64,
    ) -> Result<String> {
        let approved = self.client.approved(connection, session, state);
        Ok(approved.await?.refresh)
    }

    async fn refresh(&self, connection: &mut Connection, token: &str) -> Result<String> {
        Ok(self.client.refreshed(connection, token).await?.refresh)
    }
}
