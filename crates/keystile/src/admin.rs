//! What administrators can ask for; the one place that answers, whoever asks.

mod keys;
mod on_record;

use std::sync::Arc;
use std::time::Duration;

use keystile_domain::ids::{GrantId, PersonId};
use keystile_domain::ports::{AuditSink, Clients, Clock, Grants, People, Rng, StoreError};
use keystile_domain::records::{
    GrantFilter, NewPerson, PersonCreated, PreRegisteredClient, SetupCode, canonical_name,
};
use keystile_domain::secrets::code::FreshSecret;
use keystile_issuer::sign_in::password::Passwords;
use keystile_protocol::redirect::{RedirectKind, RedirectUri};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::keys::Keys;

/// How long a set-up link works.
const SETUP_LINK: Duration = Duration::from_secs(15 * 60);

/// A request of an administrator.
#[derive(Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    UserAdd {
        name: String,
        password: String,
    },
    UserList,
    SetupLink,
    ClientAdd {
        name: String,
        redirect_uris: Vec<String>,
        client_id: Option<String>,
        exact_port: bool,
    },
    ClientList,
    GrantList {
        all: bool,
        user: Option<String>,
        client: Option<String>,
    },
    GrantRevoke {
        id: String,
    },
    KeyList,
    KeyRotate {
        /// As in a token's header; `None` keeps the one there is.
        algorithm: Option<String>,
        forget_old: bool,
    },
    KeyRotateMaster {
        forget_old: bool,
    },
}

impl Request {
    /// Whether it makes sense in an empty data directory, which becomes an installation then.
    pub(crate) const fn makes_an_installation(&self) -> bool {
        match self {
            Self::UserAdd { .. } | Self::ClientAdd { .. } | Self::SetupLink => true,
            Self::UserList
            | Self::ClientList
            | Self::GrantList { .. }
            | Self::GrantRevoke { .. }
            | Self::KeyList
            | Self::KeyRotate { .. }
            | Self::KeyRotateMaster { .. } => false,
        }
    }
}

/// The answer: a value, or why not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Done(Value),
    Failed(Failure),
}

impl From<Answer> for Result<Value, Failure> {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Done(value) => Ok(value),
            Answer::Failed(failure) => Err(failure),
        }
    }
}

/// What administration needs.
pub(crate) struct Admin {
    pub(crate) people: Arc<dyn People>,
    pub(crate) clients: Arc<dyn Clients>,
    pub(crate) grants: Arc<dyn Grants>,
    pub(crate) audit: Arc<dyn AuditSink>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) passwords: Passwords,
    pub(crate) keys: Arc<Keys>,
    /// The issuer while it is served; links need it.
    pub(crate) issuer: Option<String>,
}

impl Admin {
    /// Answers one request; what it changes is durable and audited by then.
    pub(crate) async fn answer(&self, request: Request) -> Answer {
        let answered = match request {
            Request::UserAdd { name, password } => self.user_add(name, password).await,
            Request::UserList => self.user_list().await,
            Request::SetupLink => self.setup_link(SETUP_LINK).await,
            Request::ClientAdd {
                name,
                redirect_uris,
                client_id,
                exact_port,
            } => {
                self.client_add(name, redirect_uris, client_id, exact_port)
                    .await
            }
            Request::ClientList => self.client_list().await,
            Request::GrantList { all, user, client } => self.grant_list(all, user, client).await,
            Request::GrantRevoke { id } => self.grant_revoke(&id).await,
            Request::KeyList => self.keys.list().await,
            Request::KeyRotate {
                algorithm,
                forget_old,
            } => self.key_rotate(algorithm.as_deref(), forget_old).await,
            Request::KeyRotateMaster { forget_old } => self.key_rotate_master(forget_old).await,
        };
        match answered {
            Ok(value) => Answer::Done(value),
            Err(failure) => Answer::Failed(failure),
        }
    }

    async fn user_add(&self, name: String, password: String) -> Result<Value, Failure> {
        let name = name.trim().to_owned();
        if !is_legal_name(&name) {
            return Err(Failure::usage(
                "user_name",
                LEGAL_NAME,
                "choose another name",
            ));
        }
        Passwords::usable(&password).map_err(|error| {
            Failure::usage("password_unusable", error, "choose another password")
        })?;
        let known = self.people.find_by_name(&canonical_name(&name)).await;
        if known.map_err(|error| store(&error))?.is_some() {
            return Err(user_exists(&name));
        }
        let hash = self.passwords.hash(password).await;
        let hash = hash.map_err(|error| Failure::failed("password_hash", error, "try again"))?;
        let now = self.clock.now();
        let id = PersonId::new(now, &*self.rng);
        let person = NewPerson {
            id,
            name: name.clone(),
            password_hash: hash,
            created_at: now,
        };
        let made = async {
            match self.people.create(person).await {
                Ok(PersonCreated::Created) => Ok(()),
                Ok(
                    PersonCreated::NameTaken | PersonCreated::WrongCode | PersonCreated::CodeSpent,
                ) => Err(user_exists(&name)),
                Err(error) => Err(store(&error)),
            }
        };
        self.recorded("user_add", &name, made).await?;
        Ok(json!({ "id": id, "name": name }))
    }

    async fn user_list(&self) -> Result<Value, Failure> {
        let people = self.people.list().await.map_err(|error| store(&error))?;
        Ok(json!(people))
    }

    /// Makes a new set-up code; only while nobody has an account.
    pub(crate) async fn setup_link(&self, lifetime: Duration) -> Result<Value, Failure> {
        if self
            .people
            .has_anybody()
            .await
            .map_err(|error| store(&error))?
        {
            return Err(Failure::failed(
                "already_set_up",
                "there is an account already, so no set-up link is needed",
                "sign in, or make another account: keystile user add NAME --password-stdin",
            ));
        }
        let now = self.clock.now();
        let code = FreshSecret::setup_code(&*self.rng);
        let record = SetupCode {
            digest: code.digest,
            created_at: now,
            expires_at: now.plus(lifetime),
        };
        let made = async {
            let put = self.people.put_setup_code(record).await;
            put.map_err(|error| store(&error))
        };
        self.recorded("setup_link", "", made).await?;
        let url = self
            .issuer
            .as_ref()
            .map(|issuer| format!("{issuer}/ks/setup?code={}", code.text));
        Ok(json!({ "code": code.text, "setup_url": url }))
    }

    async fn client_add(
        &self,
        name: String,
        redirect_uris: Vec<String>,
        client_id: Option<String>,
        exact_port: bool,
    ) -> Result<Value, Failure> {
        if !is_legal_name(&name) {
            return Err(Failure::usage(
                "client_name",
                LEGAL_NAME,
                "choose another --name",
            ));
        }
        let mut native = false;
        for text in &redirect_uris {
            let uri = RedirectUri::parse(text).map_err(|error| {
                Failure::usage(
                    "redirect_uri",
                    format!("{text}: {error}"),
                    "use https, http on loopback, or the app's own scheme",
                )
            })?;
            native |= !exact_port && !matches!(uri.kind(), RedirectKind::Https { .. });
        }
        let now = self.clock.now();
        let client_id = match client_id {
            Some(id) => legal_client_id(id)?,
            None => format!("kc_{}", GrantId::new(now, &*self.rng)),
        };
        let known = self.clients.lookup(&client_id).await;
        if known.map_err(|error| store(&error))?.is_some() {
            return Err(client_exists(&client_id));
        }
        let record = PreRegisteredClient {
            client_id: client_id.clone(),
            name,
            redirect_uris,
            native,
            created_at: now,
        };
        let made = async {
            match self.clients.add(record.clone()).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(client_exists(&client_id)),
                Err(error) => Err(store(&error)),
            }
        };
        self.recorded("client_add", &client_id, made).await?;
        Ok(json!(record))
    }

    async fn client_list(&self) -> Result<Value, Failure> {
        let clients = self.clients.list().await.map_err(|error| store(&error))?;
        Ok(json!(clients))
    }

    async fn grant_list(
        &self,
        all: bool,
        user: Option<String>,
        client: Option<String>,
    ) -> Result<Value, Failure> {
        let person = match user {
            None => None,
            Some(name) => Some(self.person(&name).await?),
        };
        let filter = GrantFilter {
            person,
            client_id: client,
            dead_too: all,
            now: Some(self.clock.now()),
        };
        let grants = self
            .grants
            .list(filter)
            .await
            .map_err(|error| store(&error))?;
        Ok(json!(grants))
    }

    async fn person(&self, name: &str) -> Result<PersonId, Failure> {
        let found = self
            .people
            .find_by_name(&canonical_name(name))
            .await
            .map_err(|error| store(&error))?;
        found.map(|person| person.id).ok_or_else(|| {
            Failure::failed(
                "user_unknown",
                format!("there is nobody called {name}"),
                "see keystile user list",
            )
        })
    }

    async fn grant_revoke(&self, id: &str) -> Result<Value, Failure> {
        let grant: GrantId = id.parse().map_err(|error| {
            Failure::usage(
                "grant_id",
                format!("{id}: {error}"),
                "see keystile grant list",
            )
        })?;
        if self
            .grants
            .lookup(grant)
            .await
            .map_err(|error| store(&error))?
            .is_none()
        {
            return Err(Failure::failed(
                "grant_unknown",
                format!("there is no grant {id}"),
                "see keystile grant list --all",
            ));
        }
        let was_alive = self
            .grants
            .revoke(grant, "by_operator", self.clock.now())
            .await
            .map_err(|error| store(&error))?;
        // The one change that is made first: a full disk is no reason to leave somebody in.
        self.record("grant_revoke", id, None)
            .await
            .map_err(|error| {
                Failure::failed(
                    "audit_unwritable",
                    format!("the grant is revoked, but the audit trail has no word of it: {error}"),
                    "make room on the disk of the data directory",
                )
            })?;
        Ok(json!({ "id": id, "was_alive": was_alive }))
    }
}

fn user_exists(name: &str) -> Failure {
    Failure::failed(
        "user_exists",
        format!("there is a person called {name} already"),
        "choose another name",
    )
}

fn client_exists(client_id: &str) -> Failure {
    Failure::failed(
        "client_exists",
        format!("there is a client {client_id} already"),
        "choose another --client-id",
    )
}

const LEGAL_NAME: &str = "a name has 1 to 64 characters, without control characters";

fn is_legal_name(name: &str) -> bool {
    (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

/// A `client_id` of the operator's choice must not look like a sealed one or a document's URL.
fn legal_client_id(id: String) -> Result<String, Failure> {
    let legal = (1..=128).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        && !id.starts_with(keystile_domain::secrets::client_id::PREFIX);
    if !legal {
        return Err(Failure::usage(
            "client_id",
            "a client id has 1 to 128 letters, digits or -._~, and does not begin with ksd_",
            "choose another --client-id, or leave it out",
        ));
    }
    Ok(id)
}

fn store(error: &StoreError) -> Failure {
    Failure::failed(
        "store",
        error,
        "look at the disk and the log; nothing was changed",
    )
}
