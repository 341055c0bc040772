//! The rooms of a serving process, each as the plan has it.

use std::sync::Arc;
use std::time::Duration;

use keystile_domain::decide::register::RegistrationPolicy;
use keystile_fetch::{Allow, ClientDocuments, ClientKeys, FetchOptions, Fetcher};
use keystile_gateway::stdio::Pool;
use keystile_gateway::{Ending, Gateway, relay};
use keystile_issuer::app::{App, Settings};
use keystile_issuer::keys::KeyRing;
use keystile_issuer::limits::Limits;
use keystile_protocol::issuer::Issuer;
use keystile_protocol::resource::ResourceTable;
use keystile_resource::Verifier;

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
            access_token_lifetime: plan.access_token_lifetime,
            grant_idle: GRANT_IDLE,
            registration: plan.registration.map(|mode| RegistrationPolicy {
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

/// The gateway trusts our issuer as it would a foreign one: keys from the JWK set, and a feed.
pub(super) fn gateway(
    plan: Plan,
    installation: &Installation,
    (issuer, resources): (&Issuer, &ResourceTable),
    verifier: Arc<Verifier>,
    ending: Ending,
) -> Result<(Arc<Gateway>, Option<Arc<Pool>>), Failure> {
    let ports = relay::Ports {
        clock: installation.clock.clone(),
        rng: installation.rng.clone(),
        secrets: installation.secrets.clone(),
        revocations: installation.store.revocations(),
        flows: Arc::clone(&installation.flows),
        ending,
    };
    let (upstream, pool) = plan.upstream.into_gateway(&plan.name, ports.clone())?;
    let served = resources
        .by_name(&plan.name)
        .expect("the table was made from this name")
        .clone();
    let settings = keystile_gateway::Settings {
        public: issuer.clone(),
        // Only the public URL's name is right: a token is for that URL, and clients compare them.
        loopback_ports: Vec::new(),
        origins: plan.origins,
        served: vec![(served, upstream)],
    };
    let gateway = Gateway::new(settings, verifier, installation.audit.clone(), ports);
    Ok((Arc::new(gateway), pool))
}

pub(super) fn documents(plan: &Plan) -> Result<(ClientDocuments, ClientKeys), Failure> {
    if plan.air_gapped {
        return Ok((ClientDocuments::pinned_only(), ClientKeys::closed()));
    }
    let allow = plan.fetch_allow.iter().map(|text| allowed(text));
    let options = FetchOptions {
        danger_allow: allow.collect::<Result<_, _>>()?,
        extra_ca_file: plan.extra_ca_file.clone(),
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
        ClientDocuments::fetching_from(fetcher, plan.client_hosts.clone()),
        keys,
    ))
}

/// One `--danger-fetch-allow`.
fn allowed(text: &str) -> Result<Allow, Failure> {
    let refused = |error: &dyn std::fmt::Display, todo: &str| {
        let why = format!("--danger-fetch-allow {text}: {error}");
        Failure::configuration("danger_fetch_allow", why, todo)
    };
    let todo = "name each host, address or network by itself, as exactly as you can";
    match text.parse().map_err(|error| refused(&error, todo))? {
        Allow::Plain { .. } => Err(refused(
            &"a client_id that is a URL begins with https://, so nothing is fetched without TLS",
            "name the host alone; a certificate of your own goes into --extra-ca-file",
        )),
        entry => Ok(entry),
    }
}
