//! The messages of one response of an HTTP upstream.

use http::{HeaderValue, Response, header};
use hyper::body::Incoming;
use keystile_protocol::{
    mcp::{Envelope, Kind},
    mutation::weakened,
};

use super::{LegacySession, Shared};
use crate::{
    era::{
        json::{Node, Reshape, quoted},
        message::Message,
    },
    relay::{Failure, Received, reach::media},
};

/// Takes the messages of one response.
pub(super) struct Answers<'a> {
    pub(super) shared: &'a Shared,
    /// Of the request; empty for the session's own stream.
    pub(super) id: &'a str,
    /// The answer came, and it is a result.
    pub(super) first: Option<bool>,
    /// An answer to another request came.
    pub(super) foreign: bool,
    /// Of the request.
    pub(super) method: &'a str,
    pub(super) session: Option<HeaderValue>,
}

/// Which request an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The one that was posted.
    Ours,
    /// The same, by a server that could not read it and has no id to name; it gets ours.
    Nameless,
    Foreign,
}

impl Answers<'_> {
    /// One message. What the strict parser refuses ends the stream (CHECKLIST R10).
    pub(super) async fn take(&mut self, body: Vec<u8>) -> Result<(), Failure> {
        let (kind, whose) = match Envelope::parse(&body) {
            Ok(message) => (message.kind(), self.whose(&message)),
            Err(error) => {
                self.shared.tell(&body, &error);
                return Err(Failure::NotMcp);
            }
        };
        let is_answer = matches!(kind, Kind::Response | Kind::Error);
        if is_answer && whose == Whose::Foreign {
            self.shared.tell(&body, &"an answer to another request");
            self.foreign = true;
            return Ok(());
        }
        let mut text = String::from_utf8(body).map_err(|_| Failure::NotMcp)?;
        if is_answer {
            self.first = Some(kind == Kind::Response);
            if whose == Whose::Nameless {
                let id = quoted(self.id);
                text = Reshape::of(Some(Node::root(&text))).set("id", id).finish();
            }
            match self.method {
                "initialize" => self.learn(&text),
                "tools/list" => self.shared.learn_params(&text),
                _ => {}
            }
        }
        let about = Some(self.id).filter(|id| !id.is_empty()).map(Into::into);
        let received = Received::Message { text, about };
        self.shared
            .inbox
            .send(received)
            .await
            .map_err(|_| Failure::Closed)
    }

    /// Which request it answers, if it is an answer (CHECKLIST A-113).
    fn whose(&self, answer: &Envelope<'_>) -> Whose {
        let theirs = answer.id().map(|id| id.lexeme).unwrap_or("null");
        match theirs {
            _ if self.id.is_empty() => Whose::Foreign,
            "null" if answer.kind() == Kind::Error => Whose::Nameless,
            id if Node::root(id).string().as_deref() == Some(self.id) => Whose::Ours,
            _ if weakened("a_113c") => Whose::Nameless,
            _ => Whose::Foreign,
        }
    }

    fn learn(&mut self, text: &str) {
        let revision = Message::of(text)
            .result()
            .and_then(|result| result.member("protocolVersion"));
        let revision = revision
            .and_then(Node::string)
            .and_then(|date| HeaderValue::from_str(&date).ok());
        if revision.is_some() {
            *self.shared.session.lock() = LegacySession {
                id: self.session.take(),
                revision,
            };
        }
    }

    /// A status that is no success, with a JSON-RPC error in the body or without.
    pub(super) async fn refused(&mut self, response: Response<Incoming>) -> Result<(), Failure> {
        let status = response.status().as_u16();
        // Who is asked for the first time says nothing by being busy or broken for now.
        let begins = matches!(self.method, "initialize" | "server/discover");
        let passes = matches!(status, 429 | 500..);
        let wants_other = matches!(status, 401 | 403 | 407);
        let is_json = media(&response) == Some("application/json");
        let later = response.headers().get(header::RETRY_AFTER);
        let later = later.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        if is_json && !wants_other && !(begins && passes) && status >= 400 {
            let body = self.shared.whole(response).await?;
            if Envelope::parse(&body).is_ok_and(|message| message.kind() == Kind::Error) {
                self.take(body).await?;
            }
        }
        if self.first.is_some() {
            return Ok(());
        }
        if !begins && (status == 429 || status == 503 && later.is_some()) {
            return Err(Failure::Busy(status, later));
        }
        Err(Failure::BadStatus(status))
    }
}
