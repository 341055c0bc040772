//! The caller's end of a call in flight.

use keystile_protocol::mutation::weakened;
use tokio::sync::oneshot;

use super::{CANCELLED, Event, Events, Peer};
use crate::{
    era::{json::quoted, message},
    relay::Failure,
};

/// The caller's end of a call in flight. Dropping it cancels the call.
pub(crate) struct Exchange {
    pub(super) events: Events,
    pub(crate) answer: oneshot::Receiver<Result<String, Failure>>,
    pub(super) ticket: Ticket,
}

pub(super) struct Ticket {
    /// The upstream id, without quotes.
    pub(super) id: Box<str>,
    pub(super) peer: Peer,
    pub(super) cancels: bool,
}

impl Exchange {
    /// The upstream id, without quotes.
    pub(crate) fn id(&self) -> &str {
        &self.ticket.id
    }

    /// The next thing; events come before the answer. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Step {
        tokio::select! {
            biased;
            Some(event) = self.events.recv() => Step::Event(event),
            answer = &mut self.answer => match self.events.try_recv() {
                // The answer came right behind an event: keep it for the next step.
                Some(event) => {
                    let (tx, rx) = oneshot::channel();
                    let _ = tx.send(answer.unwrap_or(Err(Failure::Closed)));
                    self.answer = rx;
                    Step::Event(event)
                }
                None => Step::Answer(answer.unwrap_or(Err(Failure::Closed))),
            },
        }
    }

    /// The answer alone; events are dropped.
    pub(crate) async fn only_answer(mut self) -> Result<String, Failure> {
        loop {
            if let Step::Answer(answer) = self.next().await {
                return answer;
            }
        }
    }
}

/// See [`Exchange::next`].
#[derive(Debug)]
pub(crate) enum Step {
    Event(Event),
    /// With the upstream id.
    Answer(Result<String, Failure>),
}

impl Peer {
    /// Ends it at this end alone: at the other it is over already.
    pub(crate) fn end(&self) {
        self.shared.fail(Failure::Closed);
    }

    /// Tells that nobody waits for a call any more, by its upstream id.
    pub(super) fn tell_cancelled(&self, id: &str, reason: &str) {
        let (id, reason) = (quoted(id), quoted(reason));
        let params = format!(r#"{{"requestId":{id},"reason":{reason}}}"#);
        self.tell(message::notification(CANCELLED, Some(&params)));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let in_flight = self
            .peer
            .shared
            .state
            .lock()
            .waiting
            .remove(&self.id)
            .is_some();
        if in_flight && self.cancels && !weakened("n_tr_13") {
            self.peer.tell_cancelled(&self.id, "the client went away");
        }
    }
}
