//! HTTP parsers of other makes, each of which says what it has read.

use std::any::Any;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::port;
use crate::process::Process;
use crate::proxy::{Nginx, listening};
use crate::support::{Seen, Server, TOOL_CALL, json_answer};
use crate::tools::{Tools, conformance};

/// A program that reads what the gateway forwards.
pub(crate) struct Judge {
    pub(crate) name: &'static str,
    pub(crate) url: String,
    /// What runs for it, and then what that needs: a proxy's configuration, and what stands behind it.
    _kept: Vec<Box<dyn Any>>,
}

/// One request as a judge read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    method: String,
    target: String,
    body: String,
}

const PATH: &str = "/upstream/mcp";

impl Read {
    /// What every request of the corpus is, if it is forwarded at all.
    pub(crate) fn honest() -> Self {
        Self {
            method: "POST".to_owned(),
            target: PATH.to_owned(),
            body: TOOL_CALL.to_owned(),
        }
    }

    fn of(value: &Value) -> Self {
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        Self {
            method: text("method"),
            target: text("target"),
            body: text("body"),
        }
    }
}

/// Everything that a judge has read, out of its answer.
pub(crate) fn read_by(answer: &str) -> Vec<Read> {
    let answer: Value = serde_json::from_str(answer).expect("a judge answers in JSON");
    let seen = answer["result"]["seen"]
        .as_array()
        .expect("and says what it has read");
    seen.iter().map(Read::of).collect()
}

/// What stands behind a proxy that is a judge: it gets what the proxy has read.
pub(crate) async fn recorder() -> Server {
    let seen = Arc::new(Mutex::new(Vec::new()));
    Server::start(move |request: &Seen| {
        let mut seen = seen.lock();
        seen.push(json!({
            "method": request.parts.method.as_str(),
            "target": request.parts.uri.to_string(),
            "body": String::from_utf8_lossy(&request.body),
        }));
        json_answer(&json!({"jsonrpc": "2.0", "id": 7, "result": {"seen": *seen}}).to_string())
    })
    .await
}

impl Judge {
    /// Node's parser, llhttp.
    pub(crate) fn node() -> Self {
        let mut command = Command::new(Tools::find().path("node"));
        command.arg(conformance("judges/http-server.mjs"));
        Self::that_prints_its_port("node", &mut command)
    }

    /// h11, on which uvicorn and httpx stand.
    pub(crate) fn uvicorn() -> Self {
        let mut command = Command::new(Tools::find().path("python_mcp"));
        command.arg(conformance("judges/http_server.py"));
        Self::that_prints_its_port("uvicorn", &mut command)
    }

    fn that_prints_its_port(name: &'static str, command: &mut Command) -> Self {
        let process = Process::start(command);
        let port = process.line().expect("it prints its port");
        Self {
            name,
            url: format!("http://127.0.0.1:{port}{PATH}"),
            _kept: vec![Box::new(process)],
        }
    }

    /// nginx as a proxy that keeps its connections.
    pub(crate) async fn nginx() -> Self {
        let server = recorder().await;
        let inside = "location / { proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection \"\"; }";
        let nginx = Nginx::start(server.address, inside);
        Self {
            name: "nginx",
            url: format!("http://127.0.0.1:{}{PATH}", nginx.port),
            _kept: vec![Box::new(nginx), Box::new(server)],
        }
    }

    /// HAProxy as a proxy that shares its connections.
    pub(crate) async fn haproxy() -> Self {
        let server = recorder().await;
        let port = port::free();
        let folder = TempDir::new().expect("works in a test");
        let file = folder.path().join("haproxy.cfg");
        let text = format!(
            "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n http-reuse always\n\
             frontend f\n bind 127.0.0.1:{port}\n default_backend b\n\
             backend b\n server s {}\n",
            server.address
        );
        fs::write(&file, text).expect("works in a test");
        let mut command = Command::new(Tools::find().path("haproxy"));
        command
            .args(["-db", "-q", "-f"])
            .arg(&file)
            .stderr(Stdio::inherit());
        let process = Process::start(&mut command);
        listening(port);
        Self {
            name: "haproxy",
            url: format!("http://127.0.0.1:{port}{PATH}"),
            _kept: vec![Box::new(process), Box::new(folder), Box::new(server)],
        }
    }

    /// For a gateway whose upstream is not one of the test's own servers.
    pub(crate) async fn nobody(&self) -> Server {
        Server::start(|_| json_answer("{}")).await
    }
}
