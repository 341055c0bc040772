//! One request: a message, what was done to it, and headers that fit.

use keystile_protocol::mcp::headers::{self, encode};
use keystile_protocol::mcp::method::{NamedBy, named_by};
use serde_json::Value;

use crate::dice::Dice;
use crate::json::Json;
use crate::message;
use crate::spoil::Spoil;

pub(crate) struct Case {
    pub(crate) body: Vec<u8>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) is_batch: bool,
    pub(crate) spoils: Vec<Spoil>,
}

impl Case {
    /// The next one; `before` are bodies to splice.
    pub(crate) fn new(dice: &mut Dice, before: &[Vec<u8>]) -> Self {
        let message = message::of_client(dice);
        let spoils = some(dice);
        let body = spoiled(message.json.clone(), &spoils, before, dice);
        let mut headers = Vec::new();
        if let Some(revision) = message.revision {
            headers.push((headers::PROTOCOL_VERSION, revision.as_str().to_owned()));
        }
        let demanded = message
            .revision
            .is_some_and(|it| it.as_str() == "2026-07-28");
        if demanded || (!message.is_batch && dice.one_in(4)) {
            mirror(&body, &message.json.bytes(), &mut headers);
        }
        if spoils.contains(&Spoil::OtherHeader) && !headers.is_empty() {
            let at = dice.below(headers.len());
            headers[at].1 = match dice.below(4) {
                0 => "tools/list".to_owned(),
                1 => "read".to_owned(),
                2 => headers[at].1.to_uppercase(),
                _ => encode(&format!(" {}", headers[at].1)).into_owned(),
            };
        }
        Self {
            body,
            headers,
            is_batch: message.is_batch,
            spoils,
        }
    }
}

/// What is to be done to a message: nothing, mostly one thing, sometimes two.
pub(crate) fn some(dice: &mut Dice) -> Vec<Spoil> {
    let count = [0, 1, 1, 2][dice.below(4)];
    (0..count).map(|_| Spoil::any(dice)).collect()
}

pub(crate) fn spoiled(
    mut json: Json,
    spoils: &[Spoil],
    before: &[Vec<u8>],
    dice: &mut Dice,
) -> Vec<u8> {
    for spoil in spoils {
        spoil.tree(&mut json, dice);
    }
    let mut body = match spoils.contains(&Spoil::PlainSpace) {
        true => json.spaced(|| dice.pick(&["", "", "", " ", "\t", "\r\n", "\n", "  \r"])),
        false => json.bytes(),
    };
    for spoil in spoils {
        spoil.bytes(&mut body, before, dice);
    }
    body
}

/// Headers as somebody sends them who wants them to fit: to the body as one careless reader reads it, or to the
/// message that it was.
fn mirror(body: &[u8], meant: &[u8], headers: &mut Vec<(&'static str, String)>) {
    let read = serde_json::from_slice(body).or_else(|_| serde_json::from_slice(meant));
    let read: Value = read.unwrap_or_default();
    let Some(method) = read["method"].as_str() else {
        return;
    };
    headers.push((headers::METHOD, method.to_owned()));
    let name = match named_by(method) {
        Some(NamedBy::Name) => &read["params"]["name"],
        Some(NamedBy::Uri) => &read["params"]["uri"],
        Some(NamedBy::TaskId) => &read["params"]["taskId"],
        None => return,
    };
    if let Some(name) = name.as_str() {
        headers.push((headers::NAME, encode(name).into_owned()));
    }
}
