//! Calls that go on as tasks (SEP-2663, since 2026-07-28).

use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, CreateTaskResult,
    InputRequest,
};
use rmcp::task_manager::{TaskContext, TaskExit, TaskFuture, TaskManager, TaskOptions};
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use crate::content::{self, argument};
use crate::fixture::{self, typed};
use crate::questions::{elicit, name_of};
use crate::rounds::{accepted, ask_call};

/// The tools of this module; `None` for any other.
pub(crate) async fn call(
    tasks: &TaskManager,
    request: &CallToolRequestParams,
    client: &ClientCapabilities,
) -> Option<Result<CallToolResponse, ErrorData>> {
    let arguments = request.arguments.clone().unwrap_or_default();
    let spawn = |work: fn(TaskContext, Map<String, Value>) -> TaskFuture| {
        let options = TaskOptions::new().with_poll_interval_ms(100);
        let task = tasks.spawn(options, |context| work(context, arguments.clone()));
        Ok(CallToolResponse::Task(CreateTaskResult::new(task)))
    };
    Some(match request.name.as_ref() {
        "slow_compute" => {
            let seconds = seconds(&arguments);
            if seconds.is_zero() || !client.supports_tasks() {
                sleep(seconds).await;
                return Some(computed(&arguments).map(CallToolResponse::Complete));
            }
            spawn(|context, arguments| Box::pin(compute(context, arguments)))
        }
        "confirm_delete" => spawn(|context, arguments| Box::pin(confirm(context, arguments))),
        "multi_input" => spawn(|context, _| Box::pin(two_inputs(context))),
        "protocol_error_job" => spawn(|_, _| Box::pin(broken())),
        "failing_job" if !client.supports_tasks() => Err(needs_tasks()),
        "failing_job" => spawn(|_, _| Box::pin(failing())),
        "test_tool_with_task" if !client.supports_tasks() => Err(needs_tasks()),
        "test_tool_with_task" => {
            let answers = request.input_responses.as_ref();
            let name =
                accepted(answers, "user_name").and_then(|content| content.get("name")?.as_str());
            let Some(name) = name.map(str::to_owned) else {
                return Some(ask_call(
                    json!({ "user_name": name_of("What is your name?") }),
                    None,
                ));
            };
            let task = tasks.spawn(TaskOptions::new().with_poll_interval_ms(100), |_| {
                Box::pin(async move { result(content::text(format!("Hello, {name}!"))) })
            });
            Ok(CallToolResponse::Task(CreateTaskResult::new(task)))
        }
        _ => return None,
    })
}

fn needs_tasks() -> ErrorData {
    let required = ClientCapabilities::builder().enable_tasks().build();
    ErrorData::missing_required_client_capability(required)
}

fn seconds(arguments: &Map<String, Value>) -> Duration {
    let seconds = arguments.get("seconds").and_then(Value::as_u64);
    Duration::from_secs(seconds.unwrap_or_default())
}

fn computed(arguments: &Map<String, Value>) -> Result<CallToolResult, ErrorData> {
    fixture::result(content::text(format!(
        "Computed {}.",
        argument(arguments, "label")
    )))
}

fn result(value: Value) -> Result<CallToolResult, TaskExit> {
    Ok(fixture::result(value)?)
}

async fn compute(
    context: TaskContext,
    arguments: Map<String, Value>,
) -> Result<CallToolResult, TaskExit> {
    tokio::select! {
        () = context.cancelled() => Err(TaskExit::Cancelled),
        () = sleep(seconds(&arguments)) => Ok(computed(&arguments)?),
    }
}

async fn confirm(
    context: TaskContext,
    arguments: Map<String, Value>,
) -> Result<CallToolResult, TaskExit> {
    let question = format!("Delete {}?", argument(&arguments, "filename"));
    let asked: InputRequest = typed(elicit(&question, "confirm", "boolean"))?;
    let answer = context.request_input("confirm", asked).await?;
    result(content::text(format!(
        "Deleted: {}",
        answer["content"]["confirm"]
    )))
}

async fn two_inputs(context: TaskContext) -> Result<CallToolResult, TaskExit> {
    let name: InputRequest = typed(name_of("What is your name?"))?;
    let sure: InputRequest = typed(elicit("Are you sure?", "confirm", "boolean"))?;
    let (name, sure) = tokio::try_join!(
        context.request_input("name", name),
        context.request_input("sure", sure)
    )?;
    result(content::text(format!("{name}, {sure}")))
}

async fn failing() -> Result<CallToolResult, TaskExit> {
    sleep(Duration::from_secs(1)).await;
    result(content::failure("This job always fails."))
}

async fn broken() -> Result<CallToolResult, TaskExit> {
    Err(TaskExit::Error(ErrorData::internal_error(
        "This job breaks.",
        None,
    )))
}
