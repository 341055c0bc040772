//! Who may call (CHECKLIST R3: a permit or a refusal, and every doubt is a refusal).

use std::sync::Arc;

use http::request::Parts;
use keystile_domain::audit::{Action, Event, Outcome};
use keystile_domain::decide::diagnose::{self, Diagnosis};
use keystile_domain::ids::GrantId;
use keystile_domain::ports::{Revocations, Standing, TokenFacts};
use keystile_domain::time::Timestamp;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::jwt::{ClaimedOfRefused, Rejected};
use keystile_protocol::mcp::Envelope;
use keystile_protocol::mutation::weakened;
use keystile_resource::{Verified, Verifier, bearer};

use crate::inspect::in_batch;
use crate::relay::Caller;
use crate::route::Route;

/// Proof that a caller was let through to one route. Only `admit` makes one, and nothing is
/// forwarded without.
#[derive(Debug, Clone)]
pub struct Permit {
    caller: Verified,
    grant: GrantId,
    route: Arc<Route>,
}

/// Why there is no permit.
#[derive(Debug)]
pub(crate) enum Denied {
    /// No credentials were shown.
    NoToken,
    /// They were, and this is what is wrong; the word is for audit and log.
    Challenged {
        error: OAuthError,
        reason: &'static str,
        caller: Option<Verified>,
        /// For log and doctor: the client hears nothing of it.
        found: Option<Box<Found>>,
    },
    /// The revocation feed can't tell.
    Unknown { caller: Verified },
}

/// What the operator can know of a token that was refused.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) diagnosis: Diagnosis,
    /// Whose it says to be behind a good signature of ours.
    pub(crate) client: Option<String>,
}

/// Checks the token of a request, remembered or not, against revocation and scope, for this route.
pub(crate) fn admit(
    parts: &Parts,
    route: &Arc<Route>,
    verifier: &Verifier,
    revocations: &dyn Revocations,
    now: Timestamp,
) -> Result<Permit, Denied> {
    let token =
        bearer::token(&parts.headers, parts.uri.query()).map_err(|error| Denied::Challenged {
            error,
            reason: "malformed_credentials",
            caller: None,
            found: None,
        })?;
    let token = token.ok_or(Denied::NoToken)?;
    let seconds = u64::try_from(now.seconds()).unwrap_or(u64::MAX);
    let caller = verifier
        .verify(token, &route.resource.resource, seconds)
        .map_err(|rejected| Denied::rejected(rejected, token, verifier, route, seconds))?;
    let grant = caller.sid.as_deref().and_then(|sid| sid.parse().ok());
    let grant = grant.ok_or_else(|| Denied::no_good("no_grant", Some(&caller)))?;
    let permit = Permit {
        caller,
        grant,
        route: Arc::clone(route),
    };
    match permit.standing(revocations) {
        Standing::Good => {}
        Standing::Unknown if weakened("a_097") => {}
        Standing::Revoked => return Err(Denied::revoked(&permit)),
        Standing::Unknown => {
            return Err(Denied::Unknown {
                caller: permit.caller,
            });
        }
    }
    // Without this nothing is possible here; what the message needs is looked at when it was read.
    permit.requires(&route.read_scope)?;
    Ok(permit)
}

impl Permit {
    /// Whether it is good for this message, too.
    pub(crate) fn allows(&self, message: &Envelope<'_>) -> Result<(), Denied> {
        self.requires(self.route.needed_scope(message))
    }

    /// The challenge names the scope for everything, so that one step is enough (N-RS-06).
    fn requires(&self, scope: &str) -> Result<(), Denied> {
        let (caller, route) = (&self.caller, &self.route);
        if caller.allows(scope, route.scopes.hierarchy()) || weakened("n_rs_05") {
            return Ok(());
        }
        let sentence = format!("This server needs the scope {}.", route.scope);
        Err(Denied::Challenged {
            error: OAuthError::new(ErrorCode::InsufficientScope, sentence),
            reason: "insufficient_scope",
            caller: Some(caller.clone()),
            found: None,
        })
    }

    /// `sub`: the person.
    #[must_use]
    pub fn person(&self) -> &str {
        &self.caller.sub
    }

    /// `client_id`.
    #[must_use]
    pub fn client(&self) -> &str {
        &self.caller.client_id
    }

    /// `sid`: the grant.
    #[must_use]
    pub fn grant(&self) -> GrantId {
        self.grant
    }

    /// As the relay to stdio children takes it.
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller {
            resource: self.resource().into(),
            person: self.person().into(),
            client: self.client().into(),
            grant: self.grant,
            issued_at: self.issued_at(),
            expires_at: self.expires_at(),
        }
    }

    pub(crate) fn verified(&self) -> &Verified {
        &self.caller
    }

    /// The canonical resource.
    pub(crate) fn resource(&self) -> &str {
        &self.route.resource.resource
    }

    /// Where it leads.
    #[must_use]
    pub fn route(&self) -> &Arc<Route> {
        &self.route
    }

    /// `iat`.
    #[must_use]
    pub fn issued_at(&self) -> Timestamp {
        seconds(self.caller.iat)
    }

    /// `exp`: streams end then (CHECKLIST R11).
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        seconds(self.caller.exp)
    }

    /// Whether the grant, the person and the client still stand.
    #[must_use]
    pub fn standing(&self, revocations: &dyn Revocations) -> Standing {
        let facts = TokenFacts {
            grant: self.grant,
            person: self.person(),
            client: self.client(),
            issued_at: self.issued_at(),
        };
        match revocations.standing(&facts) {
            Standing::Revoked if weakened("a_118") => Standing::Good,
            standing => standing,
        }
    }

    /// An audit event that says who and where.
    pub(crate) fn event(&self, now: Timestamp, outcome: Outcome) -> Event<'_> {
        describe(
            Event::new(now, Action::Call, outcome),
            &self.caller,
            &self.route,
        )
    }
}

impl Denied {
    /// A token whose grant, person or client was ended: whose, the operator is told.
    pub(crate) fn revoked(permit: &Permit) -> Self {
        let diagnosis = diagnose::token::revoked(permit.grant, permit.person(), permit.client());
        Self::Challenged {
            error: no_good(),
            reason: "revoked",
            caller: Some(permit.caller.clone()),
            found: Some(Box::new(Found {
                diagnosis,
                client: None,
            })),
        }
    }

    /// A token that is no good, which is known of this caller.
    fn no_good(reason: &'static str, caller: Option<&Verified>) -> Self {
        Self::Challenged {
            error: no_good(),
            reason,
            caller: caller.cloned(),
            found: None,
        }
    }

    /// Says which message of a batch it is.
    pub(crate) fn in_batch(mut self, place: usize) -> Self {
        if let Self::Challenged { error, .. } = &mut self {
            error.description = format!("{}{}", in_batch(place), error.description).into();
        }
        self
    }

    /// As [`no_good`](Self::no_good), with what the operator can know of it.
    fn rejected(
        rejected: Rejected,
        token: &str,
        verifier: &Verifier,
        route: &Route,
        now: u64,
    ) -> Self {
        let claimed = ClaimedOfRefused::read(token);
        let (issuer, resource) = (verifier.issuer(), route.resource.resource.as_str());
        let signed = matches!(
            rejected,
            Rejected::Time | Rejected::Issuer | Rejected::Audience
        );
        let diagnosis =
            diagnose::token::rejected(rejected, claimed.as_ref(), issuer, resource, now);
        Self::Challenged {
            error: no_good(),
            reason: diagnose::token::reason(rejected),
            caller: None,
            found: Some(Box::new(Found {
                diagnosis,
                client: signed.then(|| claimed?.client_id).flatten(),
            })),
        }
    }
}

/// One sentence for every token that is no good, whatever is wrong with it (CHECKLIST A-078).
fn no_good() -> OAuthError {
    let sentence = "The access token is not good here: expired, revoked, or for another server. Refresh it, or sign in again.";
    OAuthError::new(ErrorCode::InvalidToken, sentence)
}

/// Adds who called and what to an event.
pub(crate) fn describe<'a>(
    mut event: Event<'a>,
    caller: &'a Verified,
    route: &'a Route,
) -> Event<'a> {
    event.person = Some(&caller.sub);
    event.client = Some(&caller.client_id);
    event.grant = caller.sid.as_deref();
    event.resource = Some(&route.resource.resource);
    event
}

fn seconds(claim: u64) -> Timestamp {
    Timestamp::from_seconds(i64::try_from(claim).unwrap_or(i64::MAX))
}
