//! The rooms of a serving process, each as the plan has it.

use std::sync::Arc;
use std::time::Duration;

use keystile_domain::decide::register::RegistrationPolicy;
use keystile_fetch::{ClientDocuments, ClientKeys, FetchOptions, Fetcher};
use keystile_gateway::stdio::Pool;
use keystile_gateway::{Ending, Gateway, relay};
use keystile_issuer::app::{App, Settings};
use keystile_issuer::keys::KeyRing;
use keystile_issuer::limits::Limits;
use keystile_protocol::issuer::Issuer;
use keystile_protocol::resource::ResourceTable;
use keystile_resource::Verifier;

use crate::config::{Clients, Server};
use crate::failure::Failure;
use crate::wire::Plan;
use crate::wire::installation::Installation;

/// A grant that nobody uses for this long ends.
const GRANT_IDLE: Duration = Duration::from_secs(90 * 24 * 3600);

pub(super) fn app(
    plan: &Plan,
    installation: &Installation,
    issuer: &Issuer,
    resources: &ResourceTable,
    keys: &Arc<KeyRing>,
    (documents, client_keys): (ClientDocuments, ClientKeys),
) -> App {
    let store = Arc::clone(&installation.store);
    App {
        settings: Settings {
            issuer: issuer.clone(),
            // Anybody may open a page: it says nothing of our folders.
            admin_command: "keystile".to_owned(),
            resources: resources.clone(),
            access_token_lifetime: plan.tokens.access_token_lifetime,
            grant_idle: GRANT_IDLE,
            registration: plan.clients.registration.map(|mode| RegistrationPolicy {
                mode,
                ..RegistrationPolicy::default()
            }),
        },
        clock: installation.clock.clone(),
        rng: installation.rng.clone(),
        people: store.clone(),
        sessions: store.clone(),
        clients: store.clone(),
        service_grants: store.clone(),
        device_requests: store.clone(),
        registrations: store.clone(),
        asked_redirects: Arc::clone(&installation.asked_redirects),
        documents,
        client_keys,
        grants: store.clone(),
        revocations: store.revocations(),
        audit: installation.audit.clone(),
        secrets: installation.secrets.clone(),
        flows: Arc::clone(&installation.flows),
        keys: Arc::clone(keys),
        passwords: installation.passwords.clone(),
        limits: Limits::new(),
    }
}

/// The gateway, and the children of each stdio server, by its name.
pub(super) type Rooms = (Arc<Gateway>, Vec<(String, Arc<Pool>)>);

/// The gateway trusts our issuer as it would a foreign one: keys from the JWK set, and a feed.
pub(super) fn gateway(
    plan: Plan,
    installation: &Installation,
    (issuer, resources): (&Issuer, &ResourceTable),
    verifier: Arc<Verifier>,
    ending: Ending,
) -> Result<Rooms, Failure> {
    let ports = relay::Ports {
        clock: installation.clock.clone(),
        rng: installation.rng.clone(),
        secrets: installation.secrets.clone(),
        revocations: installation.store.revocations(),
        flows: Arc::clone(&installation.flows),
        ending,
    };
    let (mut served, mut pools) = (Vec::new(), Vec::new());
    for Server { name, upstream } in plan.servers {
        let (upstream, pool) = upstream.into_gateway(&name, ports.clone())?;
        let resource = resources.by_name(&name);
        let resource = resource.expect("the table was made from these names");
        served.push((resource.clone(), upstream));
        pools.extend(pool.map(|pool| (name, pool)));
    }
    let settings = keystile_gateway::Settings {
        public: issuer.clone(),
        // Only the public URL's name is right: a token is for that URL, and clients compare them.
        loopback_ports: Vec::new(),
        origins: plan.listen.origins,
        served,
    };
    let gateway = Gateway::new(settings, verifier, installation.audit.clone(), ports);
    Ok((Arc::new(gateway), pools))
}

pub(super) fn documents(clients: &Clients) -> Result<(ClientDocuments, ClientKeys), Failure> {
    if clients.air_gapped {
        return Ok((ClientDocuments::pinned_only(), ClientKeys::closed()));
    }
    let options = FetchOptions {
        danger_allow: clients.fetch_allow.clone(),
        extra_ca_file: clients.extra_ca_file.clone(),
        ..FetchOptions::default()
    };
    let fetcher = Fetcher::new(options).map_err(|error| {
        Failure::configuration(
            "extra_ca_file",
            format!("--extra-ca-file: {error}"),
            "name a PEM file that holds the certificates of the authorities",
        )
    })?;
    let keys = ClientKeys::fetching(fetcher.clone());
    Ok((
        ClientDocuments::fetching_from(fetcher, clients.hosts.clone()),
        keys,
    ))
}
