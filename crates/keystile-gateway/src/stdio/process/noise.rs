//! Lines on a child's standard output that are no MCP: what its log printed there, or an answer that can't be read.

use serde_json::Value;

/// What such a line may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Noise<'a> {
    /// A message that breaks the rules: it may be an answer that somebody waits for, and must not be passed over.
    Message,
    /// Something stands beside what may be the answers to these requests of ours.
    Garbled(Vec<&'a str>),
    /// A banner, or a log.
    Chatter,
}

/// Of a line that the strict parser refused.
pub(super) fn judge(line: &[u8]) -> Noise<'_> {
    let text = String::from_utf8_lossy(line);
    let is_object = text.trim_start().starts_with('{');
    match serde_json::from_slice(line) {
        Ok(Value::Object(object)) => {
            let has = |name: &str| object.contains_key(name);
            match has("jsonrpc") || has("id") && (has("result") || has("error")) {
                true => Noise::Message,
                false => Noise::Chatter,
            }
        }
        _ if is_object && text.contains("\"jsonrpc\"") => Noise::Message,
        // Some print what they are asked, too.
        _ if text.contains("\"method\"") => Noise::Chatter,
        _ if text.contains("\"result\"") || text.contains("\"error\"") => {
            let ids: Vec<_> = ids(line).take(MAX_IDS).collect();
            match ids.is_empty() {
                true => Noise::Chatter,
                false => Noise::Garbled(ids),
            }
        }
        _ => Noise::Chatter,
    }
}

/// What looks like ids of requests of ours (see [`crate::relay`]); nobody waits for others.
fn ids(line: &[u8]) -> impl Iterator<Item = &str> {
    line.split(|byte| !byte.is_ascii_hexdigit())
        .filter(|run| run.len() == ID)
        .filter_map(|run| str::from_utf8(run).ok())
}

/// Hexadecimal digits.
const ID: usize = 32;
const MAX_IDS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_mcp_is_a_message_a_garbled_answer_or_chatter() {
        const ID: &str = "0123456789abcdef0000000000000007";
        let answer = format!(r#"{{"jsonrpc":"2.0","id":"{ID}","result":{{}}}}"#);
        let request = format!(r#"got {{"jsonrpc":"2.0","id":"{ID}","method":"tools/call"}}"#);
        let logged = serde_json::json!({"level": "debug", "sent": answer}).to_string();
        let garbled = [
            format!("x{answer}"),
            format!("[{answer}]"),
            format!("{answer}{answer}x"),
        ];
        for chatter in [
            "Server running on stdio",
            r#"{"level":"info","id":7}"#,
            "{not JSON",
            r#"[{"jsonrpc":"2.0","id":7,"result":{}}]"#,
            &request,
            &logged,
        ] {
            assert_eq!(judge(chatter.as_bytes()), Noise::Chatter, "{chatter}");
        }
        for message in [
            r#"{"id":7,"result":{}}"#,
            r#" {"jsonrpc":"1.0","method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":{"#,
            &answer.replace("{}", r#"{"a":1,"a":2}"#),
            &garbled[2],
        ] {
            assert_eq!(judge(message.as_bytes()), Noise::Message, "{message}");
        }
        for garbled in &garbled[..2] {
            assert_eq!(judge(garbled.as_bytes()), Noise::Garbled(vec![ID]));
        }
    }
}
