//! What an upstream may send in answer to a request (MCP 2026-07-28 and 2025-11-25, streamable HTTP).

use http::Method;
use http::request::Parts;
use keystile_protocol::mcp::{Batch, Envelope, EnvelopeError, Era, Kind, headers, method};
use keystile_protocol::mutation::weakened;

use super::answer::Media;
use super::asides::{Asides, is_same};
use super::in_flight::Held;
use crate::era::message::Message;
use crate::era::subscriptions::{ACKNOWLEDGED, Filter, LISTEN};
use crate::inspect::Asked;

/// What may come for one request, and what of it came.
pub(super) struct Awaited {
    era: Era,
    what: What,
    /// The requests that have no answer yet, by their ids (JSON text).
    open: Vec<Box<str>>,
    /// The same, as ids of a session that nobody else may use meanwhile.
    held: Option<Held>,
    /// Several messages may come at once.
    batches: bool,
    asides: Asides,
}

enum What {
    /// Answers, and what belongs to them.
    Answers,
    /// Changes, until the subscription with this id (JSON text) ends.
    Changes {
        id: Box<str>,
        filter: Filter,
        acknowledged: bool,
    },
    /// What the server of a 2025-era session has to say by itself. Answers belong there only if it is the stream of
    /// an earlier request that goes on.
    Session { resumed: bool },
    /// A status: for a notification, an answer of the client's, or the end of a session.
    Nothing,
}

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It passes, as what was asked for.
    Answers,
    /// As this text: it names no request, and only one waits.
    AnswersAs(String),
    /// It passes.
    Belongs,
    /// And why.
    Dropped(&'static str),
}

impl Awaited {
    /// For what is asked, which the server gets as `body`. With `batches` each side may send several messages at once.
    pub(super) fn of(parts: &Parts, asked: &Asked<'_>, body: &[u8], batches: bool) -> Self {
        let open: Vec<Box<str>> = asked.requests().map(Box::from).collect();
        let listens = asked.message().filter(|it| it.method() == Some(LISTEN));
        let what = match (listens, open.first()) {
            (Some(_), Some(id)) => What::Changes {
                id: id.clone(),
                // The upstream refuses one that is malformed; until then nothing was asked for.
                filter: std::str::from_utf8(body)
                    .ok()
                    .and_then(|text| Filter::read(Message::of(text)))
                    .unwrap_or_default(),
                acknowledged: false,
            },
            (None, Some(_)) => What::Answers,
            _ if parts.method == Method::GET => What::Session {
                resumed: parts.headers.contains_key(headers::LAST_EVENT_ID),
            },
            _ => What::Nothing,
        };
        Self {
            era: asked.era,
            what,
            open,
            held: None,
            batches,
            asides: Asides::of(asked),
        }
    }

    /// With the ids that its requests hold until they are answered.
    pub(super) fn holding(self, held: Option<Held>) -> Self {
        Self { held, ..self }
    }

    /// Whether it lives as long as the token, and not to its own limit (CHECKLIST R11).
    pub(super) fn lasts_with_the_token(&self) -> bool {
        matches!(self.what, What::Changes { .. } | What::Session { .. })
    }

    /// Whether this is what a success of it has as its content.
    pub(super) fn takes(&self, media: Media) -> bool {
        match self.what {
            What::Answers | What::Changes { .. } => matches!(media, Media::Json | Media::Events),
            What::Session { .. } => media == Media::Events,
            What::Nothing => true,
        }
    }

    /// Whether a success has no content.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(self.what, What::Nothing)
    }

    /// The requests that have no answer yet, by their ids (JSON text).
    pub(super) fn unanswered(&self) -> &[Box<str>] {
        &self.open
    }

    /// Whether this text may reach the client: one message, or several where they may come at once.
    ///
    /// # Errors
    /// Anything of CHECKLIST R1.
    pub(super) fn read(&mut self, text: &[u8]) -> Result<Verdict, EnvelopeError> {
        if !self.batches || !Batch::is_one(text) {
            return Ok(self.judge(&Envelope::parse(text)?));
        }
        let mut all = Verdict::Answers;
        for message in Batch::parse(text)?.messages() {
            match self.judge(message) {
                Verdict::Answers | Verdict::AnswersAs(_) => {}
                Verdict::Belongs => all = Verdict::Belongs,
                dropped @ Verdict::Dropped(_) => return Ok(dropped),
            }
        }
        Ok(all)
    }

    fn judge(&mut self, message: &Envelope<'_>) -> Verdict {
        match message.kind() {
            Kind::Request if self.era == Era::Stateless && !weakened("n_tr_14") => {
                Verdict::Dropped("a request, which no server of 2026-07-28 sends")
            }
            Kind::Request
                if !message.method().is_some_and(method::is_request_of_servers)
                    && !weakened("a_113g") =>
            {
                Verdict::Dropped("a request that no server sends")
            }
            Kind::Request => Verdict::Belongs,
            Kind::Notification => self.notified(message),
            Kind::Response | Kind::Error => self.answered(message),
        }
    }

    fn notified(&mut self, message: &Envelope<'_>) -> Verdict {
        let says = message
            .method()
            .is_some_and(method::is_notification_of_servers);
        if !says && !weakened("a_113f") {
            return Verdict::Dropped("a notification that no server sends");
        }
        let What::Changes {
            id,
            filter,
            acknowledged,
        } = &mut self.what
        else {
            let is_call = matches!(self.what, What::Answers) && !weakened("a_113b");
            let refused = is_call.then(|| self.asides.refuse(message, self.era));
            return match refused.flatten() {
                Some(why) => Verdict::Dropped(why),
                None => Verdict::Belongs,
            };
        };
        if weakened("n_tr_15") {
            return Verdict::Belongs;
        }
        let method = message.method().unwrap_or_default();
        let tag = message.params().meta.subscription_id;
        if !tag.is_some_and(|tag| is_same(message.slice(tag), id)) {
            return Verdict::Dropped("a notification without the subscription's id");
        }
        if method == ACKNOWLEDGED {
            *acknowledged = true;
            return Verdict::Belongs;
        }
        if !*acknowledged {
            return Verdict::Dropped("a notification before the subscription was acknowledged");
        }
        match filter.wants(method, Message::of(message.text())) {
            true => Verdict::Belongs,
            false => Verdict::Dropped("a notification that the subscription did not ask for"),
        }
    }

    fn answered(&mut self, message: &Envelope<'_>) -> Verdict {
        if let What::Session { resumed: true } = self.what {
            return Verdict::Answers;
        }
        // An upstream that could not read the request has no id to name.
        let theirs = message.id().map(|id| id.lexeme).filter(|id| *id != "null");
        let place = match theirs {
            Some(theirs) => self.open.iter().position(|id| is_same(theirs, id)),
            None => self.open.len().checked_sub(1),
        };
        let Some(place) = place else {
            return match weakened("a_113") {
                true => Verdict::Answers,
                false => Verdict::Dropped("an answer to no request that waits for one"),
            };
        };
        let id = self.open.remove(place);
        if let Some(held) = &mut self.held {
            held.answered(&id);
        }
        match theirs {
            None if self.open.is_empty() => {
                Verdict::AnswersAs(Message::of(message.text()).with_id(&id))
            }
            _ => Verdict::Answers,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::inspect::Content;

    fn awaited(method: &str, era: Era, body: &str) -> Awaited {
        let request = Request::builder().method(method).body(()).unwrap();
        let content = match body {
            "" => Content::Nothing,
            _ if body.starts_with('[') => Content::Batch(Batch::parse(body.as_bytes()).unwrap()),
            _ => Content::Message(Envelope::parse(body.as_bytes()).unwrap()),
        };
        let batches = matches!(content, Content::Batch(_));
        let asked = Asked { content, era };
        Awaited::of(&request.into_parts().0, &asked, body.as_bytes(), batches)
    }

    /// Whether each of these passes, in turn.
    fn judged(mut awaited: Awaited, messages: &[&str]) -> Vec<bool> {
        let messages = messages.iter();
        messages
            .map(|text| awaited.read(text.as_bytes()).unwrap())
            .map(|verdict| !matches!(verdict, Verdict::Dropped(_)))
            .collect()
    }

    const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a"}}"#;
    const ASKS: &str = r#"{"jsonrpc":"2.0","id":7,"method":"roots/list"}"#;
    const SAYS: &str = r#"{"jsonrpc":"2.0","method":"notifications/note"}"#;
    const ANSWER: &str = r#"{"jsonrpc":"2.0","id":7,"result":{}}"#;
    const FOREIGN: &str = r#"{"jsonrpc":"2.0","id":8,"result":{}}"#;
    const NAMELESS: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}"#;

    #[test]
    fn a_call_gets_its_own_answer_once() {
        let all = [FOREIGN, SAYS, ANSWER, ANSWER, NAMELESS];
        for era in [Era::Stateless, Era::Legacy] {
            let passed = judged(awaited("POST", era, CALL), &all);
            assert_eq!(passed, [false, true, true, false, false], "{era:?}");
            let nameless = judged(awaited("POST", era, CALL), &[NAMELESS]);
            assert_eq!(nameless, [true], "{era:?}");
        }
    }

    #[test]
    fn only_servers_of_2025_ask() {
        assert_eq!(judged(awaited("POST", Era::Legacy, CALL), &[ASKS]), [true]);
        let stateless = judged(awaited("POST", Era::Stateless, CALL), &[ASKS]);
        assert_eq!(stateless, [false]);
    }

    #[test]
    fn a_113_a_server_asks_a_client_nothing_that_only_clients_ask() {
        for asked in ["tools/call", "initialize", "evil/doit"] {
            let asks = format!(r#"{{"jsonrpc":"2.0","id":"x","method":"{asked}"}}"#);
            for (method, body) in [("POST", CALL), ("GET", "")] {
                let passed = judged(awaited(method, Era::Legacy, body), &[&asks]);
                assert_eq!(passed, [false], "{asked}");
            }
        }
    }

    #[test]
    fn a_session_s_stream_has_no_answers_unless_it_goes_on() {
        let mut session = awaited("GET", Era::Legacy, "");
        let all = [ASKS, SAYS, ANSWER];
        assert!(session.lasts_with_the_token() && session.unanswered().is_empty());
        session.what = What::Session { resumed: true };
        assert_eq!(judged(session, &all), [true, true, true]);
        let session = awaited("GET", Era::Legacy, "");
        assert_eq!(judged(session, &all), [true, true, false]);
    }

    #[test]
    fn a_notification_gets_nothing() {
        for (method, body) in [("POST", SAYS), ("POST", ANSWER), ("DELETE", "")] {
            let nothing = awaited(method, Era::Legacy, body);
            assert!(nothing.is_nothing() && !nothing.lasts_with_the_token());
        }
    }

    #[test]
    fn each_request_of_a_batch_gets_its_answer_in_any_order_and_packing() {
        let asked = format!("[{CALL},{SAYS},{}]", CALL.replace('7', "8"));
        let mut all = awaited("POST", Era::Legacy, &asked);
        let read = |all: &mut Awaited, text: &str| all.read(text.as_bytes()).unwrap();
        assert_eq!(read(&mut all, SAYS), Verdict::Belongs);
        assert_eq!(read(&mut all, FOREIGN), Verdict::Answers);
        let rest = format!("[{ANSWER},{}]", FOREIGN.replace('8', "9"));
        assert!(matches!(read(&mut all, &rest), Verdict::Dropped(_)));
        let both = format!("[{FOREIGN},{ANSWER}]");
        let mut all = awaited("POST", Era::Legacy, &asked);
        assert_eq!(read(&mut all, &both), Verdict::Answers);
        assert!(all.unanswered().is_empty());
        let mut one = awaited("POST", Era::Legacy, CALL);
        assert!(one.read(format!("[{ANSWER}]").as_bytes()).is_err());
    }
}
