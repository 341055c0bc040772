//! The questions of a call, put to the client while the call is open: what `input_required` replaced (before 2026-07-28).

use rmcp::model::{InputRequest, InputRequiredResult, InputResponses, ProtocolVersion};
use rmcp::service::{RequestContext, ServiceError};
use rmcp::{ErrorData, RoleServer};
use serde::Serialize;
use serde_json::Value;

/// Whether the caller's revision lets a server send requests.
pub(crate) fn may_ask(context: &RequestContext<RoleServer>) -> bool {
    let version = context.protocol_version();
    version.is_some_and(|version| version.as_str() < ProtocolVersion::V_2026_07_28.as_str())
}

/// Asks one question after the other.
pub(crate) async fn ask(
    asked: InputRequiredResult,
    context: &RequestContext<RoleServer>,
) -> Result<InputResponses, ErrorData> {
    let mut answers = InputResponses::new();
    for (key, request) in asked.input_requests.unwrap_or_default() {
        let answer = match request {
            InputRequest::Elicitation(request) => {
                read(context.peer.create_elicitation(request.params).await)
            }
            InputRequest::CreateMessage(request) => {
                read(context.peer.create_message(request.params).await)
            }
            InputRequest::ListRoots(_) => read(context.peer.list_roots().await),
            _ => Err(ErrorData::internal_error(
                "a question of another kind",
                None,
            )),
        };
        answers.insert(key, answer?);
    }
    Ok(answers)
}

fn read<T: Serialize>(answer: Result<T, ServiceError>) -> Result<Value, ErrorData> {
    let failed = |error: String| ErrorData::internal_error(error, None);
    let answer = answer.map_err(|error| failed(error.to_string()))?;
    serde_json::to_value(answer).map_err(|error| failed(error.to_string()))
}
