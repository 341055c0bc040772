//! What a client can be asked: an elicitation, a sample of its model, its roots.

use rmcp::model::{CallToolRequestParams, ClientCapabilities};
use serde_json::{Value, json};

use crate::content::argument;

/// A question that a tool has for every caller.
pub(crate) struct Question {
    pub(crate) request: Value,
}

impl Question {
    /// Whether the client said that it answers this.
    pub(crate) fn can_be_asked(&self, client: &ClientCapabilities) -> bool {
        match self.request["method"].as_str() {
            Some("sampling/createMessage") => client.sampling.is_some(),
            _ => client.elicitation.is_some(),
        }
    }
}

/// The question of a tool that asks once and repeats the answer.
pub(crate) fn of_tool(request: &CallToolRequestParams) -> Option<Question> {
    let arguments = request.arguments.clone().unwrap_or_default();
    let request = match request.name.as_ref() {
        "test_sampling" => sample(argument(&arguments, "prompt"), 100),
        "test_elicitation" => {
            let fields = json!({
                "username": { "type": "string", "description": "User's response" },
                "email": { "type": "string", "description": "User's email address" },
            });
            form(
                argument(&arguments, "message"),
                fields,
                &["username", "email"],
            )
        }
        "test_elicitation_sep1034_defaults" => {
            let fields = json!({
                "name": { "type": "string", "default": "John Doe" },
                "age": { "type": "integer", "default": 30 },
                "score": { "type": "number", "default": 95.5 },
                "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
                "verified": { "type": "boolean", "default": true },
            });
            form("Please check these values", fields, &[])
        }
        "test_elicitation_sep1330_enums" => form("Please choose", choices(), &[]),
        "test_streaming_elicitation" => name_of("What is your name?"),
        _ => return None,
    };
    Some(Question { request })
}

/// The five ways to write a choice (SEP-1330).
fn choices() -> Value {
    let options = json!(["option1", "option2", "option3"]);
    let titled = json!([
        { "const": "value1", "title": "First" },
        { "const": "value2", "title": "Second" },
        { "const": "value3", "title": "Third" },
    ]);
    json!({
        "untitledSingle": { "type": "string", "enum": options },
        "titledSingle": { "type": "string", "oneOf": titled },
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": { "type": "array", "items": { "type": "string", "enum": options } },
        "titledMulti": { "type": "array", "items": { "anyOf": titled } },
    })
}

/// Asks the person for a name.
pub(crate) fn name_of(message: &str) -> Value {
    elicit(message, "name", "string")
}

/// Asks the person for one field.
pub(crate) fn elicit(message: &str, field: &str, kind: &str) -> Value {
    form(message, json!({ field: { "type": kind } }), &[field])
}

fn form(message: &str, fields: Value, required: &[&str]) -> Value {
    json!({ "method": "elicitation/create", "params": {
        "mode": "form",
        "message": message,
        "requestedSchema": { "type": "object", "properties": fields, "required": required },
    } })
}

/// Asks the client's model.
pub(crate) fn sample(text: &str, tokens: u32) -> Value {
    json!({ "method": "sampling/createMessage", "params": {
        "messages": [{ "role": "user", "content": { "type": "text", "text": text } }],
        "maxTokens": tokens,
    } })
}

/// Asks for the client's roots.
pub(crate) fn roots() -> Value {
    json!({ "method": "roots/list", "params": {} })
}
