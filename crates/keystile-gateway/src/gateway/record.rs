//! What the audit trail, the log and `keystile doctor` get of a call, before its answer.

use axum::body::Body;
use http::Response;
use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::flow::{Line, Noted, Stage, Whose};
use keystile_domain::secrets::reference::Reference;
use keystile_protocol::mcp::Envelope;
use keystile_protocol::mutation::weakened;
use keystile_resource::refuse;
use tracing::Level;

use super::{Gateway, Sent};
use crate::admit::{Denied, Permit, describe};
use crate::inspect::Asked;
use crate::refusal::{Code, Refusal};
use crate::route::Route;

impl Gateway {
    /// What is allowed is in the audit trail before it is forwarded, message by message; if it can't be, it is not.
    pub(super) fn record_calls(
        &self,
        permit: &Permit,
        of: Sent<'_>,
        asked: &Asked<'_>,
    ) -> Result<(), Refusal> {
        match asked.messages() {
            [] => self.record_call(permit, of, None),
            messages => messages
                .iter()
                .try_for_each(|message| self.record_call(permit, of, Some(message))),
        }
    }

    fn record_call(
        &self,
        permit: &Permit,
        of: Sent<'_>,
        message: Option<&Envelope<'_>>,
    ) -> Result<(), Refusal> {
        let from = of.address();
        let mut event = permit.event(of.at, Outcome::Allow);
        event.peer = from.as_deref();
        event.method = Some(of.parts.method.as_str());
        if let Some(message) = message {
            event = about(event, message);
        }
        match self.audit.append(&event) {
            Ok(()) => Ok(()),
            Err(_) if weakened("a_150") => Ok(()),
            Err(error) => {
                let sentence =
                    "The audit trail can't be written, so nothing is done; see the gateway's log.";
                let id = message.and_then(Envelope::id).map(|id| id.lexeme);
                Err(Refusal::new(Code::AuditUnavailable, sentence)
                    .with_detail(error)
                    .with_id(id))
            }
        }
    }

    /// What a caller was refused, under the reference that the answer has.
    pub(super) async fn record_refusal(
        &self,
        refusal: Refusal,
        permit: &Permit,
        of: Sent<'_>,
    ) -> Refusal {
        let reference = Reference::new(&*self.ports.rng);
        let from = of.address();
        let mut event = permit.event(of.at, Outcome::Deny);
        event.peer = from.as_deref();
        event.reason = Some(refusal.word());
        event.reference = Some(reference.as_str());
        self.record(&event).await;
        refusal.with_reference(reference)
    }

    /// Challenges for one message. Of a batch nothing is done then, and each of the others is on record as refused, too.
    pub(super) async fn deny_message(
        &self,
        denied: Denied,
        place: usize,
        asked: &Asked<'_>,
        permit: &Permit,
        of: Sent<'_>,
    ) -> Result<Response<Body>, Refusal> {
        let messages = asked.messages();
        let from = of.address();
        for (other, message) in messages.iter().enumerate() {
            if other != place {
                let mut event = about(permit.event(of.at, Outcome::Deny), message);
                event.peer = from.as_deref();
                event.reason = Some("batch_denied");
                self.record(&event).await;
            }
        }
        let denied = match asked.is_batch() {
            true => denied.in_batch(place),
            false => denied,
        };
        self.deny(denied, messages.get(place), permit.route(), of)
            .await
    }

    /// Challenges. What was shown and refused is in the audit trail before the answer.
    pub(super) async fn deny(
        &self,
        denied: Denied,
        message: Option<&Envelope<'_>>,
        route: &Route,
        of: Sent<'_>,
    ) -> Result<Response<Body>, Refusal> {
        let mut whose = Whose {
            client: None,
            resource: Some(route.resource.resource.to_string()),
            ..Whose::default()
        };
        let (error, reason, caller, found) = match denied {
            Denied::NoToken if weakened("n_rs_11") => return Ok(Response::default()),
            Denied::NoToken => return Ok(refuse(&route.resource, None)),
            Denied::Challenged {
                error,
                reason,
                caller,
                found,
            } => (Some(error), reason, caller, found),
            Denied::Unknown { caller } => (None, "revocations_unknown", Some(caller), None),
        };
        let reference = Reference::new(&*self.ports.rng);
        let from = of.address();
        let mut event = Event::new(of.at, Action::Call, Outcome::Deny);
        event.resource = Some(&route.resource.resource);
        if let Some(caller) = &caller {
            event = describe(event, caller, route);
            whose.client = Some(caller.client_id.clone());
            whose.person = Some(caller.sub.clone());
            whose.grant = caller.sid.as_deref().and_then(|sid| sid.parse().ok());
        }
        if let Some(message) = message {
            event = about(event, message);
        }
        (event.reason, event.reference) = (Some(reason), Some(reference.as_str()));
        event.peer = from.as_deref();
        self.record(&event).await;
        let Some(mut error) = error else {
            return Err(Refusal::revocations_unknown()
                .with_detail(&route.resource.resource)
                .with_reference(reference));
        };
        let diagnosis = match found {
            Some(found) => {
                whose.client = whose.client.or(found.client);
                found.diagnosis
            }
            None => Diagnosis::described(reason, &error.description),
        };
        error.description = format!("{} ({reference})", error.description).into();
        let mut response = refuse(&route.resource, Some(&error));
        response.extensions_mut().insert(whose);
        response.extensions_mut().insert(Noted {
            reference,
            stage: Stage::Call,
            diagnosis,
            line: Line {
                code: Some(reason),
                ..Line::said(Level::INFO, format!("refused a token: {reason}"))
            },
        });
        Ok(response)
    }

    /// A denial stays one, whether or not it could be recorded.
    async fn record(&self, event: &Event<'_>) {
        if let Err(error) = self.audit.record(event).await {
            tracing::error!(audit.error = %error, "a denial could not be recorded");
        }
    }
}

/// Says which message it is about.
fn about<'a>(mut event: Event<'a>, message: &'a Envelope<'_>) -> Event<'a> {
    let params = message.params();
    event.method = message.method().or(Some("response"));
    event.name = params.name.as_deref().or(params.uri.as_deref());
    event.name = event.name.or(params.task_id.as_deref());
    event
}
