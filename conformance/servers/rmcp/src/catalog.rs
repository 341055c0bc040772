//! What there is: the lists of tools, prompts, resources and templates, and what the server says of itself.

use serde_json::{Value, json};

/// Tools in the order in which they are listed. The first one needs nothing: the suite calls whichever comes first.
pub(crate) fn tools() -> Value {
    let mut tools = vec![
        plain("test_simple_text", "Answers with a text"),
        plain("test_image_content", "Answers with an image"),
        plain("test_audio_content", "Answers with a sound"),
        plain("test_embedded_resource", "Answers with a resource"),
        plain(
            "test_multiple_content_types",
            "Answers with a text, an image and a resource",
        ),
        plain("test_error_handling", "Always fails"),
        plain(
            "test_tool_with_logging",
            "Logs three messages while it runs",
        ),
        plain("test_tool_with_progress", "Reports progress while it runs"),
        plain("test_reconnection", "Closes its stream before it answers"),
        with(
            "test_sampling",
            "Asks the client's model",
            json!({ "prompt": { "type": "string" } }),
            &["prompt"],
        ),
        with(
            "test_elicitation",
            "Asks the person",
            json!({ "message": { "type": "string" } }),
            &["message"],
        ),
        plain(
            "test_elicitation_sep1034_defaults",
            "Asks the person, with defaults",
        ),
        plain(
            "test_elicitation_sep1330_enums",
            "Asks the person to choose",
        ),
        plain("test_missing_capability", "Needs a client that can sample"),
        plain("test_streaming_elicitation", "Reports progress, then asks"),
        plain("test_logging_tool", "Logs if the request wants it"),
        plain("test_trigger_tool_change", "Says that the tools changed"),
        plain(
            "test_trigger_prompt_change",
            "Says that the prompts changed",
        ),
        plain("test_input_required_result_elicitation", "Asks for a name"),
        plain(
            "test_input_required_result_sampling",
            "Asks the client's model",
        ),
        plain(
            "test_input_required_result_list_roots",
            "Asks for the roots",
        ),
        plain(
            "test_input_required_result_request_state",
            "Asks and wants its state back",
        ),
        plain(
            "test_input_required_result_multiple_inputs",
            "Asks for three things at once",
        ),
        plain("test_input_required_result_multi_round", "Asks twice"),
        plain(
            "test_input_required_result_tampered_state",
            "Asks and checks its state",
        ),
        plain(
            "test_input_required_result_capabilities",
            "Asks only what the client can do",
        ),
    ];
    let region = json!({ "region": { "type": "string", "x-mcp-header": "Region" } });
    tools.push(with(
        "test_custom_header",
        "Has an argument that is a header too",
        region,
        &[],
    ));
    tools.push(with(
        "greet",
        "Greets",
        json!({ "name": { "type": "string" } }),
        &["name"],
    ));
    let slow = json!({ "seconds": { "type": "integer" }, "label": { "type": "string" } });
    tools.push(with("slow_compute", "Takes its time", slow, &["seconds"]));
    tools.push(with(
        "confirm_delete",
        "Asks before it goes on",
        json!({ "filename": { "type": "string" } }),
        &["filename"],
    ));
    tools.push(plain("multi_input", "Asks two things at once"));
    tools.push(plain("failing_job", "Fails after a while, as a task only"));
    tools.push(plain("protocol_error_job", "Ends in a protocol error"));
    tools.push(plain(
        "test_tool_with_task",
        "Asks first and goes on as a task",
    ));
    tools.push(json!({
        "name": "json_schema_2020_12_tool",
        "description": "Tool with JSON Schema 2020-12 features",
        "inputSchema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "$defs": {
                "address": {
                    "$anchor": "addressDef",
                    "type": "object",
                    "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
                },
            },
            "properties": {
                "name": { "type": "string" },
                "address": { "$ref": "#/$defs/address" },
                "contactMethod": { "type": "string", "enum": ["phone", "email"] },
                "phone": { "type": "string" },
                "email": { "type": "string" },
            },
            "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
            "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
            "then": { "required": ["phone"] },
            "else": { "required": ["email"] },
            "additionalProperties": false,
        },
    }));
    Value::Array(tools)
}

fn plain(name: &str, description: &str) -> Value {
    with(name, description, json!({}), &[])
}

fn with(name: &str, description: &str, properties: Value, required: &[&str]) -> Value {
    json!({
        "name": name,
        "description": description,
        "inputSchema": { "type": "object", "properties": properties, "required": required },
    })
}

pub(crate) fn prompts() -> Value {
    json!({ "prompts": [
        { "name": "test_simple_prompt", "description": "A prompt without arguments" },
        { "name": "test_prompt_with_arguments", "description": "A prompt with two arguments", "arguments": [
            { "name": "arg1", "description": "First test argument", "required": true },
            { "name": "arg2", "description": "Second test argument", "required": true },
        ] },
        { "name": "test_prompt_with_embedded_resource", "description": "A prompt with a resource", "arguments": [
            { "name": "resourceUri", "description": "URI of the resource to embed", "required": true },
        ] },
        { "name": "test_prompt_with_image", "description": "A prompt with an image" },
        { "name": "test_input_required_result_prompt", "description": "A prompt that asks for its context" },
    ] })
}

pub(crate) fn resources() -> Value {
    json!({ "resources": [
        { "uri": "test://static-text", "name": "static-text", "description": "A text", "mimeType": "text/plain" },
        { "uri": "test://static-binary", "name": "static-binary", "description": "An image", "mimeType": "image/png" },
        { "uri": "test://watched-resource", "name": "watched-resource", "description": "One to watch", "mimeType": "text/plain" },
    ] })
}

pub(crate) fn templates() -> Value {
    json!({ "resourceTemplates": [{
        "uriTemplate": "test://template/{id}/data",
        "name": "template",
        "description": "Data by id",
        "mimeType": "application/json",
    }] })
}

/// The capabilities of both eras; the tasks extension only means something since 2026-07-28.
pub(crate) fn capabilities() -> Value {
    json!({
        "tools": { "listChanged": true },
        "prompts": { "listChanged": true },
        "resources": { "subscribe": true, "listChanged": true },
        "completions": {},
        "logging": {},
        "extensions": { "io.modelcontextprotocol/tasks": {} },
    })
}
