use rmcp::{
    ErrorData,
    handler::server::wrapper::Parameters,
    model::{GetPromptResult, PromptMessage, Role},
    prompt, prompt_router,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Server, resources};
use crate::{address, query::Query};

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AskRequest {
    /// What you want to know, in a few words.
    topic: String,
}

#[prompt_router(vis = "pub(super)")]
impl Server {
    #[prompt(
        name = "ask",
        title = "Ask the knowledge base",
        description = "Answer a question from the documents and notes, with the places where it stands."
    )]
    async fn ask(
        &self,
        Parameters(request): Parameters<AskRequest>,
    ) -> Result<GetPromptResult, ErrorData> {
        let query = Query::parse(&request.topic).map_err(resources::refuse)?;
        let (found, _) = self
            .index
            .search(&query, PLACES)
            .await
            .map_err(resources::refuse)?;
        let places: String = found
            .iter()
            .map(|found| format!("- {} ({})\n", found.title, address::uri(&found.path)))
            .collect();
        let start = if places.is_empty() {
            "A search for it found nothing, so try other words with the `search` tool.".to_owned()
        } else {
            format!(
                "These pages look closest; `read` what you need, and `search` for more:\n{places}"
            )
        };
        let text = format!(
            "Answer from the knowledge base: {}\n\n{start}\n\n\
             Use only what the pages say, name the path of each page you used, and say so if they don't answer it.",
            request.topic.trim()
        );
        Ok(
            GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)])
                .with_description("Answer from the knowledge base"),
        )
    }
}

const PLACES: u32 = 5;
