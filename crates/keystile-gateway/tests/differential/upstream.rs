//! The server behind the gateway, which answers with anything.

use axum::body::Body;
use http::{Response, StatusCode};
use serde_json::Value;

use crate::case::{some, spoiled};
use crate::dice::Dice;
use crate::message;
use crate::support::Seen;

/// What it does next, and what it did.
pub(crate) struct Hostile {
    dice: Dice,
    sent: Vec<Vec<u8>>,
}

impl Hostile {
    pub(crate) fn new() -> Self {
        Self {
            dice: Dice::of(0, 0),
            sent: Vec::new(),
        }
    }

    /// Before the next request.
    pub(crate) fn prepare(&mut self, dice: Dice) {
        self.dice = dice;
    }

    /// The messages that it sent since it was asked last.
    pub(crate) fn take(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.sent)
    }

    pub(crate) fn answer(&mut self, seen: &Seen) -> Response<Body> {
        let asked: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let all = match &asked {
            Value::Array(all) => all.iter().collect(),
            one => vec![one],
        };
        let requests = all.into_iter().filter(|it| it["method"].is_string());
        let ids: Vec<String> = requests
            .filter_map(|it| it.get("id"))
            .map(ToString::to_string)
            .collect();
        let mut messages = Vec::new();
        for id in &ids {
            for json in message::of_server(&mut self.dice, id.as_bytes()) {
                let spoils = some(&mut self.dice);
                messages.push(spoiled(json, &spoils, &self.sent, &mut self.dice));
            }
        }
        if messages.is_empty() {
            return of(StatusCode::ACCEPTED, "", Vec::new());
        }
        if ids.len() == 1 && self.dice.one_in(2) {
            let answer = messages.pop().expect("it has one");
            self.sent.push(answer.clone());
            return of(StatusCode::OK, "application/json", answer);
        }
        let stream = self.stream(&messages);
        self.sent.extend(messages);
        of(StatusCode::OK, "text/event-stream", stream)
    }

    /// As an event stream may be written (the HTML standard, "Parsing an event stream").
    fn stream(&mut self, messages: &[Vec<u8>]) -> Vec<u8> {
        let dice = &mut self.dice;
        let mut out = match dice.one_in(6) {
            true => b"\xef\xbb\xbf".to_vec(),
            false => Vec::new(),
        };
        for message in messages {
            let end = dice.pick(&["\n", "\r\n", "\r"]);
            let before = dice.pick(&[
                "",
                "",
                ": note",
                "event: message",
                "event",
                "id: 5",
                "retry: 10",
                "data2: x",
            ]);
            if !before.is_empty() {
                out.extend_from_slice(format!("{before}{end}").as_bytes());
            }
            let field = dice.pick(&["data: ", "data:"]);
            for line in message.split(|byte| matches!(byte, b'\n' | b'\r')) {
                out.extend_from_slice(field.as_bytes());
                out.extend_from_slice(line);
                out.extend_from_slice(end.as_bytes());
            }
            out.extend_from_slice(end.as_bytes());
        }
        out
    }
}

fn of(status: StatusCode, media: &str, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::builder().status(status);
    if !media.is_empty() {
        response = response.header("content-type", media);
    }
    response.body(Body::from(body)).expect("it is well formed")
}
