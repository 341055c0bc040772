use std::fs;

use proptest::prelude::*;
use serde_json::json;

use crate::client::{Client, call, connect, refusal, search, text};

async fn birds() -> (Client, tempfile::TempDir, tempfile::TempDir) {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(
        folder.path().join("heron.md"),
        "# Heron\n\nA heron waits in the reeds.",
    )
    .unwrap();
    fs::write(
        folder.path().join("stork.md"),
        "# Stork\n\nUnlike a heron it nests on roofs.",
    )
    .unwrap();
    fs::write(
        folder.path().join("token.md"),
        "# Tokens\n\nThe server refreshes each one. It is a refreshing token, naïve: a=b.",
    )
    .unwrap();
    (
        connect(Some(folder.path()), state.path()).await,
        folder,
        state,
    )
}

#[tokio::test]
async fn the_title_counts_more_than_the_text() {
    let (client, _folder, _state) = birds().await;
    assert_eq!(search(&client, "heron").await, ["heron.md", "stork.md"]);
}

#[tokio::test]
async fn forms_of_a_word_case_and_accents_do_not_matter() {
    let (client, _folder, _state) = birds().await;
    assert_eq!(search(&client, "REFRESHED tokens").await, ["token.md"]);
    assert_eq!(search(&client, "naive").await, ["token.md"]);
}

#[tokio::test]
async fn pages_with_some_words_are_given_only_if_none_has_all() {
    let (client, _folder, _state) = birds().await;
    assert_eq!(search(&client, "heron roofs").await, ["stork.md"]);
    let result = call(&client, "search", json!({ "query": "roofs reeds" })).await;
    let answer = result.structured_content.unwrap();
    assert!(answer["message"].as_str().unwrap().contains("some of them"));
    assert_eq!(answer["results"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_result_shows_the_matching_place_on_one_line() {
    let (client, _folder, _state) = birds().await;
    let result = call(&client, "search", json!({ "query": "reeds", "limit": 1 })).await;
    let answer = result.structured_content.clone().unwrap();
    let found = &answer["results"][0];
    assert_eq!(found["snippet"], "# Heron A heron waits in the **reeds**.");
    assert_eq!(
        (&found["title"], &found["uri"]),
        (&json!("Heron"), &json!("kb://doc/heron.md"))
    );
    assert_eq!(
        text(&result),
        answer.to_string(),
        "clients without structure read the same as JSON"
    );
}

#[tokio::test]
async fn nothing_found_and_nothing_asked_are_said_in_words() {
    let (client, _folder, _state) = birds().await;
    let result = call(&client, "search", json!({ "query": "penguin" })).await;
    assert!(text(&result).contains("Nothing was found"));
    for (arguments, said) in [
        (json!({ "query": "" }), "The query is empty"),
        (json!({ "query": "  " }), "The query is empty"),
        (json!({ "query": "\"*\" (" }), "no word to look for"),
        (json!({ "query": "heron", "limit": 0 }), "1 to 50"),
        (json!({ "query": "heron", "limit": 51 }), "1 to 50"),
    ] {
        let refused = refusal(&client, "search", arguments).await;
        assert!(refused.contains(said), "{refused}");
    }
}

#[tokio::test]
async fn the_operators_of_the_index_mean_nothing_in_a_query() {
    let (client, _folder, _state) = birds().await;
    for query in [
        "heron AND",
        "OR",
        "NOT heron",
        "heron NEAR(",
        "title:heron",
        "{title text}: heron",
        "^heron",
        "heron*",
        "heron + stork",
        "\"heron",
        "heron\"",
        "' OR 1=1 --",
        "-heron",
        "a\0b heron",
        "(((",
        "heron)",
        "page_words:heron",
        "\u{1F426} heron",
        "e\u{301}",
        "²",
    ] {
        let result = call(&client, "search", json!({ "query": query })).await;
        let said = text(&result);
        assert!(
            !said.contains("index of the knowledge base failed"),
            "{query}: {said}"
        );
    }
}

#[test]
fn no_text_whatever_makes_the_index_fail() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (client, _folder, _state) = runtime.block_on(birds());
    proptest!(ProptestConfig::with_cases(300), |(query in "\\PC*|[\"a-c()*:^+{} -]{0,12}|[\\x00-\\xff]{0,8}")| {
        let result = runtime.block_on(call(&client, "search", json!({ "query": query })));
        prop_assert!(!text(&result).contains("failed"), "{}", text(&result));
    });
}
