//! Drives rmcp's own OAuth client through the acts described in `../script.mjs`.
//!
//! `MODE` is `auto` (the default), `legacy` or `2026-07-28`; `KEYSTILE_PERSON` is the path of `browser/person.mjs`.

mod report;
mod sign_in;

use anyhow::{Context, Result, bail};
use rmcp::model::{CallToolRequestParams, ClientConfig, ProtocolVersion};
use rmcp::service::RunningService;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{AuthClient, AuthorizationManager};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::report::{Store, say, until_expired};
use crate::sign_in::sign_in;

struct Task {
    url: String,
    tool: String,
    args: serde_json::Map<String, serde_json::Value>,
    acts: Vec<String>,
}

#[tokio::main]
async fn main() {
    match play().await {
        Ok(()) => say("done", json!({})),
        Err(error) => {
            say("error", json!({ "message": format!("{error:#}") }));
            std::process::exit(1);
        }
    }
}

async fn play() -> Result<()> {
    let task = task_from_arguments()?;
    let store = Store::default();
    let mut manager = AuthorizationManager::new(task.url.as_str()).await?;
    manager.set_credential_store(store.clone());
    let http = AuthClient::new(reqwest::Client::new(), manager);
    let mut caller = Caller {
        task: &task,
        store: &store,
        http,
        service: None,
    };
    let mut stdin = BufReader::new(tokio::io::stdin());
    for act in &task.acts {
        say("act", json!({ "name": act }));
        match act.as_str() {
            "refresh" => until_expired(&store.access_token().context("no token yet")?).await?,
            "revoked" => {
                say("waiting", json!({ "for": "revoked" }));
                stdin.read_line(&mut String::new()).await?;
            }
            _ => {}
        }
        let text = caller.call().await?;
        say("result", json!({ "act": act, "text": text }));
    }
    Ok(())
}

fn task_from_arguments() -> Result<Task> {
    let mut args = std::env::args().skip(1);
    let mut next = |what: &'static str| args.next().context(what);
    Ok(Task {
        url: next("MCP_URL is missing")?,
        tool: next("TOOL is missing")?,
        args: serde_json::from_str(&next("JSON_ARGS is missing")?)?,
        acts: next("ACTS is missing")?
            .split(',')
            .map(str::to_owned)
            .collect(),
    })
}

struct Caller<'a> {
    task: &'a Task,
    store: &'a Store,
    http: AuthClient<reqwest::Client>,
    service: Option<RunningService<RoleClient, ClientConfig>>,
}

impl Caller<'_> {
    /// Calls the tool, signing in when the server asks for it and starting anew when the session is gone.
    async fn call(&mut self) -> Result<String> {
        for _ in 0..3 {
            let Some(service) = &self.service else {
                match self.connect().await? {
                    Some(challenge) => self.sign_in(&challenge).await?,
                    None => self.introduce().await?,
                }
                continue;
            };
            let params = CallToolRequestParams::new(self.task.tool.clone())
                .with_arguments(self.task.args.clone());
            let error = match service.peer().call_tool(params).await {
                Ok(result) => return text_of(&serde_json::to_value(result)?),
                Err(error) => error,
            };
            match error.auth_challenge().map(str::to_owned) {
                Some(challenge) => self.sign_in(&challenge).await?,
                None => {
                    say("session_lost", json!({ "message": error.to_string() }));
                    self.service = None;
                }
            }
        }
        bail!("no result after three attempts")
    }

    /// Connects; gives the challenge when the server wants a token first.
    async fn connect(&mut self) -> Result<Option<String>> {
        let config = StreamableHttpClientTransportConfig::with_uri(self.task.url.as_str());
        let transport = StreamableHttpClientTransport::with_client(self.http.clone(), config);
        match ClientConfig::default()
            .serve_with_lifecycle(transport, lifecycle())
            .await
        {
            Ok(service) => self.service = Some(service),
            Err(error) => match error.auth_challenge() {
                Some(challenge) => return Ok(Some(challenge.to_owned())),
                None => return Err(error.into()),
            },
        }
        Ok(None)
    }

    async fn introduce(&self) -> Result<()> {
        let peer = self.service.as_ref().context("connected above")?.peer();
        let info = peer
            .peer_info()
            .map(|info| serde_json::to_value(&*info))
            .transpose()?
            .unwrap_or_default();
        say(
            "protocol",
            json!({ "version": info["protocolVersion"], "server": info["serverInfo"]["name"] }),
        );
        let tools = peer.list_all_tools().await?;
        say(
            "tools",
            json!({ "names": tools.iter().map(|t| t.name.to_string()).collect::<Vec<_>>() }),
        );
        Ok(())
    }

    async fn sign_in(&self, challenge: &str) -> Result<()> {
        say("refused", json!({ "status": 401, "challenge": challenge }));
        let manager = sign_in(&self.task.url, challenge, self.store.clone()).await?;
        *self.http.auth_manager.lock().await = manager;
        Ok(())
    }
}

fn lifecycle() -> ClientLifecycleMode {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    match std::env::var("MODE").as_deref() {
        Ok("legacy") => ClientLifecycleMode::Initialize,
        Ok("2026-07-28") => ClientLifecycleMode::Discover { preferred_versions },
        _ => ClientLifecycleMode::Auto {
            preferred_versions,
            legacy_version: None,
        },
    }
}

fn text_of(result: &serde_json::Value) -> Result<String> {
    let parts = result["content"].as_array().into_iter().flatten();
    let text = parts
        .filter_map(|part| part["text"].as_str())
        .collect::<Vec<_>>()
        .join("\n");
    if result["isError"] == true {
        bail!("the tool failed: {text}");
    }
    Ok(text)
}
