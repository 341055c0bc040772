//! The released program in front of the upstream, with a token that a person approved.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use axum::Router;
use axum::body::Body;
use http::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use keystile_testkit::browser::Browser;
use keystile_testkit::issuer::{CHALLENGE, PERSON, VERIFIER, sign_in};
use serde_json::{Value, json};

/// Ended when it is dropped.
pub(crate) struct Installation {
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
    pub(crate) token: String,
    pub(crate) child: Child,
}

const CALLBACK: &str = "http://127.0.0.1/callback";

impl Installation {
    /// `keystile protect http://UPSTREAM/mcp` on this core, with its data in `folder`.
    pub(crate) fn start(folder: &Path, upstream: SocketAddr, core: &str) -> Result<Self> {
        let program = program()?;
        let data = folder.join("keystile");
        add_person(&program, &data)?;
        let mut child = Command::new("taskset")
            .args(["-c", core])
            .arg(&program)
            .arg("--data-dir")
            .arg(&data)
            .args(["--json", "protect", &format!("http://{upstream}/mcp")])
            .args(["--name", "bench", "--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        let output = child.stdout.as_mut().context("it is piped")?;
        BufReader::new(output).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line).context("keystile did not start")?;
        let issuer = ready["issuer"].as_str().context("it says its issuer")?;
        let mcp = ready["mcp_url"].as_str().context("it says its URL")?;
        let port = issuer.rsplit(':').next().and_then(|port| port.parse().ok());
        let port: u16 = port.context("its issuer has a port")?;
        let host = format!("localhost:{port}");
        let token = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(approved(issuer, mcp))?;
        Ok(Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            host,
            token,
            child,
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "`cargo xtask bench` hands the program over this way"
)]
fn program() -> Result<PathBuf> {
    let program = std::env::var_os("KEYSTILE_BIN");
    Ok(program
        .context("run me as `cargo xtask bench gateway`")?
        .into())
}

fn add_person(program: &Path, data: &Path) -> Result<()> {
    let mut child = Command::new(program)
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
    if !child.wait()?.success() {
        bail!("keystile could not add a person");
    }
    Ok(())
}

/// Registers a client, signs in, approves, and redeems the code.
async fn approved(issuer: &str, resource: &str) -> Result<String> {
    let mut browser = Browser::new(beyond(issuer), issuer);
    let client = json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none" });
    let client = send(
        issuer,
        "/oauth/register",
        "application/json",
        client.to_string(),
    )
    .await?;
    let client = client["client_id"].as_str().context("a client_id")?;
    let query = form(&[
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", CALLBACK),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("resource", resource),
    ]);
    let page = browser.open(&format!("/oauth/authorize?{query}")).await;
    let reply = sign_in(&mut browser, &page.input("tx")).await;
    let location = reply.location().context("a sign-in leads on")?.to_owned();
    let consent = browser.open(&location).await;
    let fields = [
        ("tx", consent.input("tx")),
        ("csrf", consent.input("csrf")),
        ("decision", "allow".to_owned()),
    ];
    let fields = fields
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let reply = browser.submit("/ks/consent", &fields).await;
    let code = reply.location_params();
    let code = code.iter().find(|(name, _)| name == "code");
    let (_, code) = code.context("an approval has a code")?;
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("redirect_uri", CALLBACK),
        ("code", code),
        ("code_verifier", VERIFIER),
    ]);
    let answer = send(
        issuer,
        "/oauth/token",
        "application/x-www-form-urlencoded",
        body,
    )
    .await?;
    let token = answer["access_token"].as_str();
    Ok(token
        .with_context(|| format!("no token: {answer}"))?
        .to_owned())
}

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// A router whose every path is on a server elsewhere.
fn beyond(origin: &str) -> Router {
    let origin = origin.to_owned();
    Router::new().fallback(move |request| pass(origin.clone(), request))
}

async fn pass(origin: String, mut request: Request<Body>) -> Response<Body> {
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    *request.uri_mut() = format!("{origin}{path}").parse().expect("a path of ours");
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.expect("the program answers");
    answer.map(Body::new)
}

async fn send(origin: &str, path: &str, media: &str, body: String) -> Result<Value> {
    let uri: Uri = path.parse()?;
    let request = Request::post(uri)
        .header("content-type", media)
        .body(Body::from(body))?;
    let answer = pass(origin.to_owned(), request).await;
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await?;
    Ok(serde_json::from_slice(&body)?)
}
