use std::fs;

use keystile_knowledge_base::{Eras, Error, Options, Server};
use rmcp::model::ReadResourceRequestParams;
use serde_json::json;

use crate::client::{call, connect, refusal, search, text};

#[tokio::test]
async fn the_default_corpus_is_this_projects_documentation() {
    let state = tempfile::tempdir().unwrap();
    let client = connect(None, state.path()).await;
    let resources = client.list_all_resources().await.unwrap();
    let own = resources
        .iter()
        .find(|found| found.name == "examples/knowledge-base/README.md");
    assert!(own.is_some(), "{resources:?}");
    assert!(!search(&client, "knowledge base").await.is_empty());
}

#[tokio::test]
async fn a_changed_folder_is_seen_by_the_next_question() {
    let folder = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.md");
    let client = connect(Some(folder.path()), state.path()).await;
    assert!(search(&client, "heron").await.is_empty());
    fs::write(&file, "# Birds\n\nA heron.").unwrap();
    assert_eq!(search(&client, "heron").await, ["a.md"]);
    fs::write(&file, "# Birds\n\nA stork, rather.").unwrap();
    assert!(search(&client, "heron").await.is_empty());
    assert_eq!(search(&client, "stork").await, ["a.md"]);
    fs::remove_file(&file).unwrap();
    assert!(search(&client, "stork").await.is_empty());
    let gone = refusal(&client, "read", json!({ "path": "a.md" })).await;
    assert!(gone.contains("no document “a.md”"), "{gone}");
}

#[tokio::test]
async fn two_folders_in_one_state_do_not_mix_but_share_notes() {
    let state = tempfile::tempdir().unwrap();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(one.path().join("a.md"), "apple").unwrap();
    fs::write(two.path().join("a.md"), "apple, another").unwrap();
    let (first, second) = (
        connect(Some(one.path()), state.path()).await,
        connect(Some(two.path()), state.path()).await,
    );
    assert_eq!(search(&first, "apple").await, ["a.md"]);
    assert_eq!(search(&second, "apple").await, ["a.md"]);
    assert!(search(&first, "another").await.is_empty());
    call(
        &first,
        "add_note",
        json!({ "title": "Fruit", "text": "quince" }),
    )
    .await;
    assert_eq!(search(&second, "quince").await, ["notes/1"]);
}

#[tokio::test]
async fn a_file_that_is_not_utf8_is_left_out_and_says_so_when_read() {
    let folder = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("latin1.md"), b"caf\xe9 latin").unwrap();
    fs::write(folder.path().join("fine.md"), "café latin").unwrap();
    let client = connect(Some(folder.path()), state.path()).await;
    assert_eq!(search(&client, "latin cafe").await, ["fine.md"]);
    assert_eq!(client.list_all_resources().await.unwrap().len(), 1);
    let refused = refusal(&client, "read", json!({ "path": "latin1.md" })).await;
    assert!(refused.contains("not UTF-8"), "{refused}");
    fs::write(folder.path().join("latin1.md"), "café latin, repaired").unwrap();
    assert_eq!(search(&client, "repaired").await, ["latin1.md"]);
}

#[tokio::test]
async fn a_path_never_leaves_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    fs::write(folder.path().join("in/a.md"), "inside").unwrap();
    fs::write(
        folder.path().parent().unwrap().join("keystile-outside.md"),
        "outside",
    )
    .unwrap();
    let client = connect(Some(&folder.path().join("in")), state.path()).await;
    let absolute = folder.path().join("in/a.md").display().to_string();
    for path in [
        "../keystile-outside.md",
        "in/../a.md",
        "./a.md",
        &absolute,
        "kb://doc/../keystile-outside.md",
        "kb://doc/%2E%2E%2Fkeystile-outside.md",
        "file:///etc/passwd",
        "a.md\0",
        "",
    ] {
        refusal(&client, "read", json!({ "path": path })).await;
        if path.contains("://") {
            client
                .read_resource(ReadResourceRequestParams::new(path))
                .await
                .unwrap_err();
        }
    }
    fs::remove_file(folder.path().parent().unwrap().join("keystile-outside.md")).unwrap();
    assert_eq!(
        text(&call(&client, "read", json!({ "path": "a.md" })).await),
        "inside"
    );
}

#[tokio::test]
async fn a_wrong_path_is_answered_with_those_that_end_alike() {
    let folder = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("docs")).unwrap();
    fs::write(folder.path().join("docs/connect.md"), "x").unwrap();
    let client = connect(Some(folder.path()), state.path()).await;
    let refused = refusal(&client, "read", json!({ "path": "connect.md" })).await;
    assert!(
        refused.contains("Did you mean docs/connect.md?"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_long_list_of_resources_comes_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    for number in 0..230 {
        fs::write(folder.path().join(format!("{number:03}.md")), "x").unwrap();
    }
    let client = connect(Some(folder.path()), state.path()).await;
    let first = client.list_resources(None).await.unwrap();
    assert_eq!(
        (first.resources.len(), first.next_cursor.as_deref()),
        (100, Some("100"))
    );
    let all = client.list_all_resources().await.unwrap();
    assert_eq!((all.len(), all[229].name.as_str()), (230, "229.md"));
}

#[tokio::test]
async fn a_state_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("taken");
    fs::write(&file, "").unwrap();
    let options = |state| Options {
        folder: None,
        state,
    };
    let error = Server::open(options(file.join("state")), Eras::Both)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::State { .. }), "{error}");
    assert!(error.to_string().contains("taken"), "{error}");

    let broken = folder.path().join("broken");
    fs::create_dir(&broken).unwrap();
    fs::write(
        broken.join("knowledge-base.sqlite"),
        "not a database, but long enough to look like one",
    )
    .unwrap();
    let error = Server::open(options(broken), Eras::Both)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("not a database"), "{error}");
}
