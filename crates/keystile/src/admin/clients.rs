//! Clients: added by the operator, and kept out, whichever way they came.

mod changing;
mod described;
mod named;
mod short;

use std::time::Duration;

use keystile_domain::client::ClientKind;
use keystile_domain::ids::GrantId;
use keystile_domain::records::PreRegisteredClient;
use keystile_domain::secrets::client_id::PREFIX;
use keystile_domain::secrets::code::FreshSecret;
use keystile_protocol::client_id_url::ClientIdUrl;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Admin, store};
use crate::failure::Failure;
pub(crate) use changing::ClientChange;
use changing::takes_ports_exactly;
pub(crate) use described::NewClient;
use described::legal_client_id;

/// What can be asked about clients.
#[derive(Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ClientRequest {
    Add(Box<NewClient>),
    Update {
        id: String,
        change: Box<ClientChange>,
    },
    Remove {
        id: String,
    },
    List,
    Show {
        id: String,
    },
    Disable {
        id: String,
    },
    Enable {
        id: String,
    },
    /// The earlier secret works for so many seconds more.
    RotateSecret {
        id: String,
        keep_old: u64,
    },
}

/// An earlier secret is kept for a month at most.
const LONGEST_KEPT: Duration = Duration::from_secs(31 * 24 * 3600);

impl ClientRequest {
    pub(super) const fn makes_an_installation(&self) -> bool {
        matches!(self, Self::Add(_))
    }
}

impl Admin {
    pub(super) async fn client(&self, request: ClientRequest) -> Result<Value, Failure> {
        match request {
            ClientRequest::Add(new) => self.client_add(*new).await,
            ClientRequest::Update { id, change } => self.client_update(&id, *change).await,
            ClientRequest::Remove { id } => self.client_remove(&id).await,
            ClientRequest::List => self.client_list().await,
            ClientRequest::Show { id } => {
                let id = self.whole_client_id(id).await?;
                self.client_show(&id).await
            }
            ClientRequest::Disable { id } => {
                let id = self.whole_client_id(id).await?;
                self.client_disable(&id).await
            }
            ClientRequest::Enable { id } => {
                let id = self.whole_client_id(id).await?;
                self.client_enable(&id).await
            }
            ClientRequest::RotateSecret { id, keep_old } => {
                self.rotate_secret(&id, Duration::from_secs(keep_old)).await
            }
        }
    }

    async fn client_add(&self, new: NewClient) -> Result<Value, Failure> {
        let now = self.clock.now();
        let client_id = match &new.client_id {
            Some(id) => legal_client_id(id)?,
            None => format!("kc_{}", GrantId::new(now, &*self.rng)),
        };
        let record = new.record(client_id.clone(), now)?;
        let unchecked = self.is_served(&record.scopes, record.introspects.as_deref())?;
        let known = self.clients.lookup(&client_id).await;
        if known.map_err(|error| store(&error))?.is_some() {
            return Err(client_exists(&client_id));
        }
        let secret = record
            .auth_method
            .is_shared_secret()
            .then(|| FreshSecret::client_secret(&*self.rng));
        let digest = secret.as_ref().map(|secret| secret.digest);
        let made = async {
            match self.clients.add(record.clone(), digest).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(client_exists(&client_id)),
                Err(error) => Err(store(&error)),
            }
        };
        self.recorded("client_add", &client_id, made).await?;
        let mut answer = json!(record);
        if let Some(secret) = secret {
            answer["client_secret"] = secret.text.into();
        }
        if let Some(unchecked) = unchecked {
            answer["warning"] = unchecked.into();
        }
        Ok(answer)
    }

    /// Those that the operator added, and those of other kinds that are kept out.
    async fn client_list(&self) -> Result<Value, Failure> {
        let clients = self.clients.list().await.map_err(|error| store(&error))?;
        let kept_out = self.clients.disabled().await;
        let mut kept_out = kept_out.map_err(|error| store(&error))?;
        let mut all = Vec::with_capacity(clients.len());
        for client in clients {
            let at = kept_out.iter().position(|(id, _)| *id == client.client_id);
            let mut shown = json!(client);
            shown["kind"] = json!(ClientKind::PreRegistered);
            shown["exact_port"] = json!(takes_ports_exactly(&client));
            shown["disabled_at"] = json!(at.map(|at| kept_out.remove(at).1));
            all.push(shown);
        }
        all.extend(kept_out.into_iter().map(|(id, at)| {
            let mut shown = match self.self_registered(&id) {
                Some(shown) => shown,
                None => json!({ "client_id": id }),
            };
            shown["kind"] = json!(kind(&id));
            shown["disabled_at"] = json!(at);
            shown
        }));
        Ok(Value::Array(all))
    }

    async fn client_show(&self, id: &str) -> Result<Value, Failure> {
        let (mut shown, kind) = match self.known(id).await? {
            Known::Operators(record) => {
                let mut shown = json!(record);
                shown["exact_port"] = json!(takes_ports_exactly(&record));
                if record.auth_method.is_shared_secret() {
                    let secrets = self.clients.secrets(id, self.clock.now()).await;
                    shown["secrets"] = secrets.map_err(|error| store(&error))?.0.len().into();
                }
                (shown, ClientKind::PreRegistered)
            }
            Known::Other(shown, kind) => (shown, kind),
        };
        let since = self.clients.disabled_since(id).await;
        shown["kind"] = json!(kind);
        shown["disabled_at"] = json!(since.map_err(|error| store(&error))?);
        Ok(shown)
    }

    async fn client_disable(&self, id: &str) -> Result<Value, Failure> {
        self.known(id).await?;
        let now = self.clock.now();
        let disabled = self.clients.disable(id, now).await;
        let changed = disabled.map_err(|error| store(&error))?;
        self.on_record_afterwards("client_disable", id, "the client is disabled")
            .await?;
        Ok(json!({ "client_id": id, "was_enabled": changed }))
    }

    async fn client_enable(&self, id: &str) -> Result<Value, Failure> {
        self.known(id).await?;
        let enabled = async {
            let enabled = self.clients.enable(id).await;
            enabled.map_err(|error| store(&error))
        };
        let changed = self.recorded("client_enable", id, enabled).await?;
        Ok(json!({ "client_id": id, "was_disabled": changed }))
    }

    async fn rotate_secret(&self, id: &str, keep_old: Duration) -> Result<Value, Failure> {
        let record = match self.known(id).await? {
            Known::Operators(record) if record.auth_method.is_shared_secret() => record,
            _ => {
                return Err(Failure::failed(
                    "client_without_secret",
                    format!("{id} has no secret that was made here and could be another"),
                    "see keystile client show; only clients added with --auth client_secret_basic or client_secret_post have one",
                ));
            }
        };
        if keep_old > LONGEST_KEPT {
            return Err(Failure::usage(
                "keep_old",
                "an earlier secret is kept for 31 days at most",
                "say less with --keep-old, in seconds",
            ));
        }
        let now = self.clock.now();
        let secret = FreshSecret::client_secret(&*self.rng);
        let rotated = async {
            let done = self
                .clients
                .rotate_secret(id, secret.digest, now, now.plus(keep_old))
                .await;
            match done {
                Ok(true) => Ok(()),
                Ok(false) => Err(client_unknown(id)),
                Err(error) => Err(store(&error)),
            }
        };
        self.recorded("client_rotate_secret", id, rotated).await?;
        Ok(json!({
            "client_id": id,
            "client_secret": secret.text,
            "auth_method": record.auth_method,
            "old_works_for": keep_old.as_secs(),
        }))
    }

    /// What the id of a client that registered itself says, if it is one of this installation.
    fn self_registered(&self, id: &str) -> Option<Value> {
        let client = self.secrets.open_client_id(id)?;
        Some(json!({
            "client_id": id,
            "name": client.name,
            "redirect_uris": client.redirect_uris,
            "auth_method": client.auth_method,
            "jwks_uri": client.jwks_uri,
        }))
    }

    /// Refuses an id that no client has or could have.
    pub(super) async fn there_is_client(&self, id: &str) -> Result<(), Failure> {
        self.known(id).await.map(|_| ())
    }

    /// A client that there is, or could be.
    async fn known(&self, id: &str) -> Result<Known, Failure> {
        if id.starts_with(PREFIX) {
            let shown = self.self_registered(id);
            let shown = shown.ok_or_else(|| client_unknown(id))?;
            return Ok(Known::Other(shown, ClientKind::Registered));
        }
        if ClientIdUrl::is_meant_by(id) {
            ClientIdUrl::parse(id).map_err(|error| {
                Failure::usage(
                    "client_id",
                    format!("{id}: {error}"),
                    "write it as the client does",
                )
            })?;
            return Ok(Known::Other(
                json!({ "client_id": id }),
                ClientKind::Document,
            ));
        }
        let found = self.clients.lookup(id).await;
        let found = found.map_err(|error| store(&error))?;
        found
            .map(|record| Known::Operators(Box::new(record)))
            .ok_or_else(|| client_unknown(id))
    }
}

enum Known {
    Operators(Box<PreRegisteredClient>),
    Other(Value, ClientKind),
}

fn kind(id: &str) -> ClientKind {
    if id.starts_with(PREFIX) {
        ClientKind::Registered
    } else {
        ClientKind::Document
    }
}

fn client_exists(client_id: &str) -> Failure {
    Failure::failed(
        "client_exists",
        format!("there is a client {client_id} already"),
        "choose another --client-id",
    )
}

fn client_unknown(client_id: &str) -> Failure {
    Failure::failed(
        "client_unknown",
        format!("there is no client {client_id}"),
        "see keystile client list, and for clients that people connected: keystile grant list",
    )
}
