//! Batches of 2025-03-26: each message as if it had come alone, and one response for all ("Transports", "Sending
//! Messages to the Server").

use std::sync::Arc;

use axum::body::Body;
use futures_util::future::join_all;
use http::{Response, StatusCode, request::Parts};
use keystile_protocol::mcp::{Batch, Kind, Revision};
use keystile_protocol::mutation::weakened;

use super::{
    Ports,
    answer::{Accepts, Out, Piece, empty},
    caller::Caller,
    legacy::{no_session_named, request, session_id, unknown_session},
    serve::{Admitted, Inner},
    session::Session,
};
use crate::refusal::{Code, Refusal};

impl Inner {
    /// Only a session that agreed on 2025-03-26 has batches.
    pub(super) fn admit_batch(
        &self,
        caller: &Caller,
        parts: &Parts,
        accepts: Accepts,
    ) -> Result<Admitted, Refusal> {
        let id = session_id(&parts.headers).ok_or_else(no_session_named)?;
        let session = self.session(caller, id).ok_or_else(unknown_session)?;
        match session.revision {
            Some(Revision::V2025_03_26) => Ok(Admitted::InSession(session, accepts)),
            Some(_) if weakened("a_101d") => Ok(Admitted::InSession(session, accepts)),
            _ => Err(Refusal::no_batches()),
        }
    }

    /// What needs no answer goes first; if the server does not take it, nothing of the rest is done.
    pub(super) async fn batch(
        self: &Arc<Self>,
        caller: &Caller,
        session: Arc<Session>,
        batch: &Batch<'_>,
        accepts: Accepts,
    ) -> Response<Body> {
        let mut requests = Vec::new();
        for message in batch.messages() {
            match (message.kind(), message.id()) {
                (Kind::Request, Some(id)) => {
                    requests.push((id.lexeme.to_owned(), message.text().to_owned()));
                }
                _ => {
                    let told = Arc::clone(&session);
                    let response = self.in_session(caller, told, message, accepts).await;
                    if response.status() != StatusCode::ACCEPTED {
                        return response;
                    }
                }
            }
        }
        if requests.is_empty() {
            return empty(StatusCode::ACCEPTED);
        }
        let (ports, limit) = (self.ports.clone(), self.limits.call());
        // Each has the limit of its own, and an answer that says so.
        self.run(caller, "null", accepts, None, |out| async move {
            let calls = requests.iter().map(async |(id, text)| {
                let answer = answer(&session, id, text, accepts.events, &out, &ports);
                let answered = tokio::time::timeout(limit, answer).await;
                answered.unwrap_or_else(|_| Refusal::timed_out().with_id(Some(id)).tell(&ports))
            });
            let answers = join_all(calls).await;
            out.answers(answers).await;
        })
        .await
    }
}

/// The answer to one request; what comes before it goes out at once.
async fn answer(
    session: &Session,
    id: &str,
    text: &str,
    streams: bool,
    out: &Out,
    ports: &Ports,
) -> String {
    let (own, mut pieces) = out.another();
    let heard = async {
        while let Some(piece) = pieces.recv().await {
            match piece {
                Piece::Event(text) => {
                    out.event(text).await;
                }
                Piece::Answer(text, _) => return text,
                Piece::Refused(refusal) => return refusal.tell(ports),
                Piece::Answers(_) | Piece::Endpoint(_) => {}
            }
        }
        let lost = Refusal::new(Code::CallLost, "The gateway failed to answer.");
        lost.with_id(Some(id)).tell(ports)
    };
    let ((), answer) = tokio::join!(request(session, text, id, streams, own), heard);
    answer
}
