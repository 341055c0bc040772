//! A serving process: everything is checked and bound before anything answers.

use std::sync::Arc;

use keystile_fetch::{ClientDocuments, ClientKeys};
use keystile_gateway::stdio::Pool;
use keystile_gateway::{Ending, Gateway, Phase};
use keystile_issuer::keys::KeyRing;
use keystile_protocol::issuer::Issuer;
use keystile_protocol::resource::ResourceTable;
use keystile_resource::Verifier;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cli::{no_threads, output};
use crate::config::Listen;
use crate::control::{self, server::SocketFile};
use crate::data_dir::Owned;
use crate::failure::Failure;
use crate::flows::{self, Keeper};
use crate::front::serve::Door;
use crate::front::traced::Traced;
use crate::front::workers::Workers;
use crate::front::{Front, ops, serve as http};
use crate::listen;
use crate::ready::{Ready, ReadyServer};
use crate::wire::ending::{Signals, finish};
use crate::wire::installation::Installation;
use crate::wire::looking::{Look, Seen};
use crate::wire::rooms::{app, documents, gateway};
use crate::wire::starting::{Named, bind_names, setup_code};
use crate::wire::{Plan, chores};

/// Serves a plan until SIGINT or SIGTERM.
///
/// # Errors
/// Whatever keeps it from starting; nothing is half done then, and nothing is left that was not there.
pub(crate) async fn serve(plan: Plan, json: bool) -> Result<(), Failure> {
    let ops = plan.listen.ops();
    if !ops.ip().is_loopback() {
        tracing::warn!(
            "--ops-listen {ops}: other machines can ask for health and metrics there, without TLS and without a token"
        );
    }
    let (documents, client_keys) = documents(&plan.clients)?;
    let mut owned = plan.data_dir.own()?;
    let bound = Bound::bind(&plan, &owned).await?;
    let installation = Installation::open(&owned).await?;
    let start = Start {
        plan,
        documents,
        client_keys,
        bound,
        json,
    };
    let served = start.run(&installation, &mut owned).await;
    // Before what was made is taken away again, if it is.
    installation.close().await;
    served
}

/// Everything that others could be in the way of.
struct Bound {
    listeners: Vec<TcpListener>,
    ops: TcpListener,
    control: UnixListener,
    socket_file: SocketFile,
}

impl Bound {
    async fn bind(plan: &Plan, owned: &Owned) -> Result<Self, Failure> {
        let listeners = match plan.listen.address {
            Some(address) => vec![listen::bind(address, "--listen").await?],
            None => listen::loopback(plan.listen.port).await?,
        };
        let ops = listen::bind(plan.listen.ops(), "--ops-listen").await?;
        let (control, socket_file) = control::server::bind(&owned.dir().control_socket())?;
        Ok(Self {
            listeners,
            ops,
            control,
            socket_file,
        })
    }
}

/// What a start needs besides the installation.
struct Start {
    plan: Plan,
    documents: ClientDocuments,
    client_keys: ClientKeys,
    bound: Bound,
    json: bool,
}

impl Start {
    async fn run(self, installation: &Installation, owned: &mut Owned) -> Result<(), Failure> {
        let Self {
            plan,
            documents,
            client_keys,
            bound,
            json,
        } = self;
        let issuer = issuer(&plan.listen, &bound.listeners)?;
        let names: Vec<_> = plan.servers.iter().map(|it| it.name.clone()).collect();
        let resources = ResourceTable::new(&issuer, &names);
        let opened = installation.keys.open().await?;
        let verifier = Arc::new(Verifier::new(issuer.as_str(), opened.key_set()));
        let keys = Arc::new(KeyRing::of(opened));
        let (ring, verifies) = (Arc::clone(&keys), Arc::clone(&verifier));
        installation
            .keys
            .serve(ring, verifies, plan.tokens.key_rotation);
        let app = app(
            &plan,
            installation,
            &issuer,
            &resources,
            &keys,
            (documents.clone(), client_keys),
        );
        let servers = plan.servers.iter();
        let named = servers.map(|server| Named {
            fingerprint: server.upstream.fingerprint(),
            may_rebind: plan.rebind.allows(&server.name),
            name: server.name.clone(),
        });
        let (named, is_for_one) = (named.collect(), plan.is_for_one());
        let admin_command = plan.admin_command.clone();
        let proxies: Arc<[ipnet::IpNet]> = plan.listen.trusted_proxies.clone().into();
        let (end, ending) = watch::channel(Phase::Serving);
        let ending = Ending::from(ending);
        let (gateway, pools) = gateway(
            plan,
            installation,
            (&issuer, &resources),
            verifier,
            ending.clone(),
        )?;
        let routes = keystile_issuer::routes::routes(Arc::new(app));
        let front = Front::new(
            Arc::clone(&gateway),
            routes,
            &resources,
            Arc::clone(&proxies),
            Traced::new(Arc::clone(&installation.flows), issuer.clone()),
        );
        let workers = Workers::start().map_err(|error| no_threads(&error))?;
        let mut running = Running {
            tasks: JoinSet::new(),
            beside: JoinSet::new(),
            pools,
            ending,
            signals: Signals::catch()?,
        };
        let opening = Opening {
            issuer,
            resources,
            admin_command,
            named,
            is_for_one,
            documents,
            gateway,
            door: Arc::new(Door::new(front, proxies, workers, end.clone())),
            json,
        };
        let opened = opening.open(bound, installation, owned, &mut running).await;
        if let Ok(true) = opened {
            running.signals.next().await;
            tracing::info!("ending; a second signal ends it at once");
        }
        // The one end, however far it came.
        end.send_replace(Phase::Draining);
        running.finish().await;
        opened.map(drop)
    }
}

/// What a serving process has begun, and has to end.
struct Running {
    /// What ends by itself when it is told that all ends.
    tasks: JoinSet<()>,
    /// What is cut off.
    beside: JoinSet<()>,
    pools: Vec<(String, Arc<Pool>)>,
    ending: Ending,
    signals: Signals,
}

impl Running {
    async fn finish(mut self) {
        finish(self.tasks, self.pools, &mut self.signals).await;
        self.beside.shutdown().await;
    }
}

/// What opens the door, once everything is there.
struct Opening {
    issuer: Issuer,
    resources: ResourceTable,
    admin_command: String,
    named: Vec<Named>,
    /// Else none is taken down by another.
    is_for_one: bool,
    documents: ClientDocuments,
    gateway: Arc<Gateway>,
    door: Arc<Door>,
    json: bool,
}

impl Opening {
    /// Whether it was opened: the operator may want no more of it before that.
    async fn open(
        self,
        bound: Bound,
        installation: &Installation,
        owned: &mut Owned,
        running: &mut Running,
    ) -> Result<bool, Failure> {
        let ending = running.ending.clone();
        for (server, pool) in &running.pools {
            let look = Look::begin(server, Arc::clone(pool));
            if !self.is_for_one {
                running.tasks.spawn(look.wait_to_its_end(ending.clone()));
                continue;
            }
            match look.for_a_moment(&mut running.signals).await? {
                Seen::Works => {}
                Seen::Nothing(look) => {
                    running.tasks.spawn(look.wait_to_its_end(ending.clone()));
                }
                Seen::Interrupted => {
                    tracing::info!("ended before it was ready");
                    return Ok(false);
                }
            }
        }
        // Last of what can fail, because it can't be taken back.
        bind_names(installation, &self.named).await?;
        let setup = setup_code(installation, &self.issuer).await?;
        owned.keep();

        let said = |key: &str| {
            let text = setup.as_ref()?[key].as_str()?;
            Some(text.to_owned())
        };
        let servers = self.named.into_iter().map(|named| ReadyServer {
            mcp_url: self.issuer.at(&format!("/{}/mcp", named.name)),
            name: named.name,
        });
        let servers: Vec<_> = servers.collect();
        let only = |of: fn(&ReadyServer) -> &String| match &*servers {
            [one] => Some(of(one).clone()),
            _ => None,
        };
        let ready = Ready {
            mcp_url: only(|server| &server.mcp_url),
            name: only(|server| &server.name),
            servers,
            issuer: self.issuer.to_string(),
            setup_url: said("setup_url"),
            setup_code: said("code"),
            ops_url: ops_url(&bound.ops),
            pid: std::process::id(),
            admin_command: self.admin_command,
        };
        let keeper = Keeper::new(
            Arc::clone(&installation.flows),
            installation.clock.clone(),
            owned.dir().at(flows::FILE),
        );
        let tasks = &mut running.tasks;
        tasks.spawn(keeper.run(ending.clone()));
        tasks.spawn(chores::learn_eras(
            Arc::clone(&self.gateway),
            ending.clone(),
        ));
        for listener in bound.listeners {
            tasks.spawn(http::serve(
                listener,
                Arc::clone(&self.door),
                ending.clone(),
            ));
        }
        let admin =
            Arc::new(installation.admin(Some(self.issuer.to_string()), Some(self.resources)));
        tasks.spawn(chores::keep_keys(Arc::clone(&admin), ending.clone()));
        let socket_file = bound.socket_file;
        running.beside.spawn(async move {
            control::server::serve(bound.control, admin).await;
            drop(socket_file);
        });
        running.beside.spawn(serve_ops(
            bound.ops,
            ops::routes(
                installation.store.clone(),
                installation.audit.clone(),
                Arc::clone(&self.gateway),
            ),
        ));
        output::answer(self.json, &ready, || ready.text())?;
        tasks.spawn(prepare(self.documents));
        tasks.spawn(chores::tidy(
            installation.store.clone(),
            installation.clock.clone(),
            ending,
        ));
        Ok(true)
    }
}

/// The public URL: as configured, else localhost with the port that was bound.
fn issuer(listen: &Listen, listeners: &[TcpListener]) -> Result<Issuer, Failure> {
    if let Some(issuer) = &listen.public_url {
        return Ok(issuer.clone());
    }
    let address = listeners
        .first()
        .and_then(|listener| listener.local_addr().ok());
    let port = address.map_or(listen.port, |address| address.port());
    Issuer::parse(&format!("http://localhost:{port}")).map_err(|error| {
        Failure::configuration("public_url", error, "name the public URL with --public-url")
    })
}

/// Reads what fetching needs once the server answers, so that a lack of it is said now and not at
/// the first sign-in.
async fn prepare(documents: ClientDocuments) {
    if let Err(error) = documents.prepare().await {
        tracing::error!("no client document can be fetched: {error}");
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
