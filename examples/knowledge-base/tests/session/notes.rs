use rmcp::model::{CallToolRequestParams, ReadResourceRequestParams};
use serde_json::json;

use crate::client::{call, connect, refusal, search, text};

#[tokio::test]
async fn a_note_is_found_at_once_by_every_process_of_the_state() {
    let state = tempfile::tempdir().unwrap();
    let (one, two) = (
        connect(None, state.path()).await,
        connect(None, state.path()).await,
    );
    let added = call(
        &one,
        "add_note",
        json!({ "title": "Wi-Fi", "text": "It is zebra-42." }),
    )
    .await;
    let answer = added.structured_content.unwrap();
    assert_eq!(answer, json!({ "path": "notes/1", "uri": "kb://note/1" }));
    assert_eq!(search(&two, "zebra-42").await, ["notes/1"]);
    let read = call(&two, "read", json!({ "path": "notes/1" })).await;
    assert_eq!(text(&read), "# Wi-Fi\n\nIt is zebra-42.\n");
    two.read_resource(ReadResourceRequestParams::new("kb://note/1"))
        .await
        .unwrap();
    let listed = two.list_all_resources().await.unwrap();
    assert_eq!(listed.last().unwrap().uri, "kb://note/1");
}

#[tokio::test]
async fn a_note_outlives_its_server() {
    let state = tempfile::tempdir().unwrap();
    let first = connect(None, state.path()).await;
    call(
        &first,
        "add_note",
        json!({ "title": "Kept", "text": "walrus" }),
    )
    .await;
    first.cancel().await.unwrap();
    let second = connect(None, state.path()).await;
    assert_eq!(search(&second, "walrus").await, ["notes/1"]);
}

#[tokio::test]
async fn notes_written_at_once_each_get_their_own_number() {
    let state = tempfile::tempdir().unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let client = connect(None, state.path()).await;
        writers.spawn(async move {
            let title = format!("Number {number}");
            call(
                &client,
                "add_note",
                json!({ "title": title, "text": "walrus" }),
            )
            .await
        });
    }
    let mut paths: Vec<_> = writers
        .join_all()
        .await
        .into_iter()
        .map(|result| {
            result.structured_content.unwrap()["path"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    paths.sort();
    let wanted: Vec<_> = (1..=8).map(|number| format!("notes/{number}")).collect();
    assert_eq!(paths, wanted);
}

#[tokio::test]
async fn a_note_has_limits() {
    let state = tempfile::tempdir().unwrap();
    let client = connect(None, state.path()).await;
    for (title, text, said) in [
        ("", "x", "one line"),
        (" \n", "x", "one line"),
        ("two\nlines", "x", "one line"),
        (&"x".repeat(201), "x", "200 characters"),
        ("x", " \n", "1 to 65536 bytes"),
        ("x", &"x".repeat(65_537), "65537"),
        ("x", "nul\0", "control characters"),
    ] {
        let refused = refusal(&client, "add_note", json!({ "title": title, "text": text })).await;
        assert!(refused.contains(said), "{refused}");
    }
    assert!(
        search(&client, "x")
            .await
            .iter()
            .all(|path| !path.starts_with("notes/"))
    );
}

#[tokio::test]
async fn a_client_cannot_say_where_a_note_goes() {
    let state = tempfile::tempdir().unwrap();
    let client = connect(None, state.path()).await;
    let arguments = json!({ "title": "a", "text": "b", "path": "../../x.md" });
    let request = CallToolRequestParams::new("add_note")
        .with_arguments(arguments.as_object().cloned().unwrap());
    let refused = match client.call_tool(request).await {
        Ok(result) => text(&result),
        Err(error) => error.to_string(),
    };
    assert!(refused.contains("unknown field `path`"), "{refused}");
}
