//! Answers that never change: contents of tools, messages of prompts, contents of resources.

use serde_json::{Map, Value, json};

/// A PNG of one red pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// A WAV of no samples.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";

/// A result of one text.
pub(crate) fn text(text: impl Into<String>) -> Value {
    json!({ "content": [{ "type": "text", "text": text.into() }] })
}

/// A failure that the caller shall read.
pub(crate) fn failure(text: impl Into<String>) -> Value {
    json!({ "content": [{ "type": "text", "text": text.into() }], "isError": true })
}

/// The result of a tool that always answers the same.
pub(crate) fn of_tool(name: &str, arguments: &Map<String, Value>) -> Option<Value> {
    let image = json!({ "type": "image", "data": PNG, "mimeType": "image/png" });
    Some(match name {
        "test_simple_text" => text("This is a simple text response for testing."),
        "test_image_content" => json!({ "content": [image] }),
        "test_audio_content" => {
            json!({ "content": [{ "type": "audio", "data": WAV, "mimeType": "audio/wav" }] })
        }
        "test_embedded_resource" => json!({ "content": [{ "type": "resource", "resource": {
            "uri": "test://embedded-resource",
            "mimeType": "text/plain",
            "text": "This is an embedded resource content.",
        } }] }),
        "test_multiple_content_types" => json!({ "content": [
            { "type": "text", "text": "Multiple content types test:" },
            image,
            { "type": "resource", "resource": {
                "uri": "test://mixed-content-resource",
                "mimeType": "application/json",
                "text": r#"{"test":"data","value":123}"#,
            } },
        ] }),
        "test_error_handling" => failure("This tool intentionally returns an error for testing"),
        "greet" => text(format!("Hello, {}!", argument(arguments, "name"))),
        "test_custom_header" => text(format!("region={}", argument(arguments, "region"))),
        "json_schema_2020_12_tool" => text(Value::Object(arguments.clone()).to_string()),
        _ => return None,
    })
}

/// The result of `prompts/get` for a prompt that needs nothing else.
pub(crate) fn of_prompt(name: &str, arguments: &Map<String, Value>) -> Option<Value> {
    let message = |content: Value| json!({ "role": "user", "content": content });
    let say = |text: &str| message(json!({ "type": "text", "text": text }));
    let messages = match name {
        "test_simple_prompt" => vec![say("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => {
            let (one, two) = (argument(arguments, "arg1"), argument(arguments, "arg2"));
            vec![say(&format!(
                "Prompt with arguments: arg1='{one}', arg2='{two}'"
            ))]
        }
        "test_prompt_with_embedded_resource" => vec![
            message(json!({ "type": "resource", "resource": {
                "uri": argument(arguments, "resourceUri"),
                "mimeType": "text/plain",
                "text": "Embedded resource content for testing.",
            } })),
            say("Please process the embedded resource above."),
        ],
        "test_prompt_with_image" => vec![
            message(json!({ "type": "image", "data": PNG, "mimeType": "image/png" })),
            say("Please analyze the image above."),
        ],
        _ => return None,
    };
    Some(json!({ "messages": messages }))
}

/// The result of `resources/read`.
pub(crate) fn of_resource(uri: &str) -> Option<Value> {
    let content = match uri {
        "test://static-text" => json!({
            "uri": uri,
            "mimeType": "text/plain",
            "text": "This is the content of the static text resource.",
        }),
        "test://static-binary" => json!({ "uri": uri, "mimeType": "image/png", "blob": PNG }),
        "test://watched-resource" => {
            json!({ "uri": uri, "mimeType": "text/plain", "text": "Watched." })
        }
        _ => {
            let id = uri
                .strip_prefix("test://template/")?
                .strip_suffix("/data")?;
            let data =
                json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
            json!({ "uri": uri, "mimeType": "application/json", "text": data.to_string() })
        }
    };
    Some(json!({ "contents": [content] }))
}

/// An argument as text; empty where there is none.
pub(crate) fn argument<'a>(arguments: &'a Map<String, Value>, name: &str) -> &'a str {
    arguments
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
