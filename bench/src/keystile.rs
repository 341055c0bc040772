//! The released program: SQLite on disk, audit trail on, limits on.

mod program;

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use keystile_testkit::issuer::{CHALLENGE, PERSON, VERIFIER};
use serde_json::{Value, json};

use crate::connection::Connection;
use crate::lane::{Side, Tokens, encoded, tokens};
use crate::process::{Process, SERVER_CORE, handed_over, on_core};
pub use program::Program;

const CALLBACK: &str = "http://127.0.0.1/callback";

/// The program on [`SERVER_CORE`], with a person and a client.
pub struct Keystile {
    /// As it is without them.
    pub program: Program,
    client: String,
    /// Of the authorization request, without state.
    authorize: String,
}

impl Keystile {
    /// Starts it in front of `upstream` with its data in `folder`, adds a person and registers a client.
    ///
    /// # Errors
    /// The program is not there or does not do its part.
    pub async fn start(folder: &Path, upstream: SocketAddr) -> Result<Self> {
        let binary = handed_over("KEYSTILE_BIN")?;
        let data = folder.join("keystile");
        add_person(&binary, &data)?;
        let program = Program::start(on_core(SERVER_CORE, binary), &data, upstream)?;
        let mut connection =
            Connection::open(program.address, Ipv4Addr::LOCALHOST, &program.host).await?;
        let client = json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none" });
        let (path, client) = ("/oauth/register", client.to_string());
        let answer = connection.post(path, "", "application/json", &client);
        let answer: Value = serde_json::from_str(&answer.await?.body)?;
        let client = answer["client_id"].as_str().context("a client_id")?;
        let authorize = format!(
            "/oauth/authorize?response_type=code&client_id={}&redirect_uri={}&code_challenge={CHALLENGE}&code_challenge_method=S256&resource={}&state=",
            encoded(client),
            encoded(CALLBACK),
            encoded(&program.mcp_url)
        );
        Ok(Self {
            program,
            client: encoded(client),
            authorize,
        })
    }

    /// Of the person, who signs in and approves the client.
    ///
    /// # Errors
    /// The program does not do its part.
    pub async fn access_token(&self) -> Result<String> {
        let mut connection = self.connect(Ipv4Addr::LOCALHOST).await?;
        let session = self.sign_in(&mut connection).await?;
        Ok(self.approved(&mut connection, &session, 0).await?.access)
    }

    /// Authorization request, consent page, yes, token: four requests, because consent always takes a click.
    async fn approved(
        &self,
        connection: &mut Connection,
        session: &str,
        state: u64,
    ) -> Result<Tokens> {
        let begun = connection
            .get(&format!("{}{state}", self.authorize), "")
            .await?;
        let page = begun.header("location").context("a sign-in begins")?;
        let tx = begun.location_param("tx").context("a transaction")?;
        let consent = connection.get(page, session).await?;
        ensure!(consent.status == 200, "no consent page: {}", consent.status);
        let csrf = consent
            .body
            .split_once(r#"name="csrf" value=""#)
            .and_then(|(_, rest)| rest.split_once('"'))
            .context("a consent page has a form")?;
        let form = format!("tx={tx}&csrf={}&decision=allow", encoded(csrf.0));
        let answer = connection.form("/ks/consent", session, &form).await?;
        let code = answer.location_param("code");
        let code = code.with_context(|| format!("no code: {}", answer.body))?;
        ensure!(
            answer.location_param("state") == Some(&*state.to_string()),
            "the state came back as another"
        );
        let form = format!(
            "grant_type=authorization_code&client_id={}&redirect_uri={}&code={code}&code_verifier={VERIFIER}",
            self.client,
            encoded(CALLBACK)
        );
        tokens(&connection.form("/oauth/token", "", &form).await?)
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
        let (name, password) = (encoded(PERSON.0), encoded(PERSON.1));
        let form = format!("tx=&username={name}&password={password}");
        let answer = connection.form("/ks/sign-in", "", &form).await?;
        ensure!(answer.status == 303, "no sign-in: {}", answer.body);
        Ok(answer.cookies())
    }

    async fn flow(
        &self,
        connection: &mut Connection,
        session: &mut String,
        state: u64,
    ) -> Result<String> {
        Ok(self.approved(connection, session, state).await?.refresh)
    }

    async fn refresh(&self, connection: &mut Connection, token: &str) -> Result<String> {
        let client = &self.client;
        let form = format!("grant_type=refresh_token&client_id={client}&refresh_token={token}");
        Ok(tokens(&connection.form("/oauth/token", "", &form).await?)?.refresh)
    }
}

fn add_person(binary: &Path, data: &Path) -> Result<()> {
    let mut child = Command::new(binary)
        .arg("--data-dir")
        .arg(data)
        .args(["user", "add", PERSON.0, "--password-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("the released program starts")?;
    let mut input = child.stdin.take().context("it is piped")?;
    writeln!(input, "{}", PERSON.1)?;
    drop(input);
    ensure!(child.wait()?.success(), "keystile could not add a person");
    Ok(())
}
