//! The servers behind the gate, and a tool of each whose answer is known.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::Process;
use crate::tools::{Tools, conformance};

/// A server that is ready to be protected.
pub(crate) struct Server {
    /// The command line of `keystile`.
    pub(crate) protect: Vec<String>,
    /// `{server}`.
    pub(crate) name: &'static str,
    pub(crate) tool: &'static str,
    pub(crate) arguments: String,
    /// What the tool's answer contains.
    pub(crate) answer: &'static str,
    /// On the command line of each child process of the gate, to find orphans by.
    pub(crate) mark: Option<String>,
    /// What lives as long as the server.
    _kept: (TempDir, Option<Process>),
}

/// `keystile demo`: the sample knowledge base.
pub(crate) fn demo(_tools: &Tools) -> Server {
    let folder = scratch();
    std::fs::write(
        folder.path().join("lighthouse.md"),
        "# Lighthouse\n\nThe keeper trims the wick at dusk.\n",
    )
    .expect("the scratch folder is ours");
    let corpus = text(folder.path());
    Server {
        protect: words(&["demo", "--folder", &corpus]),
        name: "knowledge-base",
        tool: "search",
        arguments: r#"{"query":"wick"}"#.to_owned(),
        answer: "Lighthouse",
        mark: Some(corpus),
        _kept: (folder, None),
    }
}

/// The official everything server over stdio.
pub(crate) fn everything(tools: &Tools) -> Server {
    let folder = scratch();
    let mark = text(folder.path());
    let script = tools
        .path("node_modules")
        .join("@modelcontextprotocol/server-everything/dist/index.js");
    let node = text(&tools.path("node"));
    Server {
        // It ignores the last word; we find it by that.
        protect: words(&[
            "protect",
            "--name",
            "everything",
            "--",
            &node,
            &text(&script),
            "stdio",
            &mark,
        ]),
        name: "everything",
        tool: "echo",
        arguments: r#"{"message":"through the gate"}"#.to_owned(),
        answer: "through the gate",
        mark: Some(mark),
        _kept: (folder, None),
    }
}

/// PyPI's git server over stdio, on a repository of one commit.
pub(crate) fn git(tools: &Tools) -> Server {
    let folder = scratch();
    let repository = text(folder.path());
    for arguments in [
        &["init", "--quiet"][..],
        &[
            "commit",
            "--quiet",
            "--allow-empty",
            "--message",
            "Light the first lamp",
        ],
    ] {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
        let status = Command::new("git")
            .arg("-C")
            .arg(folder.path())
            .args(identity)
            .args(arguments)
            .status();
        assert!(status.expect("git starts").success(), "git {arguments:?}");
    }
    let server = text(&tools.path("mcp_server_git"));
    Server {
        protect: words(&[
            "protect",
            "--name",
            "git",
            "--",
            &server,
            "--repository",
            &repository,
        ]),
        name: "git",
        tool: "git_log",
        arguments: serde_json::json!({ "repo_path": repository }).to_string(),
        answer: "Light the first lamp",
        mark: Some(repository),
        _kept: (folder, None),
    }
}

/// A FastMCP server over HTTP.
pub(crate) fn fastmcp(tools: &Tools) -> Server {
    let mut command = Command::new(tools.path("python_fastmcp"));
    over_http(
        command.arg(conformance("servers/fastmcp_http.py")),
        "fastmcp",
    )
}

/// A server that refuses the 2025 revisions.
pub(crate) fn modern_only(tools: &Tools) -> Server {
    let mut command = Command::new(tools.path("node"));
    over_http(
        command
            .arg(conformance("servers/modern.mjs"))
            .env("LEGACY", "reject"),
        "modern",
    )
}

/// A server on the TypeScript SDK 1.x that speaks HTTP+SSE of 2024-11-05 only.
pub(crate) fn ts_over_sse(tools: &Tools) -> Server {
    let mut command = Command::new(tools.path("node"));
    over_http(command.arg(conformance("servers/sse.mjs")), "ts-sse")
}

/// A server on the Python SDK, over the same transport.
pub(crate) fn python_over_sse(tools: &Tools) -> Server {
    let mut command = Command::new(tools.path("python_mcp"));
    over_http(command.arg(conformance("servers/py_sse.py")), "py-sse")
}

fn over_http(command: &mut Command, name: &'static str) -> Server {
    let process = Process::start(command);
    let line = process.line().expect("it says where it listens");
    let ready: Value = serde_json::from_str(&line).expect("in JSON");
    let url = ready["url"].as_str().expect("a URL");
    Server {
        protect: words(&["protect", "--name", name, url]),
        name,
        tool: "add",
        arguments: r#"{"a":20,"b":22}"#.to_owned(),
        answer: "42",
        mark: None,
        _kept: (scratch(), Some(process)),
    }
}

fn scratch() -> TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path of ours is UTF-8").to_owned()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
