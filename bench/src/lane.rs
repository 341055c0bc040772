//! One of the clients that load an issuer, each with its own session, out of one address after the other.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::connection::{Answer, Connection};
use crate::process::Process;

/// An issuer under load. What comes back is checked; an error ends the bench.
#[expect(
    async_fn_in_trait,
    reason = "one thread runs the load, nothing has to be Send"
)]
pub trait Side {
    /// For the table.
    fn name(&self) -> &'static str;

    /// For its CPU time.
    fn process(&self) -> &Process;

    /// Out of this address.
    async fn connect(&self, from: Ipv4Addr) -> Result<Connection>;

    /// The cookies of a session.
    async fn sign_in(&self, connection: &mut Connection) -> Result<String>;

    /// The whole way from the authorization request to the tokens; gives the refresh token.
    async fn flow(
        &self,
        connection: &mut Connection,
        session: &mut String,
        state: u64,
    ) -> Result<String>;

    /// Shows a refresh token; gives its successor.
    async fn refresh(&self, connection: &mut Connection, token: &str) -> Result<String>;
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Authorization code, PKCE and token with a live session.
    Flow,
    /// One refresh.
    Refresh,
}

/// One client.
pub struct Lane<'a, S> {
    side: &'a S,
    number: u32,
    connection: Connection,
    steps: u32,
    session: String,
    refresh_token: String,
}

impl<'a, S: Side> Lane<'a, S> {
    /// Signs in and runs the first flow.
    ///
    /// # Errors
    /// The issuer does not do its part.
    pub async fn begin(side: &'a S, number: u32) -> Result<Self> {
        let mut connection = side.connect(address(number, 0)).await?;
        let mut session = side.sign_in(&mut connection).await?;
        let refresh_token = side.flow(&mut connection, &mut session, 0).await?;
        Ok(Self {
            side,
            number,
            connection,
            steps: 0,
            session,
            refresh_token,
        })
    }

    /// Before a round: a connection may have rested for too long.
    ///
    /// # Errors
    /// Nobody listens any more.
    pub async fn connect(&mut self) -> Result<()> {
        let from = address(self.number, self.steps / FROM_EACH);
        self.connection = self.side.connect(from).await?;
        Ok(())
    }

    /// Does one more.
    ///
    /// # Errors
    /// The answer is not the wanted one.
    pub async fn step(&mut self, step: Step) -> Result<()> {
        self.steps += 1;
        if self.steps.is_multiple_of(FROM_EACH) {
            self.connect().await?;
        }
        let (connection, state) = (&mut self.connection, u64::from(self.steps));
        let next = match step {
            Step::Flow => self.side.flow(connection, &mut self.session, state).await?,
            Step::Refresh => self.side.refresh(connection, &self.refresh_token).await?,
        };
        ensure!(
            next != self.refresh_token,
            "the refresh token is the old one"
        );
        self.refresh_token = next;
        Ok(())
    }
}

/// What a token endpoint gives.
pub struct Tokens {
    /// A JWT.
    pub access: String,
    /// Of a client that may come again.
    pub refresh: String,
}

/// Those of a good answer of a token endpoint.
///
/// # Errors
/// It is another answer.
pub fn tokens(answer: &Answer) -> Result<Tokens> {
    ensure!(answer.status == 200, "no tokens: {}", answer.body);
    let body: Value = serde_json::from_str(&answer.body)?;
    let access = body["access_token"].as_str().context("an access token")?;
    ensure!(access.split('.').count() == 3, "it is a JWT");
    let refresh = body["refresh_token"].as_str();
    Ok(Tokens {
        access: access.to_owned(),
        refresh: refresh.context("a refresh token")?.to_owned(),
    })
}

/// For an address or a form.
#[must_use]
pub fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Out of 127.16.0.0/12 and above: 127.0.0.1 is everybody's.
fn address(lane: u32, turn: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x7F10_0000 + (lane << 14) + turn % (1 << 14))
}

/// Steps out of one address: below every limit of ours for one network.
const FROM_EACH: u32 = 200;
