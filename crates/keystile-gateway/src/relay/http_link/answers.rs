//! The messages of one response of an HTTP upstream.

use http::{HeaderValue, Response};
use hyper::body::Incoming;
use keystile_protocol::mcp::{Envelope, Kind};

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
    /// Of the request.
    pub(super) method: &'a str,
    pub(super) session: Option<HeaderValue>,
}

impl Answers<'_> {
    /// One message. What the strict parser refuses ends the stream (CHECKLIST R10).
    pub(super) async fn take(&mut self, body: Vec<u8>) -> Result<(), Failure> {
        let kind = match Envelope::parse(&body) {
            Ok(message) => message.kind(),
            Err(error) => {
                let reach = &self.shared.reach;
                let host = String::from_utf8_lossy(reach.host.as_bytes());
                reach.strange.tell(&host, &body, &error);
                return Err(Failure::NotMcp);
            }
        };
        let mut text = String::from_utf8(body).map_err(|_| Failure::NotMcp)?;
        if matches!(kind, Kind::Response | Kind::Error) {
            if self.id.is_empty() {
                return Ok(());
            }
            self.first = Some(kind == Kind::Response);
            // Whatever id it carries: it came as the answer to this request and to no other.
            let id = quoted(self.id);
            text = Reshape::of(Some(Node::root(&text))).set("id", id).finish();
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
        let status = response.status();
        let is_json = media(&response) == Some("application/json");
        if status.is_client_error() && !matches!(status.as_u16(), 401 | 403) && is_json {
            let body = self.shared.whole(response).await?;
            if Envelope::parse(&body).is_ok_and(|message| message.kind() == Kind::Error) {
                return self.take(body).await;
            }
        }
        Err(Failure::BadStatus(status.as_u16()))
    }
}
