use std::{fs, path::Path};

use rmcp::{
    ClientLifecycleMode, ClientServiceExt as _,
    model::{CallToolRequestParams, ProtocolVersion},
    transport::TokioChildProcess,
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::program;

fn state(folder: &Path) -> [&str; 2] {
    ["--state", folder.to_str().unwrap()]
}

/// Writes the lines, closes standard input, and gives the exit code, the answers, and standard error.
async fn converse(arguments: &[&str], lines: &[u8]) -> (Option<i32>, Vec<Value>, String) {
    let mut child = program(arguments).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // A child that refuses to start does not read.
    let _ = input.write_all(lines).await;
    drop(input);
    let output = child.wait_with_output().await.unwrap();
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers = answers
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (
        output.status.code(),
        answers,
        String::from_utf8(output.stderr).unwrap(),
    )
}

async fn a_child_answers(mode: ClientLifecycleMode) {
    let folder = tempfile::tempdir().unwrap();
    let child = TokioChildProcess::new(program(state(folder.path()))).unwrap();
    let client = ().serve_with_lifecycle(child, mode).await.unwrap();
    let arguments = json!({ "query": "keystile" }).as_object().cloned().unwrap();
    let request = CallToolRequestParams::new("search").with_arguments(arguments);
    assert_eq!(
        client.call_tool(request).await.unwrap().is_error,
        Some(false)
    );
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn a_child_process_speaks_with_a_client_of_2025() {
    a_child_answers(ClientLifecycleMode::Initialize).await;
}

#[tokio::test]
async fn a_child_process_speaks_with_a_client_of_2026() {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    a_child_answers(ClientLifecycleMode::Discover { preferred_versions }).await;
}

#[tokio::test]
async fn the_end_of_input_is_a_clean_end() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = state(folder.path());
    let (code, answers, said) = converse(&arguments, b"").await;
    assert_eq!((code, answers.len(), said.as_str()), (Some(0), 0, ""));

    let lines = [
        initialize(1),
        json!({"jsonrpc":"2.0","method":"notifications/initialized"}),
        search(2),
    ];
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let (code, answers, said) = converse(&arguments, lines.as_bytes()).await;
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let ids: Vec<_> = answers.iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(
        ids,
        [1, 2],
        "what was asked before the end is still answered"
    );
}

#[tokio::test]
async fn garbage_on_standard_input_does_not_end_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = format!("{}\n", initialize(1)).into_bytes();
    lines.extend_from_slice(b"not json\n{\"jsonrpc\":\"2.0\"}\n\n[]\n");
    lines.extend_from_slice(format!("{}\n", search(2)).as_bytes());
    let (code, answers, _) = converse(&state(folder.path()), &lines).await;
    assert_eq!(code, Some(0));
    assert!(
        answers
            .iter()
            .any(|answer| answer["id"] == 2 && answer["result"].is_object()),
        "{answers:?}"
    );
}

#[tokio::test]
async fn a_bad_folder_or_state_is_said_on_standard_error_and_nothing_on_output() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.md");
    fs::write(&file, "x").unwrap();
    let (file, good) = (file.to_str().unwrap(), folder.path().join("state"));
    let good = good.to_str().unwrap();
    for (arguments, code, wanted) in [
        (
            vec!["/no/such/folder", "--state", good],
            1,
            "/no/such/folder",
        ),
        (
            vec![file, "--state", good],
            1,
            "a folder of .md files was expected",
        ),
        (vec!["--state", file], 1, "file.md"),
        (vec!["--state", "/proc/nope"], 1, "/proc/nope"),
        (vec!["--only", "2024"], 2, "2025, 2026"),
        (
            vec!["--http", "0.0.0.0:0", "--state", good],
            1,
            "put Keystile in front",
        ),
        (vec!["--http", "localhost", "--state", good], 2, "--http"),
    ] {
        let (got, answers, said) = converse(&arguments, b"").await;
        assert_eq!(
            (got, answers.len()),
            (Some(code), 0),
            "{arguments:?}: {said}"
        );
        assert!(said.contains(wanted), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn many_children_that_start_at_once_share_a_new_state_folder() {
    let folder = tempfile::tempdir().unwrap();
    let state_folder = folder.path().join("new");
    let mut children = tokio::task::JoinSet::new();
    for number in 0..12 {
        let folder = state_folder.clone();
        children.spawn(async move {
            let lines = format!("{}\n{}\n{}\n", initialize(1), note(2, number), search(3));
            converse(&state(&folder), lines.as_bytes()).await
        });
    }
    let mut paths = Vec::new();
    for (code, answers, said) in children.join_all().await {
        assert_eq!((code, said.as_str()), (Some(0), ""));
        let answer =
            |id| answers.iter().find(|answer| answer["id"] == id).unwrap()["result"].clone();
        assert_eq!(answer(3)["isError"], false, "{answers:?}");
        paths.push(
            answer(2)["structuredContent"]["path"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 12, "each note has its own path");
}

fn initialize(id: u32) -> Value {
    let params = json!({
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" },
    });
    json!({ "jsonrpc": "2.0", "id": id, "method": "initialize", "params": params })
}

fn search(id: u32) -> Value {
    let params = json!({ "name": "search", "arguments": { "query": "keystile" } });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
}

fn note(id: u32, number: u32) -> Value {
    let arguments = json!({ "title": format!("Note {number}"), "text": "walrus" });
    let params = json!({ "name": "add_note", "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
}
