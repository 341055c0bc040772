//! What flows beside the answers: log messages, progress, list changes, and a stream that ends before its answer.

use std::time::Duration;

use rmcp::model::{
    ClientCapabilities, LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer};
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::time::sleep;

use crate::content;
use crate::fixture::Fixture;

/// Between two notifications of one call.
const STEP: Duration = Duration::from_millis(50);
/// More requests than a session of the suite ever has.
const REQUESTS: u64 = 64;

/// Which list changed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    Tools,
    Prompts,
}

/// The tools of this module; `None` for any other.
pub(crate) async fn call(
    fixture: &Fixture,
    name: &str,
    context: &RequestContext<RoleServer>,
) -> Option<Result<Value, ErrorData>> {
    Some(match name {
        "test_tool_with_logging" | "test_logging_tool" => log(fixture, context).await,
        "test_tool_with_progress" => progress(context).await,
        "test_reconnection" => reconnection(fixture, context).await,
        "test_trigger_tool_change" => changed(fixture, Change::Tools, context).await,
        "test_trigger_prompt_change" => changed(fixture, Change::Prompts, context).await,
        "test_missing_capability" => needs_sampling(context),
        _ => return None,
    })
}

/// Three messages: in a session from its level on, without one only if the request names a level (SEP-2575).
async fn log(fixture: &Fixture, context: &RequestContext<RoleServer>) -> Result<Value, ErrorData> {
    let wanted = match context.meta.protocol_version() {
        Some(_) => context.meta.log_level(),
        None => Some(fixture.level()),
    };
    let lines = [
        "Tool execution started",
        "Tool processing data",
        "Tool execution completed",
    ];
    for line in lines {
        if wanted.is_some_and(|least| severity(least) <= severity(LoggingLevel::Info)) {
            let param = LoggingMessageNotificationParam::new(LoggingLevel::Info, line.into());
            let sent = context.peer.notify_logging_message(param).await;
            sent.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        }
        sleep(STEP).await;
    }
    Ok(content::text("Logged."))
}

fn severity(level: LoggingLevel) -> u8 {
    match level {
        LoggingLevel::Debug => 0,
        LoggingLevel::Info => 1,
        LoggingLevel::Notice => 2,
        LoggingLevel::Warning => 3,
        LoggingLevel::Error => 4,
        LoggingLevel::Critical => 5,
        LoggingLevel::Alert => 6,
        LoggingLevel::Emergency => 7,
    }
}

/// 0, 50 and 100 of 100, if the caller gave a token.
pub(crate) async fn progress(context: &RequestContext<RoleServer>) -> Result<Value, ErrorData> {
    for progress in [0.0, 50.0, 100.0] {
        if let Some(token) = context.meta.get_progress_token() {
            let param = ProgressNotificationParam::new(token, progress).with_total(100.0);
            let sent = context.peer.notify_progress(param).await;
            sent.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        }
        sleep(STEP).await;
    }
    Ok(content::text("Done."))
}

/// Ends the stream of its own call, so that the client comes back for the answer (SEP-1699).
async fn reconnection(
    fixture: &Fixture,
    context: &RequestContext<RoleServer>,
) -> Result<Value, ErrorData> {
    let parts = context.extensions.get::<http::request::Parts>();
    let session = parts.and_then(|parts| parts.headers.get("mcp-session-id")?.to_str().ok());
    if let Some(session) = session {
        let sessions = fixture.shared.sessions.sessions.read().await;
        if let Some(session) = sessions.get(session) {
            // A handler is not told which of the session's requests it answers; this tool is called alone.
            for request in 0..REQUESTS {
                let _ = session.close_sse_stream(request, Some(STEP * 4)).await;
            }
        }
    }
    sleep(STEP * 2).await;
    Ok(content::text("Reconnected."))
}

/// Tells everybody who listens; nothing is really different, for the suite compares lists.
async fn changed(
    fixture: &Fixture,
    change: Change,
    context: &RequestContext<RoleServer>,
) -> Result<Value, ErrorData> {
    // Nobody may be listening.
    let _ = fixture.shared.changes.send(change);
    if context.meta.protocol_version().is_none() {
        let _ = match change {
            Change::Tools => context.peer.notify_tool_list_changed().await,
            Change::Prompts => context.peer.notify_prompt_list_changed().await,
        };
    }
    Ok(content::text("Changed."))
}

fn needs_sampling(context: &RequestContext<RoleServer>) -> Result<Value, ErrorData> {
    let client = context.client_capabilities().unwrap_or_default();
    if client.sampling.is_some() {
        return Ok(content::text("This client can sample."));
    }
    let required = ClientCapabilities::builder().enable_sampling().build();
    Err(ErrorData::missing_required_client_capability(required))
}

/// One `subscriptions/listen` stream, until its client leaves. The sink keeps to what was asked for.
pub(crate) async fn listen(
    context: &SubscriptionContext,
    mut changes: Receiver<Change>,
) -> Result<(), ErrorData> {
    loop {
        let change = tokio::select! {
            () = context.cancelled() => return Ok(()),
            change = changes.recv() => change,
        };
        let Ok(change) = change else {
            return Ok(());
        };
        let accepted = context.accepted();
        let sink = context.sink();
        let sent = match change {
            Change::Tools if accepted.tools_list_changed == Some(true) => {
                sink.notify_tool_list_changed().await
            }
            Change::Prompts if accepted.prompts_list_changed == Some(true) => {
                sink.notify_prompt_list_changed().await
            }
            Change::Tools | Change::Prompts => Ok(()),
        };
        if sent.is_err() {
            return Ok(());
        }
    }
}
