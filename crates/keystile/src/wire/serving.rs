//! A serving process: everything is checked and bound before anything answers.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use keystile_domain::decide::register::RegistrationPolicy;
use keystile_domain::ports::{Bindings as _, Clock, People as _, SigningKeys as _};
use keystile_domain::records::{Bound, SealedSigningKey, SigningKeyState};
use keystile_fetch::{Allow, ClientDocuments, FetchOptions, Fetcher};
use keystile_gateway::stdio::Pool;
use keystile_gateway::{Gateway, relay};
use keystile_issuer::app::{App, Settings};
use keystile_issuer::keys::KeyRing;
use keystile_issuer::sign_in::limits::Limits;
use keystile_protocol::issuer::Issuer;
use keystile_protocol::jwt::SigningKey;
use keystile_protocol::resource::ResourceTable;
use keystile_resource::Verifier;
use keystile_store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cli::output;
use crate::control;
use crate::failure::Failure;
use crate::front::serve::ended;
use crate::front::{Front, ops, serve as http};
use crate::listen;
use crate::ready::Ready;
use crate::wire::Plan;
use crate::wire::installation::Installation;

/// A grant that nobody uses for this long ends.
const GRANT_IDLE: Duration = Duration::from_secs(90 * 24 * 3600);

/// The first set-up code works until it is used or the process ends; this bounds a forgotten one.
const FIRST_SETUP: Duration = Duration::from_secs(24 * 3600);

/// Serves a plan until SIGINT or SIGTERM.
///
/// # Errors
/// Whatever keeps it from starting; nothing is half done then.
pub(crate) async fn serve(plan: Plan, json: bool) -> Result<(), Failure> {
    let documents = documents(&plan)?;
    let owned = plan.data_dir.own()?;
    let listeners = match plan.listen {
        Some(address) => vec![listen::bind(address).await?],
        None => listen::loopback(plan.port).await?,
    };
    let ops_listener = listen::bind(plan.ops_listen).await?;
    let issuer = issuer(&plan, &listeners)?;
    let installation = Installation::open(&owned).await?;
    let resources = ResourceTable::new(&issuer, std::slice::from_ref(&plan.name));
    bind_name(&plan, &installation, &resources).await?;
    let keys = Arc::new(signing_keys(&installation).await?);
    let setup = setup_code(&installation, &issuer).await?;

    let app = app(
        &plan,
        &installation,
        &issuer,
        &resources,
        &keys,
        documents.clone(),
    );
    let name = plan.name.clone();
    let proxies: Arc<[ipnet::IpNet]> = plan.trusted_proxies.clone().into();
    let (gateway, pool) = gateway(plan, &installation, &issuer, &resources, &keys)?;
    let routes = keystile_issuer::routes::routes(Arc::new(app));
    let front = Arc::new(Front::new(
        Arc::clone(&gateway),
        routes,
        &resources,
        Arc::clone(&proxies),
    ));
    let control = control::server::bind(&owned.dir().control_socket())?;
    let admin = Arc::new(installation.admin(Some(issuer.to_string())));

    let ready = Ready {
        mcp_url: issuer.at(&format!("/{name}/mcp")),
        issuer: issuer.to_string(),
        setup_url: setup
            .as_ref()
            .and_then(|value| Some(value["setup_url"].as_str()?.to_owned())),
        setup_code: setup
            .as_ref()
            .and_then(|value| Some(value["code"].as_str()?.to_owned())),
        name,
        ops_url: ops_url(&ops_listener),
        pid: std::process::id(),
    };
    let ended = signals()?;
    let (end, ending) = watch::channel(false);
    let mut tasks = JoinSet::new();
    tasks.spawn(learn_eras(gateway, ending.clone()));
    for listener in listeners {
        tasks.spawn(http::serve(
            listener,
            Arc::clone(&front),
            Arc::clone(&proxies),
            ending.clone(),
        ));
    }
    let controlling = tokio::spawn(control::server::serve(control, admin));
    let operating = tokio::spawn(serve_ops(
        ops_listener,
        ops::routes(installation.store.clone()),
    ));
    output::answer(json, &ready, || ready.text());
    tasks.spawn(prepare(documents));
    if let Some(pool) = &pool {
        tasks.spawn(look(Arc::clone(pool), ending.clone()));
    }
    tasks.spawn(tidy(
        installation.store.clone(),
        installation.clock.clone(),
        ending,
    ));

    ended.await;
    tracing::info!("ending");
    let _ = end.send(true);
    // Streams end first, so that connections can close by themselves.
    if let Some(pool) = pool {
        pool.shutdown().await;
    }
    while tasks.join_next().await.is_some() {}
    controlling.abort();
    operating.abort();
    let _ = std::fs::remove_file(owned.dir().control_socket());
    installation.close().await;
    Ok(())
}

/// The public URL: as configured, else localhost with the port that was bound.
fn issuer(plan: &Plan, listeners: &[TcpListener]) -> Result<Issuer, Failure> {
    if let Some(issuer) = &plan.public_url {
        return Ok(issuer.clone());
    }
    let address = listeners
        .first()
        .and_then(|listener| listener.local_addr().ok());
    let port = address.map_or(plan.port, |address| address.port());
    Issuer::parse(&format!("http://localhost:{port}")).map_err(|error| {
        Failure::configuration("public_url", error, "name the public URL with --public-url")
    })
}

fn documents(plan: &Plan) -> Result<ClientDocuments, Failure> {
    if plan.air_gapped {
        return Ok(ClientDocuments::pinned_only());
    }
    let allow = plan.fetch_allow.iter().map(|text| {
        text.parse::<Allow>().map_err(|error| {
            Failure::configuration(
                "danger_fetch_allow",
                format!("--danger-fetch-allow {text}: {error}"),
                "name each host, address, network or http:// origin by itself, as exactly as you can",
            )
        })
    });
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
    Ok(ClientDocuments::fetching(fetcher))
}

/// Reads what fetching needs once the server answers, so that a lack of it is said now and not at
/// the first sign-in.
async fn prepare(documents: ClientDocuments) {
    if let Err(error) = documents.prepare().await {
        tracing::error!("no client document can be fetched: {error}");
    }
}

/// A token for yesterday's server must not open today's (DESIGN §2).
async fn bind_name(
    plan: &Plan,
    installation: &Installation,
    resources: &ResourceTable,
) -> Result<(), Failure> {
    let store = &installation.store;
    let fingerprint = plan.upstream.fingerprint();
    let now = installation.clock.now();
    let failed = |error| Failure::failed("store", error, "look at the disk and the log");
    match store
        .bind(&plan.name, &fingerprint, now)
        .await
        .map_err(failed)?
    {
        Bound::New | Bound::Same => Ok(()),
        Bound::Other(_) if plan.rebind => {
            let resource = resources
                .by_name(&plan.name)
                .map(|entry| entry.resource.to_string());
            let ended = store
                .rebind(&plan.name, &fingerprint, &resource.unwrap_or_default(), now)
                .await
                .map_err(failed)?;
            tracing::warn!(
                ended,
                "the name {} is for another server now; its grants were ended",
                plan.name
            );
            Ok(())
        }
        Bound::Other(_) => Err(Failure::configuration(
            "other_upstream",
            format!(
                "the name {} belongs to another upstream in this data directory; its tokens must not open this one",
                plan.name
            ),
            "choose another --name, or say --rebind to end the earlier server's grants",
        )),
    }
}

/// The signing key of this installation, made at the first start.
async fn signing_keys(installation: &Installation) -> Result<KeyRing, Failure> {
    let secrets = &installation.secrets;
    let failed = |error: &dyn std::fmt::Display| {
        Failure::configuration(
            "signing_key",
            format!("the signing key can't be had: {error}"),
            "is master.key the one that this database was made with?",
        )
    };
    let stored = installation
        .store
        .signing_keys()
        .await
        .map_err(|error| failed(&error))?;
    let current = stored
        .into_iter()
        .find(|key| key.state == SigningKeyState::Current);
    let stored = match current {
        Some(stored) => stored,
        None => {
            let fresh = SigningKey::generate_es256().map_err(|error| failed(&error))?;
            let private = fresh.to_pkcs8().map_err(|error| failed(&error))?;
            let first = SealedSigningKey {
                kid: fresh.kid().to_owned(),
                sealed: secrets.seal_signing_key(fresh.kid(), &private, &*installation.rng),
                state: SigningKeyState::Current,
                created_at: installation.clock.now(),
            };
            let kept = installation.store.put_first_signing_key(first).await;
            kept.map_err(|error| failed(&error))?
        }
    };
    let private = secrets
        .open_signing_key(&stored.kid, &stored.sealed)
        .map_err(|error| failed(&error))?;
    Ok(KeyRing::new(
        SigningKey::from_pkcs8(&private).map_err(|error| failed(&error))?,
    ))
}

/// The code for the first account, while nobody has one.
async fn setup_code(
    installation: &Installation,
    issuer: &Issuer,
) -> Result<Option<serde_json::Value>, Failure> {
    let anybody = installation.store.has_anybody().await;
    if anybody.map_err(|error| Failure::failed("store", error, "look at the disk and the log"))? {
        return Ok(None);
    }
    installation
        .admin(Some(issuer.to_string()))
        .setup_link(FIRST_SETUP)
        .await
        .map(Some)
}

fn app(
    plan: &Plan,
    installation: &Installation,
    issuer: &Issuer,
    resources: &ResourceTable,
    keys: &Arc<KeyRing>,
    documents: ClientDocuments,
) -> App {
    let store = Arc::clone(&installation.store);
    App {
        settings: Settings {
            issuer: issuer.clone(),
            resources: resources.clone(),
            access_token_lifetime: plan.access_token_lifetime,
            grant_idle: GRANT_IDLE,
            registration: plan.registration.then(RegistrationPolicy::default),
        },
        clock: installation.clock.clone(),
        rng: installation.rng.clone(),
        people: store.clone(),
        sessions: store.clone(),
        clients: store.clone(),
        documents,
        grants: store,
        audit: installation.audit.clone(),
        secrets: installation.secrets.clone(),
        keys: Arc::clone(keys),
        passwords: installation.passwords.clone(),
        limits: Limits::new(),
    }
}

/// The gateway trusts our issuer as it would a foreign one: keys from the JWK set, and a feed.
fn gateway(
    plan: Plan,
    installation: &Installation,
    issuer: &Issuer,
    resources: &ResourceTable,
    keys: &KeyRing,
) -> Result<(Arc<Gateway>, Option<Arc<Pool>>), Failure> {
    let verification = keys.verification_keys().map_err(|error| {
        Failure::configuration("signing_key", error, "this is a defect: please report it")
    })?;
    let ports = relay::Ports {
        clock: installation.clock.clone(),
        rng: installation.rng.clone(),
        revocations: installation.store.revocations(),
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
    let verifier = Arc::new(Verifier::new(issuer.as_str(), verification));
    let gateway = Gateway::new(settings, verifier, installation.audit.clone(), ports);
    Ok((Arc::new(gateway), pool))
}

/// Starts the stdio server once, so that one that can't work is said now and not at the first call.
async fn look(pool: Arc<Pool>, mut ending: watch::Receiver<bool>) {
    tokio::select! {
        seen = pool.probe() => if let Err(failure) = seen {
            tracing::error!("the stdio server does not work: {failure}");
        },
        () = ended(&mut ending) => {}
    }
}

/// Asks an HTTP upstream which eras of MCP it speaks, so that clients of the other era can be bridged.
async fn learn_eras(gateway: Arc<Gateway>, mut ending: watch::Receiver<bool>) {
    tokio::select! {
        () = gateway.learn_eras() => {}
        () = ended(&mut ending) => {}
    }
}

/// Forgets what nothing needs any more, now and then.
async fn tidy(store: Arc<Store>, clock: Arc<dyn Clock>, mut ending: watch::Receiver<bool>) {
    loop {
        let wait = match store.prune(clock.now()).await {
            Ok(pruned) if pruned.more => Duration::from_secs(1),
            Ok(_) => Duration::from_secs(600),
            Err(error) => {
                tracing::warn!(%error, "old records can't be removed");
                Duration::from_secs(600)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = ended(&mut ending) => return,
        }
    }
}

fn ops_url(listener: &TcpListener) -> String {
    listener
        .local_addr()
        .map(|address| format!("http://{address}"))
        .unwrap_or_default()
}

async fn serve_ops(listener: TcpListener, routes: axum::Router) {
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "the ops listener ended");
    }
}

/// Resolves at SIGINT or SIGTERM.
fn signals() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error| Failure::failed("signals", error, "this is a defect: please report it");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
