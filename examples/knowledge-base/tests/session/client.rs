//! rmcp's own client in front of the server, in one process.

use std::path::Path;

use keystile_knowledge_base::{Eras, Options, Server};
use rmcp::{
    ClientLifecycleMode, ClientServiceExt as _, RoleClient, ServiceExt as _,
    model::{CallToolRequestParams, CallToolResult, ProtocolVersion},
    service::{ClientInitializeError, RunningService},
};
use serde_json::{Value, json};

pub(crate) type Client = RunningService<RoleClient, ()>;

pub(crate) fn legacy() -> ClientLifecycleMode {
    ClientLifecycleMode::Initialize
}

pub(crate) fn stateless() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
    }
}

pub(crate) async fn try_connect(
    server: Server,
    mode: ClientLifecycleMode,
) -> Result<Client, Box<ClientInitializeError>> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        if let Ok(running) = server.serve(far).await {
            let _ = running.waiting().await;
        }
    });
    ().serve_with_lifecycle(near, mode).await.map_err(Box::new)
}

pub(crate) async fn open(folder: Option<&Path>, state: &Path) -> Server {
    let options = Options {
        folder: folder.map(Path::to_owned),
        state: state.to_owned(),
    };
    Server::open(options, Eras::Both)
        .await
        .expect("the folders are fine")
}

pub(crate) async fn connect(folder: Option<&Path>, state: &Path) -> Client {
    try_connect(open(folder, state).await, stateless())
        .await
        .expect("both eras are spoken")
}

pub(crate) async fn call(client: &Client, tool: &'static str, arguments: Value) -> CallToolResult {
    let Value::Object(arguments) = arguments else {
        panic!("arguments are an object")
    };
    client
        .call_tool(CallToolRequestParams::new(tool).with_arguments(arguments))
        .await
        .expect("a tool's own failure is a result, not a protocol error")
}

pub(crate) fn text(result: &CallToolResult) -> String {
    result
        .content
        .iter()
        .filter_map(|block| block.as_text())
        .map(|block| block.text.as_str())
        .collect()
}

/// The paths found, the best first.
pub(crate) async fn search(client: &Client, query: &str) -> Vec<String> {
    let result = call(client, "search", json!({ "query": query })).await;
    assert_ne!(result.is_error, Some(true), "{}", text(&result));
    let answer = result
        .structured_content
        .expect("search answers with structure");
    let results = answer["results"].as_array().expect("a list").clone();
    results
        .iter()
        .map(|found| found["path"].as_str().expect("a path").to_owned())
        .collect()
}

/// The text of a call that must fail.
pub(crate) async fn refusal(client: &Client, tool: &'static str, arguments: Value) -> String {
    let result = call(client, tool, arguments).await;
    assert_eq!(result.is_error, Some(true), "{}", text(&result));
    text(&result)
}
