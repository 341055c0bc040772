//! What the pages of a decision have in common: about an app, and about a device.

use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::client::{ClientKind, ClientSnapshot};
use keystile_domain::decide::consent::consent;
use keystile_domain::ids::GrantId;
use keystile_domain::ports::AuditFailed;
use keystile_domain::secrets::reference::Reference;
use keystile_protocol::form::Params;
use keystile_protocol::scope::{ScopeCatalogue, ScopeSet};

use super::refusal::{PageRefusal, Why};
use super::session::{SignedIn, Visitor};
use crate::app::App;
use crate::clients;
use crate::pages::consent::{Requester, Warning};
use crate::pages::{brand, shown};

/// The answer of a person.
pub(super) enum Decision {
    /// With these scopes, which may be less than what was asked.
    Allow(ScopeSet),
    Deny,
}

impl Decision {
    /// # Errors
    /// The form says neither yes nor no, or yes to what was not asked.
    pub(super) fn read(
        params: &Params,
        asked: &ScopeSet,
        scopes: &ScopeCatalogue,
    ) -> Result<Self, PageRefusal> {
        let expected = |what: &str| PageRefusal::from(Why::Unreadable(format!("expected {what}")));
        match params.one("decision") {
            Some("allow") => {
                let only = params.one("only").filter(|only| !only.is_empty());
                let allowed = consent(asked, only, scopes);
                let allowed = allowed.ok_or_else(|| expected("only= to be a scope that was shown"));
                Ok(Self::Allow(allowed?))
            }
            Some("deny") => Ok(Self::Deny),
            _ => Err(expected("decision=allow or decision=deny")),
        }
    }
}

/// Whose answer it is, and about what.
pub(super) struct About<'a> {
    pub(super) app: &'a App,
    pub(super) visitor: &'a Visitor,
    pub(super) session: &'a SignedIn,
    pub(super) client: &'a ClientSnapshot,
    pub(super) resource: &'a str,
    pub(super) reference: &'a Reference,
    /// How it was asked, where no browser brought the request.
    pub(super) method: Option<&'static str>,
}

/// An answer as it stands in the trail.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    No,
    Yes,
    Granted(GrantId),
}

impl About<'_> {
    /// Puts the answer on record, with the scopes that it is about.
    pub(super) async fn record(
        &self,
        answer: Answer,
        scopes: &ScopeSet,
    ) -> Result<(), AuditFailed> {
        let (action, outcome, grant) = match answer {
            Answer::No => (Action::Consent, Outcome::Deny, None),
            Answer::Yes => (Action::Consent, Outcome::Allow, None),
            Answer::Granted(grant) => (Action::Grant, Outcome::Allow, Some(grant.to_string())),
        };
        let person = self.session.person.id.to_string();
        let (peer, scopes) = (self.visitor.peer.to_string(), scopes.to_string());
        let event = Event {
            person: Some(&person),
            client: Some(&self.client.client_id),
            grant: grant.as_deref(),
            resource: Some(self.resource),
            method: self.method,
            name: Some(&scopes),
            reference: Some(self.reference.as_str()),
            reason: matches!(answer, Answer::No).then_some("person_said_no"),
            peer: Some(&peer),
            ..Event::new(self.visitor.now, action, outcome)
        };
        match answer {
            // Who allowed what to whom is on disk by then, and the grant with it.
            Answer::Granted(_) => self.app.audit.append(&event),
            Answer::No | Answer::Yes => self.app.audit.record(&event).await,
        }
    }
}

/// A client may have been kept out since it asked. On a page: nothing is sent back to such a client.
pub(super) async fn refuse_disabled(
    app: &App,
    client: &ClientSnapshot,
    reference: &Reference,
) -> Result<(), PageRefusal> {
    if clients::is_disabled(app, &client.client_id).await? {
        return Err(PageRefusal::from(Why::ClientDisabled).in_flow(reference));
    }
    Ok(())
}

/// Of a name that looks like a product's; one that an operator wrote is no claim.
pub(super) fn borrowed_name(client: &ClientSnapshot, who: &Requester) -> Option<Warning> {
    if client.kind == ClientKind::PreRegistered {
        return None;
    }
    let name = client.name.as_deref().and_then(shown::name)?;
    brand::resembled(&name, who).map(Warning::Resembles)
}

/// The scopes of a server, also of one that is served no longer.
pub(super) fn catalogue(app: &App, server: &str) -> ScopeCatalogue {
    let served = app.settings.resources.by_name(server);
    served.map_or_else(
        || ScopeCatalogue::of_server(server),
        |served| served.scopes.clone(),
    )
}

/// What the person saw, for the list of connected apps: `claude.ai (“Claude”)`. Host first here, too.
pub(super) fn as_shown(who: &Requester, client: &ClientSnapshot) -> String {
    let who = who.headline();
    match client.name.as_deref().and_then(shown::name) {
        Some(name) => format!("{who} (“{name}”)"),
        None => who,
    }
}
