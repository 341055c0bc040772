//! Messages as the specifications have them, of each revision.

use keystile_protocol::mcp::Revision;

use crate::dice::Dice;
use crate::json::Json;

/// A message, and the revision that its sender says.
pub(crate) struct Message {
    pub(crate) json: Json,
    /// None says nothing, as before 2025-06-18.
    pub(crate) revision: Option<Revision>,
    /// In a session that was begun with 2025-03-26.
    pub(crate) is_batch: bool,
}

/// What a client sends.
pub(crate) fn of_client(dice: &mut Dice) -> Message {
    let revision = match dice.below(8) {
        0..3 => Some(Revision::V2026_07_28),
        3 => Some(Revision::V2025_11_25),
        4 => Some(Revision::V2025_06_18),
        5 => Some(Revision::V2025_03_26),
        6 => None,
        _ => return batch(dice),
    };
    let json = match revision {
        Some(Revision::V2026_07_28) => stateless(dice),
        _ => legacy(dice),
    };
    Message {
        json,
        revision,
        is_batch: false,
    }
}

fn batch(dice: &mut Dice) -> Message {
    let mut number = dice.below(100);
    let all = (0..=dice.below(3)).map(|_| {
        number += 1;
        let id = Json::raw(number.to_string());
        let (method, params) = request(dice);
        envelope(Some(id), method, Some(params))
    });
    Message {
        json: Json::Array(all.collect()),
        revision: None,
        is_batch: true,
    }
}

fn stateless(dice: &mut Dice) -> Json {
    let (method, params) = request(dice);
    let meta = meta(dice)
        .with("io.modelcontextprotocol/logLevel", Json::text("info"))
        .with(
            "io.modelcontextprotocol/protocolVersion",
            Json::text("2026-07-28"),
        )
        .with(
            "io.modelcontextprotocol/clientCapabilities",
            Json::object([("sampling", Json::object([]))]),
        );
    envelope(Some(id(dice)), method, Some(params.with("_meta", meta)))
}

fn legacy(dice: &mut Dice) -> Json {
    match dice.below(10) {
        0 => {
            let token = Json::object([("progressToken", id(dice)), ("progress", number(dice))]);
            envelope(None, "notifications/progress", Some(token))
        }
        1 => envelope(None, "notifications/initialized", None),
        2 => Json::object([("jsonrpc", Json::text("2.0"))])
            .with("id", id(dice))
            .with("result", value(dice, 3)),
        3 => {
            let params = Json::object([
                ("protocolVersion", Json::text("2025-06-18")),
                ("capabilities", Json::object([("roots", object(dice, 1))])),
                (
                    "clientInfo",
                    Json::object([("name", text(dice)), ("version", Json::text("1"))]),
                ),
            ]);
            envelope(Some(id(dice)), "initialize", Some(params))
        }
        _ => {
            let (method, mut params) = request(dice);
            if dice.one_in(3) {
                params = params.with("_meta", meta(dice));
            }
            envelope(Some(id(dice)), method, Some(params))
        }
    }
}

fn envelope(id: Option<Json>, method: &str, params: Option<Json>) -> Json {
    let mut json = Json::object([("jsonrpc", Json::text("2.0"))]);
    if let Some(id) = id {
        json = json.with("id", id);
    }
    json = json.with("method", Json::text(method));
    match params {
        Some(params) => json.with("params", params),
        None => json,
    }
}

fn request(dice: &mut Dice) -> (&'static str, Json) {
    match dice.below(10) {
        0..5 => (
            "tools/call",
            Json::object([("name", name(dice)), ("arguments", object(dice, 4))]),
        ),
        5 => (
            "prompts/get",
            Json::object([
                ("name", name(dice)),
                ("arguments", Json::object([("topic", text(dice))])),
            ]),
        ),
        6 => (
            "resources/read",
            Json::object([("uri", Json::text("kb://notes/1"))]),
        ),
        7 => ("tools/list", Json::object([("cursor", text(dice))])),
        8 => (
            "completion/complete",
            Json::object([
                (
                    "ref",
                    Json::object([("type", Json::text("ref/prompt")), ("name", name(dice))]),
                ),
                (
                    "argument",
                    Json::object([("name", name(dice)), ("value", text(dice))]),
                ),
            ]),
        ),
        _ => ("ping", Json::object([])),
    }
}

/// What a server sends in answer to the request with this id (JSON text): before the answer and as it.
pub(crate) fn of_server(dice: &mut Dice, id: &[u8]) -> Vec<Json> {
    let mut all = Vec::new();
    for _ in 0..dice.below(3) {
        let params = Json::object([("level", Json::text("info")), ("data", value(dice, 3))]);
        all.push(envelope(None, "notifications/message", Some(params)));
    }
    let answer = Json::object([("jsonrpc", Json::text("2.0")), ("id", Json::raw(id))]);
    all.push(match dice.below(6) {
        0 => {
            let error = Json::object([("code", Json::raw("-32602")), ("message", text(dice))]);
            answer.with("error", error.with("data", value(dice, 2)))
        }
        1 => answer.with("result", object(dice, 4)),
        _ => {
            let content = Json::object([("type", Json::text("text")), ("text", text(dice))]);
            let result = Json::object([("content", Json::Array(vec![content]))])
                .with("structuredContent", object(dice, 3))
                .with("isError", Json::raw("false"));
            answer.with("result", result)
        }
    });
    all
}

fn meta(dice: &mut Dice) -> Json {
    match dice.below(3) {
        0 => Json::object([]),
        1 => Json::object([("progressToken", id(dice))]),
        _ => Json::object([("com.example/trace", value(dice, 1))]),
    }
}

fn id(dice: &mut Dice) -> Json {
    match dice.below(3) {
        0 => text(dice),
        _ => Json::raw(dice.below(100_000).to_string()),
    }
}

fn name(dice: &mut Dice) -> Json {
    Json::text(dice.pick(&[
        "read",
        "search",
        "delete-all",
        "a b",
        "größe",
        "=?base64?eA==?=",
    ]))
}

fn text(dice: &mut Dice) -> Json {
    Json::text(dice.pick(&[
        "",
        "plain",
        "two\nlines \"quoted\" \\",
        "日本語",
        "\u{1f600}",
        "e\u{301}",
        "{\"method\":\"tools/call\"}",
    ]))
}

fn number(dice: &mut Dice) -> Json {
    Json::raw(dice.pick(&["0", "1", "-1", "3.25", "1e3", "0.1", "4294967296"]))
}

fn object(dice: &mut Dice, depth: usize) -> Json {
    const NAMES: [&str; 8] = [
        "query", "limit", "name", "method", "größe", "a/b", "id", "x",
    ];
    let first = dice.below(NAMES.len());
    let members = (0..dice.below(4)).map(|place| {
        let name = NAMES[(first + place) % NAMES.len()];
        (crate::json::quoted(name), value(dice, depth))
    });
    Json::Object(members.collect())
}

fn value(dice: &mut Dice, depth: usize) -> Json {
    match dice.below(if depth == 0 { 4 } else { 6 }) {
        0 | 1 => text(dice),
        2 => number(dice),
        3 => Json::raw(dice.pick(&["true", "false", "null"])),
        4 => object(dice, depth - 1),
        _ => Json::Array((0..dice.below(4)).map(|_| value(dice, depth - 1)).collect()),
    }
}
