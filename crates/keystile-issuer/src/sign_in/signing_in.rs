//! Somebody signs in, one way or another: what limits, log, trail and traces are told of it.

use axum::response::Response;
use http::StatusCode;
use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::ids::PersonId;
use keystile_domain::secrets::reference::Reference;
use keystile_protocol::form::Params;

use super::refusal::{PageRefusal, again_because, limited};
use super::session::{self, Visitor};
use super::transaction::{Open, after_sign_in};
use crate::app::App;
use crate::limits::TooMany;
use crate::pages::{Form, Problem};
use crate::traced;

/// A way to sign in.
#[derive(Clone, Copy)]
pub(super) struct Way {
    /// For the trail.
    pub(super) method: &'static str,
    /// For the trace of an attempt.
    pub(super) how: &'static str,
}

/// A sign-in that was begun.
pub(super) struct SigningIn<'a> {
    pub(super) app: &'a App,
    pub(super) visitor: &'a Visitor,
    pub(super) open: Option<&'a Open>,
    pub(super) reference: &'a Reference,
    pub(super) way: Way,
}

impl SigningIn<'_> {
    /// The form again after a wrong guess.
    pub(super) async fn wrong(
        &self,
        view: impl Form,
        problem: Problem,
    ) -> Result<Response, PageRefusal> {
        let told = Diagnosis::named(problem.code, problem.what);
        self.wrong_because(view, problem, told).await
    }

    /// The same form and page, with what only log, trail and doctor may say.
    pub(super) async fn wrong_because(
        &self,
        view: impl Form,
        problem: Problem,
        told: Diagnosis,
    ) -> Result<Response, PageRefusal> {
        self.record(Err(&told.reason)).await?;
        let status = StatusCode::UNAUTHORIZED;
        Ok(again_because(view, status, problem, self.reference, told))
    }

    /// The form again after one guess too many. On record once a minute: a stranger could fill the
    /// disk as fast as they can ask.
    pub(super) async fn too_many(
        &self,
        view: impl Form,
        limit: TooMany,
    ) -> Result<Response, PageRefusal> {
        let problem = Problem::too_many(limit.wait);
        if limit.first {
            self.record(Err(problem.code)).await?;
        }
        let attempt = (limit.first || self.open.is_some()).then_some(self.reference);
        Ok(limited(self.app, view, problem, limit, attempt))
    }

    /// Begins the session and goes on to what the person came for.
    pub(super) async fn succeed(
        &self,
        person: PersonId,
        params: &Params,
    ) -> Result<Response, PageRefusal> {
        self.record(Ok(person)).await?;
        let cookie = session::begin(self.app, self.visitor, person).await?;
        Ok(session::with_cookie(
            after_sign_in(self.open, params),
            cookie,
        ))
    }

    /// What was typed as a name stays out of the trail: it may be a password in the wrong field.
    pub(super) async fn record(&self, outcome: Result<PersonId, &str>) -> Result<(), PageRefusal> {
        let (app, now) = (self.app, self.visitor.now);
        if self.open.is_some() && outcome.is_ok() {
            traced::signed_in(app, self.reference, self.way.how, now);
        }
        let person = outcome.ok().map(|id| id.to_string());
        let peer = self.visitor.peer.to_string();
        let client = self.open.map(|open| &open.transaction.client);
        let told = self.open.is_some() || outcome.is_err();
        let allowed = if outcome.is_ok() {
            Outcome::Allow
        } else {
            Outcome::Deny
        };
        let event = Event {
            person: person.as_deref(),
            client: client.map(|client| client.client_id.as_str()),
            reference: told.then_some(self.reference.as_str()),
            reason: outcome.err(),
            peer: Some(&peer),
            method: Some(self.way.method),
            ..Event::new(now, Action::SignIn, allowed)
        };
        Ok(app.audit.record(&event).await?)
    }
}
