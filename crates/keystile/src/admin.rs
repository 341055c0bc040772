//! What administrators can ask for; the one place that answers, whoever asks.

pub(crate) mod clients;
mod doctor;
mod keys;
mod on_record;
mod people;
pub(crate) mod registrations;

use std::sync::Arc;
use std::time::Duration;

use keystile_domain::flow::FlowBook;
use keystile_domain::ids::{GrantId, PersonId};
use keystile_domain::ports::{
    AuditSink, Clients, Clock, Grants, People, Registrations, Rng, ServiceGrants, StoreError,
};
use keystile_domain::records::{
    GrantFilter, NewPerson, PersonCreated, SetupCode, canonical_name, service_subject,
};
use keystile_domain::secrets::Secrets;
use keystile_domain::secrets::code::FreshSecret;
use keystile_issuer::asked_redirects::AskedRedirects;
use keystile_issuer::sign_in::password::Passwords;
use keystile_protocol::resource::ResourceTable;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::registrations::RegistrationRequest;
use crate::failure::Failure;
use crate::keys::Keys;
use clients::ClientRequest;
pub(crate) use doctor::Known;

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
    UserDisable {
        name: String,
    },
    UserEnable {
        name: String,
    },
    UserPassword {
        name: String,
        password: String,
    },
    UserRemove {
        name: String,
    },
    SetupLink,
    Client {
        client: ClientRequest,
    },
    GrantList {
        all: bool,
        user: Option<String>,
        client: Option<String>,
    },
    GrantRevoke {
        id: String,
    },
    Registration {
        registration: RegistrationRequest,
    },
    /// One attempt.
    Explain {
        reference: String,
    },
    /// The latest ones that failed.
    FailedAttempts,
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
            Self::UserAdd { .. } => true,
            Self::Client { client } => client.makes_an_installation(),
            Self::Registration { registration } => registration.makes_an_installation(),
            Self::UserList
            | Self::SetupLink
            | Self::UserDisable { .. }
            | Self::UserEnable { .. }
            | Self::UserPassword { .. }
            | Self::UserRemove { .. }
            | Self::GrantList { .. }
            | Self::GrantRevoke { .. }
            | Self::Explain { .. }
            | Self::FailedAttempts
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
    pub(crate) registrations: Arc<dyn Registrations>,
    /// Empty unless a process serves.
    pub(crate) asked_redirects: Arc<AskedRedirects>,
    pub(crate) service_grants: Arc<dyn ServiceGrants>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) flows: Arc<FlowBook>,
    pub(crate) audit: Arc<dyn AuditSink>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) passwords: Passwords,
    pub(crate) keys: Arc<Keys>,
    /// The issuer while it is served; links need it.
    pub(crate) issuer: Option<String>,
    /// The servers while they are served; what clients may do is at one of them.
    pub(crate) served: Option<ResourceTable>,
}

impl Admin {
    /// Answers one request; what it changes is durable and audited by then.
    pub(crate) async fn answer(&self, request: Request) -> Answer {
        let answered = match request {
            Request::UserAdd { name, password } => self.user_add(name, password).await,
            Request::UserList => self.user_list().await,
            Request::SetupLink => self.setup_link(SETUP_LINK).await,
            Request::UserDisable { name } => self.user_disable(&name).await,
            Request::UserEnable { name } => self.user_enable(&name).await,
            Request::UserPassword { name, password } => self.user_password(&name, password).await,
            Request::UserRemove { name } => self.user_remove(&name).await,
            Request::Client { client } => self.client(client).await,
            Request::GrantList { all, user, client } => self.grant_list(all, user, client).await,
            Request::GrantRevoke { id } => self.grant_revoke(&id).await,
            Request::Registration { registration } => self.registration(registration).await,
            Request::Explain { reference } => self.explain(&reference).await,
            Request::FailedAttempts => Ok(self.attempts().failed_attempts()),
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

    fn attempts(&self) -> Known<'_> {
        Known {
            flows: &self.flows,
            now: self.clock.now(),
            serving: self.issuer.is_some(),
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
        let client = match client {
            None => None,
            Some(id) => Some(self.whole_client_id(id).await?),
        };
        let for_a_person = person.is_some();
        let filter = GrantFilter {
            person,
            client_id: client.clone(),
            dead_too: all,
            now: Some(self.clock.now()),
        };
        let given = self.grants.list(filter).await;
        let mut grants: Vec<Value> = given
            .map_err(|error| store(&error))?
            .iter()
            .map(|grant| json!(grant))
            .collect();
        if !for_a_person {
            let own = self.service_grants.list(client.as_deref(), all).await;
            let own = own.map_err(|error| store(&error))?;
            grants.extend(own.iter().map(|grant| {
                let mut shown = json!(grant);
                shown["person"] = json!(service_subject(&grant.client_id));
                shown["person_name"] = json!("(itself)");
                shown
            }));
            grants.sort_by_key(|grant| std::cmp::Reverse(grant["created_at"].as_i64()));
        }
        if let (true, Some(id)) = (grants.is_empty(), &client) {
            // One that was removed may have grants that have ended.
            self.there_is_client(id).await?;
        }
        Ok(json!(grants))
    }

    async fn person(&self, name: &str) -> Result<PersonId, Failure> {
        let found = self
            .people
            .find_by_name(&canonical_name(name))
            .await
            .map_err(|error| store(&error))?;
        let found = found.map(|person| person.id);
        found.ok_or_else(|| people::user_unknown(name))
    }

    async fn grant_revoke(&self, id: &str) -> Result<Value, Failure> {
        let grant: GrantId = id.parse().map_err(|error| {
            Failure::usage(
                "grant_id",
                format!("{id}: {error}"),
                "see keystile grant list",
            )
        })?;
        let given = self.grants.lookup(grant).await;
        let own = self.service_grants.lookup(grant).await;
        let (given, own) = (
            given.map_err(|error| store(&error))?.is_some(),
            own.map_err(|error| store(&error))?.is_some(),
        );
        let now = self.clock.now();
        let revoked = if given {
            self.grants.revoke(grant, "by_operator", now).await
        } else if own {
            self.service_grants.revoke(grant, "by_operator", now).await
        } else {
            return Err(Failure::failed(
                "grant_unknown",
                format!("there is no grant {id}"),
                "see keystile grant list --all",
            ));
        };
        let was_alive = revoked.map_err(|error| store(&error))?;
        self.on_record_afterwards("grant_revoke", id, "the grant is revoked")
            .await?;
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

const LEGAL_NAME: &str = "a name has 1 to 64 characters, without control characters";

fn is_legal_name(name: &str) -> bool {
    (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

fn store(error: &StoreError) -> Failure {
    Failure::failed(
        "store",
        error,
        "look at the disk and the log; nothing was changed",
    )
}
