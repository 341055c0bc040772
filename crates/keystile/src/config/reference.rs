//! What is made from the form: the reference page, an example and the JSON Schema.

use serde_json::{Map, Value, json};

use super::form::{Key, Kind, SECTIONS, Section};

/// `docs/configuration.md`, without its introduction.
pub(crate) fn page() -> String {
    let mut page = String::new();
    for section in SECTIONS {
        page += &format!("\n## `{}`\n\n{}\n\n", heading(section), section.about);
        page += "| key | takes | default | meaning |\n|---|---|---|---|\n";
        for key in section.keys {
            let cell = |text: &str| text.replace('|', "\\|").replace('<', "&lt;");
            let flag = key
                .flag
                .map_or(String::new(), |flag| format!(" (`{flag}`)"));
            page += &format!(
                "| `{}`{flag} | {} | {} | {} |\n",
                key.name,
                cell(&key.kind.expected()),
                cell(key.default),
                cell(key.about)
            );
        }
    }
    page
}

/// A file with every key, all but one server commented out. `#:` stands before what would be a key.
pub(crate) fn example() -> String {
    let mut text = String::from(
        "# Keystile. Every key with its meaning; what is commented out shows an example and changes nothing.\n# Look at your changes with: keystile config check\n",
    );
    for section in SECTIONS {
        text += &format!("\n# {}\n", section.about);
        text += &format!("[{}]\n", heading(section).replace("NAME", "notes"));
        for key in section.keys {
            for line in folded(key.about) {
                text += &format!("# {line}\n");
            }
            if !key.default.is_empty() {
                text += &format!("# Default: {}.\n", key.default);
            }
            // The one that makes the example whole.
            let mark = match (section.is_named, key.name) {
                (true, "url") => "",
                _ => "#:",
            };
            // A server has a url or a command.
            if section.is_named && key.name == "command" {
                text += "\n# Or a stdio server:\n#:[servers.git]\n";
            }
            text += &format!("{mark}{} = {}\n", key.name, key.example);
        }
    }
    text
}

/// JSON Schema, draft 2020-12, of the file as JSON.
pub(crate) fn schema() -> Value {
    let mut properties = Map::new();
    for section in SECTIONS {
        let keys: Map<_, _> = section
            .keys
            .iter()
            .map(|key| (key.name.to_owned(), of(key)))
            .collect();
        let mut table = json!({
            "type": "object", "additionalProperties": false, "properties": keys,
        });
        if section.is_named {
            table["oneOf"] = json!([{"required": ["url"]}, {"required": ["command"]}]);
            table = json!({
                "type": "object",
                "propertyNames": {"pattern": "^[a-z0-9][a-z0-9-]{0,63}$"},
                "minProperties": 1,
                "additionalProperties": table,
            });
        }
        table["description"] = section.about.into();
        properties.insert(section.name.to_owned(), table);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "keystile.toml",
        "type": "object",
        "additionalProperties": false,
        "required": ["servers"],
        "properties": properties,
    })
}

fn of(key: &Key) -> Value {
    let mut schema = match key.kind {
        Kind::Text | Kind::Path => json!({"type": "string"}),
        Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Number(least, most) => {
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Time => json!({"type": "string", "pattern": "^[0-9]+[smhd]?$"}),
        Kind::OneOf(words) => json!({"enum": words}),
        Kind::Variables => {
            json!({"type": "object", "additionalProperties": {"type": "string"}})
        }
    };
    schema["description"] = key.about.into();
    schema
}

fn heading(section: &Section) -> String {
    match section.is_named {
        true => format!("{}.NAME", section.name),
        false => section.name.to_owned(),
    }
}

/// Lines of a comment.
fn folded(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one");
        if !line.is_empty() && line.len() + word.len() > 100 {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
