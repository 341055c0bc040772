use rmcp::{
    Json,
    handler::server::wrapper::Parameters,
    model::{CallToolResult, ContentBlock},
    tool, tool_router,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Server;
use crate::{Error, address, index::Found, query::Query};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchRequest {
    /// Words to look for; put several in double quotes to find them side by side.
    query: String,
    /// How many results to give at most, the best ones first.
    #[serde(default = "limit_default")]
    #[schemars(schema_with = "limit_schema")]
    limit: u32,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SearchAnswer {
    /// What was found, in one sentence.
    message: String,
    /// The best match first.
    results: Vec<SearchResult>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SearchResult {
    /// The document's first heading, or the note's title.
    title: String,
    /// What `read` takes.
    path: String,
    /// The same page as a resource.
    uri: String,
    /// The place that matches best, on one line; matching words stand between `**`.
    snippet: String,
    /// Higher is better; comparable within one answer only.
    score: f64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadRequest {
    /// A `path` or `uri` from `search` or from the list of resources, such as `README.md`.
    path: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoteRequest {
    /// One line of at most 200 characters.
    #[schemars(length(min = 1, max = 200))]
    title: String,
    /// Plain text or Markdown, at most 64 KiB.
    #[schemars(length(min = 1, max = 65536))]
    text: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct NoteAnswer {
    /// What `read` takes.
    path: String,
    /// The note as a resource.
    uri: String,
}

#[tool_router(vis = "pub(super)")]
impl Server {
    #[tool(
        name = "search",
        description = "Find documents and notes by their words, the best match first. Forms of a word count as the word; case and accents don't matter.",
        annotations(
            title = "Search the knowledge base",
            read_only_hint = true,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn search(
        &self,
        Parameters(request): Parameters<SearchRequest>,
    ) -> Result<Json<SearchAnswer>, String> {
        let limit = request.limit;
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(format!(
                "`limit` is {limit}, and 1 to {LIMIT_MAX} was expected."
            ));
        }
        let query = Query::parse(&request.query).map_err(said)?;
        let (found, partly) = self.index.search(&query, limit).await.map_err(said)?;
        let message = match (found.len(), partly) {
            (0, _) => "Nothing was found. Try fewer or other words.".to_owned(),
            (count, false) if count == limit as usize => {
                format!("The best {count} that have all the words; there may be more.")
            }
            (1, false) => "1 page has all the words.".to_owned(),
            (count, false) => format!("{count} pages have all the words."),
            (_, true) => "No page has all the words; these have some of them.".to_owned(),
        };
        Ok(Json(SearchAnswer {
            message,
            results: found.into_iter().map(result).collect(),
        }))
    }

    #[tool(
        name = "read",
        description = "Give the whole text of one document or note as Markdown.",
        annotations(
            title = "Read a document",
            read_only_hint = true,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn read(
        &self,
        Parameters(request): Parameters<ReadRequest>,
    ) -> Result<CallToolResult, String> {
        let path = address::path(&request.path).ok_or_else(|| {
            format!(
                "“{}” is no path or kb:// URI of this knowledge base.",
                request.path
            )
        })?;
        let page = self.index.read(&path).await.map_err(said)?;
        Ok(CallToolResult::success(vec![ContentBlock::text(page.text)]))
    }

    #[tool(
        name = "add_note",
        description = "Keep a note. It is found by `search` at once, by everybody who uses this knowledge base.",
        annotations(
            title = "Add a note",
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = false
        )
    )]
    async fn add_note(
        &self,
        Parameters(request): Parameters<NoteRequest>,
    ) -> Result<Json<NoteAnswer>, String> {
        let page = self
            .index
            .add_note(&request.title, &request.text)
            .await
            .map_err(said)?;
        Ok(Json(NoteAnswer {
            uri: address::uri(&page.path),
            path: page.path,
        }))
    }
}

fn result(found: Found) -> SearchResult {
    SearchResult {
        uri: address::uri(&found.path),
        title: found.title,
        path: found.path,
        snippet: found
            .snippet
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
        score: found.score,
    }
}

/// The text of a failed tool call, which the model and the person read.
fn said(error: Error) -> String {
    if !matches!(error, Error::Request(_)) {
        tracing::warn!(error = %error, "a tool call failed");
    }
    error.to_string()
}

fn limit_default() -> u32 {
    LIMIT_DEFAULT
}

/// Without the `format` that Rust's integers get: clients that check schemas don't know it.
fn limit_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT })
}

const LIMIT_DEFAULT: u32 = 10;
const LIMIT_MAX: u32 = 50;
