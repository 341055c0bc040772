//! The durable part: master key, database, audit trail, and administration on top of them.

use std::sync::Arc;

use keystile_domain::flow::FlowBook;
use keystile_domain::ports::{Clock, Rng};
use keystile_domain::secrets::Secrets;
use keystile_issuer::asked_redirects::AskedRedirects;
use keystile_issuer::sign_in::password::Passwords;
use keystile_protocol::resource::ResourceTable;
use keystile_store::Store;
use keystile_store::audit::AuditLog;

use crate::admin::Admin;
use crate::ambient::{SystemClock, SystemRng};
use crate::data_dir::Owned;
use crate::failure::Failure;
use crate::keys::Keys;

/// What this process opened because it owns the data directory.
pub(crate) struct Installation {
    pub(crate) store: Arc<Store>,
    pub(crate) audit: Arc<AuditLog>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) passwords: Passwords,
    pub(crate) asked_redirects: Arc<AskedRedirects>,
    pub(crate) flows: Arc<FlowBook>,
    pub(crate) keys: Arc<Keys>,
}

/// An installation that only answers administrators, for a moment.
pub(crate) struct Administration {
    pub(crate) admin: Admin,
    installation: Installation,
}

/// Opens the installation for one administrative request.
///
/// # Errors
/// What is wrong with key, database or audit trail.
pub(crate) async fn administration(owned: &Owned) -> Result<Administration, Failure> {
    let installation = Installation::open(owned).await?;
    let admin = installation.admin(None, None);
    Ok(Administration {
        admin,
        installation,
    })
}

impl Administration {
    /// Closes the store; what was answered is durable already.
    pub(crate) async fn close(self) {
        drop(self.admin);
        self.installation.close().await;
    }
}

impl Installation {
    /// Opens or makes everything durable.
    ///
    /// # Errors
    /// What is wrong with key, database or audit trail.
    pub(crate) async fn open(owned: &Owned) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let rng: Arc<dyn Rng> = Arc::new(SystemRng);
        let master = owned.master_key_file();
        let secrets = Arc::new(Secrets::of(&master.read_or_make()?));
        let path = owned.dir().at("keystile.db");
        let store = Store::open(&path, clock.now()).await.map_err(|error| {
            Failure::configuration(
                "database",
                error,
                "if it is damaged, put back a copy of the data directory that was made while nothing ran",
            )
        })?;
        let folder = owned.dir().at("audit");
        let audit = AuditLog::open(&folder, clock.now()).map_err(|error| {
            Failure::configuration(
                "audit",
                error,
                "without an audit trail nothing is done: make room or mend the permissions",
            )
        })?;
        let failed = crate::flows::load(&owned.dir().at(crate::flows::FILE));
        let flows = Arc::new(FlowBook::new(failed, clock.now()));
        let passwords = Passwords::new(Arc::clone(&rng), 2);
        let store = Arc::new(store);
        let keys = Keys::new(
            store.clone(),
            Arc::clone(&secrets),
            Arc::clone(&clock),
            Arc::clone(&rng),
            master,
        );
        Ok(Self {
            store,
            audit: Arc::new(audit),
            secrets,
            clock,
            rng,
            passwords,
            asked_redirects: Arc::default(),
            flows,
            keys: Arc::new(keys),
        })
    }

    /// Administration of this installation; `issuer` and `served` while it is served.
    pub(crate) fn admin(&self, issuer: Option<String>, served: Option<ResourceTable>) -> Admin {
        let store = Arc::clone(&self.store);
        Admin {
            people: store.clone(),
            clients: store.clone(),
            service_grants: store.clone(),
            registrations: store.clone(),
            asked_redirects: Arc::clone(&self.asked_redirects),
            grants: store,
            secrets: self.secrets.clone(),
            flows: Arc::clone(&self.flows),
            audit: self.audit.clone(),
            clock: self.clock.clone(),
            rng: self.rng.clone(),
            passwords: self.passwords.clone(),
            keys: Arc::clone(&self.keys),
            issuer,
            served,
        }
    }

    /// Writes back and closes.
    pub(crate) async fn close(self) {
        self.store.close().await;
        self.audit.close();
    }
}
