//! The handler: which module answers what.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestParams,
    CompleteResult, GetPromptRequestParams, GetPromptResponse, GetTaskParams, GetTaskResult,
    Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, LoggingLevel, PaginatedRequestParams, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResponse, ServerConfig, SetLevelRequestParams,
    SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::task_manager::TaskManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::rounds::Rounds;
use crate::streams::Change;
use crate::{asking, catalog, content, jobs, streams};

/// More than any tool needs.
const ROUNDS: usize = 8;

type Context = RequestContext<RoleServer>;

/// What outlives a session, and a request of an era without sessions.
pub(crate) struct Shared {
    pub(crate) sessions: Arc<LocalSessionManager>,
    pub(crate) changes: broadcast::Sender<Change>,
    /// The revisions that it speaks.
    versions: &'static [ProtocolVersion],
    tasks: TaskManager,
    rounds: Rounds,
    tools: Vec<Tool>,
}

impl Shared {
    pub(crate) fn new(
        sessions: Arc<LocalSessionManager>,
        versions: &'static [ProtocolVersion],
    ) -> anyhow::Result<Self> {
        Ok(Self {
            sessions,
            versions,
            changes: broadcast::channel(16).0,
            tasks: TaskManager::new(),
            rounds: Rounds::new()?,
            tools: serde_json::from_value(catalog::tools())?,
        })
    }
}

/// One session, or one request of the era without sessions.
pub(crate) struct Fixture {
    pub(crate) shared: Arc<Shared>,
    level: Mutex<LoggingLevel>,
}

impl Fixture {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let level = Mutex::new(LoggingLevel::Info);
        Self { shared, level }
    }

    /// The least severe message that this session wants.
    pub(crate) fn level(&self) -> LoggingLevel {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fixture {
    /// One round of a call.
    async fn call(
        &self,
        request: &CallToolRequestParams,
        context: &Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let client = context.client_capabilities().unwrap_or_default();
        let arguments = request.arguments.clone().unwrap_or_default();
        let complete = |value: Value| result(value).map(CallToolResponse::Complete);
        if let Some(value) = content::of_tool(&request.name, &arguments) {
            return complete(value);
        }
        if let Some(response) = self.shared.rounds.call(request, &client) {
            return response;
        }
        if let Some(response) = jobs::call(&self.shared.tasks, request, &client).await {
            return response;
        }
        if let Some(value) = streams::call(self, &request.name, context).await {
            return complete(value?);
        }
        let sentence = format!("there is no tool {}", request.name);
        Err(ErrorData::invalid_params(sentence, None))
    }
}

/// A literal as a complete result of one of rmcp's types, which drops `resultType` for the eras that don't know it.
pub(crate) fn result<T: DeserializeOwned>(mut value: Value) -> Result<T, ErrorData> {
    value["resultType"] = json!("complete");
    typed(value)
}

/// A literal as one of rmcp's types; the fixture's own mistake if it isn't one.
pub(crate) fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

impl ServerHandler for Fixture {
    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(self.shared.versions)
    }

    fn get_info(&self) -> ServerConfig {
        let capabilities =
            serde_json::from_value(catalog::capabilities()).expect("a literal of this program");
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("keystile-fixture", "0.1.0"))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.shared.tools.clone()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.shared
            .tools
            .iter()
            .find(|tool| tool.name == name)
            .cloned()
    }

    async fn call_tool(
        &self,
        mut request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name == "test_streaming_elicitation" {
            streams::progress(&context).await?;
        }
        for _ in 0..ROUNDS {
            match self.call(&request, &context).await? {
                CallToolResponse::InputRequired(asked) if asking::may_ask(&context) => {
                    request.request_state = asked.request_state.clone();
                    request.input_responses = Some(asking::ask(asked, &context).await?);
                }
                response => return Ok(response),
            }
        }
        Err(ErrorData::internal_error("it asked too often", None))
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        result(catalog::prompts())
    }

    async fn get_prompt(
        &self,
        mut request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        for _ in 0..ROUNDS {
            match self.shared.rounds.prompt(&request).transpose()? {
                None => break,
                Some(GetPromptResponse::InputRequired(asked)) if asking::may_ask(&context) => {
                    request.input_responses = Some(asking::ask(asked, &context).await?);
                }
                Some(response) => return Ok(response),
            }
        }
        let arguments = request.arguments.unwrap_or_default();
        match content::of_prompt(&request.name, &arguments) {
            Some(value) => result(value).map(GetPromptResponse::Complete),
            None => Err(ErrorData::invalid_params(
                format!("there is no prompt {}", request.name),
                None,
            )),
        }
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        result(catalog::resources())
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        result(catalog::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        match content::of_resource(&request.uri) {
            Some(value) => result(value).map(ReadResourceResponse::Complete),
            None => Err(ErrorData::resource_not_found(
                "Resource not found",
                Some(json!({ "uri": request.uri })),
            )),
        }
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: Context,
    ) -> Result<CompleteResult, ErrorData> {
        result(
            json!({ "completion": { "values": ["testing", "tested"], "total": 2, "hasMore": false } }),
        )
    }

    async fn set_level(&self, request: SetLevelRequestParams, _: Context) -> Result<(), ErrorData> {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) = request.level;
        Ok(())
    }

    async fn subscribe(&self, _: SubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(&self, _: UnsubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        streams::listen(&context, self.shared.changes.subscribe()).await
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _: Context,
    ) -> Result<GetTaskResult, ErrorData> {
        self.shared
            .tasks
            .get_task(&request.task_id)
            .map(GetTaskResult::new)
    }

    async fn update_task(&self, request: UpdateTaskParams, _: Context) -> Result<(), ErrorData> {
        self.shared
            .tasks
            .update_task(&request.task_id, request.input_responses)
    }

    async fn cancel_task(&self, request: CancelTaskParams, _: Context) -> Result<(), ErrorData> {
        self.shared.tasks.cancel_task(&request.task_id)
    }
}
