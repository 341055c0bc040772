//! Requests to the client while one of its own is open (the 2025 revisions).

use rmcp::model::{ClientCapabilities, CreateMessageRequestParams, ElicitRequestParams};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Map, Value, json};

use crate::content::{self, argument};
use crate::fixture::typed;

/// The tools of this module; `None` for any other.
pub(crate) async fn call(
    name: &str,
    arguments: &Map<String, Value>,
    context: &RequestContext<RoleServer>,
) -> Option<Result<Value, ErrorData>> {
    Some(match name {
        "test_sampling" => sample(argument(arguments, "prompt"), context).await,
        "test_elicitation" => {
            let fields = json!({
                "username": { "type": "string", "description": "User's response" },
                "email": { "type": "string", "description": "User's email address" },
            });
            let schema = json!({ "type": "object", "properties": fields, "required": ["username", "email"] });
            elicit(argument(arguments, "message"), schema, context).await
        }
        "test_elicitation_sep1034_defaults" => {
            let schema = json!({ "type": "object", "properties": {
                "name": { "type": "string", "default": "John Doe" },
                "age": { "type": "integer", "default": 30 },
                "score": { "type": "number", "default": 95.5 },
                "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
                "verified": { "type": "boolean", "default": true },
            } });
            elicit("Please check these values", schema, context).await
        }
        "test_elicitation_sep1330_enums" => elicit("Please choose", choices(), context).await,
        _ => return None,
    })
}

/// The five ways to write a choice (SEP-1330).
fn choices() -> Value {
    let options = json!(["option1", "option2", "option3"]);
    let titled = json!([
        { "const": "value1", "title": "First" },
        { "const": "value2", "title": "Second" },
        { "const": "value3", "title": "Third" },
    ]);
    json!({ "type": "object", "properties": {
        "untitledSingle": { "type": "string", "enum": options },
        "titledSingle": { "type": "string", "oneOf": titled },
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": { "type": "array", "items": { "type": "string", "enum": options } },
        "titledMulti": { "type": "array", "items": { "anyOf": titled } },
    } })
}

fn client(context: &RequestContext<RoleServer>) -> ClientCapabilities {
    context.client_capabilities().unwrap_or_default()
}

async fn sample(prompt: &str, context: &RequestContext<RoleServer>) -> Result<Value, ErrorData> {
    if client(context).sampling.is_none() {
        return Ok(content::failure("This client does not sample."));
    }
    let params: CreateMessageRequestParams = typed(json!({
        "messages": [{ "role": "user", "content": { "type": "text", "text": prompt } }],
        "maxTokens": 100,
    }))?;
    Ok(match context.peer.create_message(params).await {
        Ok(answer) => {
            let message = serde_json::to_value(answer.message.content).unwrap_or_default();
            content::text(format!("LLM response: {message}"))
        }
        Err(error) => content::failure(error.to_string()),
    })
}

async fn elicit(
    message: &str,
    schema: Value,
    context: &RequestContext<RoleServer>,
) -> Result<Value, ErrorData> {
    if client(context).elicitation.is_none() {
        return Ok(content::failure("This client does not elicit."));
    }
    let params: ElicitRequestParams =
        typed(json!({ "mode": "form", "message": message, "requestedSchema": schema }))?;
    Ok(match context.peer.create_elicitation(params).await {
        Ok(answer) => {
            let action = serde_json::to_value(answer.action).unwrap_or_default();
            let said = answer.content.unwrap_or_default();
            let action = action.as_str().unwrap_or_default();
            content::text(format!(
                "Elicitation completed: action={action}, content={said}"
            ))
        }
        Err(error) => content::failure(error.to_string()),
    })
}
