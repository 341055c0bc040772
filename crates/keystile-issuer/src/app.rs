//! What every handler needs, in one place.

use std::sync::Arc;
use std::time::Duration;

use keystile_domain::decide::register::RegistrationPolicy;
use keystile_domain::flow::FlowBook;
use keystile_domain::ports::{
    AuditSink, Clients, Clock, DeviceRequests, Grants, People, Registrations, Revocations, Rng,
    ServiceGrants, Sessions,
};
use keystile_domain::secrets::Secrets;
use keystile_fetch::{ClientDocuments, ClientKeys};
use keystile_protocol::issuer::Issuer;
use keystile_protocol::resource::ResourceTable;

use crate::asked_redirects::AskedRedirects;
use crate::keys::KeyRing;
use crate::limits::Limits;
use crate::sign_in::password::Passwords;

/// The settings of the authorization server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Comes from the configuration, never from a request (CHECKLIST R15).
    pub issuer: Issuer,
    /// How commands that administer this installation begin: `keystile`, and where it is if that is not the default.
    pub admin_command: String,
    /// What tokens can be for.
    pub resources: ResourceTable,
    /// How long an access token lives; 10 minutes by default, at most 60.
    pub access_token_lifetime: Duration,
    /// How long a grant lives without being used.
    pub grant_idle: Duration,
    /// Dynamic client registration, or `None` when it is off.
    pub registration: Option<RegistrationPolicy>,
}

/// How long a code lives.
pub(crate) const CODE_LIFETIME: Duration = Duration::from_secs(60);

/// The authorization server.
pub struct App {
    /// Settings.
    pub settings: Settings,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// Accounts.
    pub people: Arc<dyn People>,
    /// Browser sessions.
    pub sessions: Arc<dyn Sessions>,
    /// Pre-registered clients.
    pub clients: Arc<dyn Clients>,
    /// What clients hold for themselves.
    pub service_grants: Arc<dyn ServiceGrants>,
    /// Requests of devices without a browser.
    pub device_requests: Arc<dyn DeviceRequests>,
    /// What lets clients register themselves beyond the default policy.
    pub registrations: Arc<dyn Registrations>,
    /// Redirects that wait for an approval.
    pub asked_redirects: Arc<AskedRedirects>,
    /// Client ID metadata documents: fetched, or only the pinned ones.
    pub documents: ClientDocuments,
    /// Public keys of clients that authenticate with `private_key_jwt`.
    pub client_keys: ClientKeys,
    /// Grants, codes and refresh families.
    pub grants: Arc<dyn Grants>,
    /// What was revoked, of tokens that come back.
    pub revocations: Arc<dyn Revocations>,
    /// The audit trail.
    pub audit: Arc<dyn AuditSink>,
    /// Derived keys.
    pub secrets: Arc<Secrets>,
    /// Signing keys.
    pub keys: Arc<KeyRing>,
    /// Password hashing.
    pub passwords: Passwords,
    /// What each attempt did, for `keystile doctor`.
    pub flows: Arc<FlowBook>,
    /// Limits on guesses and on fetches that a stranger asks for.
    pub limits: Limits,
}

/// The application as handlers take it.
pub type SharedApp = Arc<App>;
