//! What the pages of a decision have in common: about an app, and about a device.

use keystile_domain::client::ClientSnapshot;
use keystile_domain::decide::consent::consent;
use keystile_protocol::form::Params;
use keystile_protocol::scope::{ScopeCatalogue, ScopeSet};

use super::refusal::{PageRefusal, Why};
use crate::app::App;
use crate::pages::consent::Requester;
use crate::pages::shown;

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
