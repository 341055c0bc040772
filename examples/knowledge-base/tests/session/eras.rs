use keystile_knowledge_base::{Eras, Options, Server};
use rmcp::{
    ClientLifecycleMode,
    model::{GetPromptRequestParams, ProtocolVersion, ReadResourceRequestParams},
};
use serde_json::json;

use crate::client::{call, legacy, open, search, stateless, text, try_connect};

/// Tools, resources, templates and the prompt, as one client after the other sees them.
async fn everything_works(mode: ClientLifecycleMode, version: ProtocolVersion) {
    let folder = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("bees.md"),
        "# Bees\n\nHoney comes from nectar.",
    )
    .unwrap();
    let server = open(Some(folder.path()), state.path()).await;
    let client = try_connect(server, mode)
        .await
        .expect("both eras are spoken");
    let info = client.peer_info().expect("the server said who it is");
    assert_eq!(info.protocol_version, version);
    assert_eq!(
        info.server_info.as_ref().unwrap().name,
        "keystile-knowledge-base"
    );

    let tools = client.list_all_tools().await.unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    assert_eq!(names, ["add_note", "read", "search"]);
    for tool in &tools {
        let hints = tool.annotations.as_ref().expect("every tool has hints");
        assert_eq!(
            hints.read_only_hint,
            Some(tool.name != "add_note"),
            "{}",
            tool.name
        );
        assert_eq!(hints.open_world_hint, Some(false));
        assert_eq!(tool.output_schema.is_some(), tool.name != "read");
        let properties = tool.input_schema["properties"].as_object().unwrap();
        assert!(
            properties
                .values()
                .all(|property| property["description"].is_string())
        );
        assert_eq!(tool.input_schema["additionalProperties"], false);
        assert!(
            properties
                .values()
                .all(|property| property["type"].is_string()),
            "{properties:?}"
        );
    }

    assert_eq!(search(&client, "nectar").await, ["bees.md"]);
    let page = call(&client, "read", json!({ "path": "kb://doc/bees.md" })).await;
    assert!(text(&page).contains("Honey comes"));

    let resources = client.list_all_resources().await.unwrap();
    assert_eq!(resources.len(), 1);
    assert_eq!(
        (resources[0].uri.as_str(), resources[0].title.as_deref()),
        ("kb://doc/bees.md", Some("Bees"))
    );
    let read = client
        .read_resource(ReadResourceRequestParams::new("kb://doc/bees.md"))
        .await
        .unwrap();
    let read = serde_json::to_value(&read.contents).unwrap();
    assert_eq!(read[0]["mimeType"], "text/markdown");
    assert!(read[0]["text"].as_str().unwrap().contains("nectar"));
    let templates = client.list_all_resource_templates().await.unwrap();
    assert_eq!(templates.len(), 2);

    let prompts = client.list_all_prompts().await.unwrap();
    assert_eq!(prompts[0].name, "ask");
    let arguments = json!({ "topic": "nectar" }).as_object().cloned().unwrap();
    let asked = client
        .get_prompt(GetPromptRequestParams::new("ask").with_arguments(arguments))
        .await
        .unwrap();
    let asked = serde_json::to_string(&asked.messages).unwrap();
    assert!(asked.contains("kb://doc/bees.md"), "{asked}");
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn a_client_of_2025_gets_everything_after_initialize() {
    everything_works(legacy(), ProtocolVersion::V_2025_11_25).await;
}

#[tokio::test]
async fn a_client_of_2026_gets_everything_without_initialize() {
    everything_works(stateless(), ProtocolVersion::V_2026_07_28).await;
}

async fn only(eras: Eras) -> (Server, tempfile::TempDir) {
    let state = tempfile::tempdir().unwrap();
    let options = Options {
        folder: None,
        state: state.path().to_owned(),
    };
    (Server::open(options, eras).await.unwrap(), state)
}

#[tokio::test]
async fn a_2026_only_server_refuses_initialize_and_names_its_version() {
    let (server, _state) = only(Eras::Only2026).await;
    let refused = try_connect(server.clone(), legacy())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("-32022") && refused.contains(r#""supported":["2026-07-28"]"#),
        "{refused}"
    );
    let client = try_connect(server, stateless()).await.unwrap();
    assert!(!client.list_all_tools().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_2025_only_server_refuses_discover_and_takes_initialize() {
    let (server, _state) = only(Eras::Only2025).await;
    assert!(try_connect(server.clone(), stateless()).await.is_err());
    let client = try_connect(server, legacy()).await.unwrap();
    assert!(!client.list_all_tools().await.unwrap().is_empty());
}
