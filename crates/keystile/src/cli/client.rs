//! `keystile client`: clients that the operator registers, and clients that are kept out.

mod said;

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use keystile_domain::records::GrantType;
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use serde_json::Value;

use crate::admin::Request;
use crate::admin::clients::{ClientChange, ClientRequest, NewClient};
use crate::cli::registrations::{InitialAccessToken, Redirect};
use crate::cli::{Global, output};
use crate::control;
use crate::failure::Failure;
use said::{changed, credentials, in_words, list};

#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    /// Register a client: a public one that people sign in to, unless you say otherwise.
    Add(Box<Add>),
    /// Change a client that you registered. Its id stays, and so do the connections that people made; its
    /// secret too, unless --auth makes or ends one.
    Update(Box<Update>),
    /// Remove a client that you registered, for good: its connections and tokens end before this
    /// returns. A client that gets its id later has nothing of it.
    Remove {
        /// The `client_id`.
        id: String,
    },
    /// List the clients that you registered, and those of other kinds that are disabled.
    List,
    /// Show one client: what it may do, how it authenticates, and whether it is disabled.
    Show {
        /// The `client_id`, of whatever kind.
        id: String,
    },
    /// Keep a client out: its tokens stop working and its streams close before this returns.
    Disable {
        /// The `client_id`: of a client that you registered, the URL of a document, or one that
        /// registered itself, as `grant list` shows it.
        id: String,
    },
    /// Let a disabled client in again, with the grants that people gave it.
    Enable {
        /// The `client_id`, as it was disabled or as `client list` shows it.
        id: String,
    },
    /// Make a new secret for a client; the old one stops at once.
    RotateSecret {
        /// The `client_id`.
        id: String,
        /// Let the old secret work for so many seconds more, so that the client can be changed over.
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        keep_old: u64,
    },
    /// Tokens with which clients register themselves, wherever they redirect to (RFC 7591 §3).
    #[command(subcommand)]
    InitialAccessToken(InitialAccessToken),
    /// Redirects to sites or apps that are not known here, which you approve of.
    #[command(subcommand)]
    Redirect(Redirect),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// What people see on the consent page.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Where a sign-in may lead back to, exactly. May be given several times.
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// The `client_id`; by default one is made.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Take the port of a loopback redirect exactly, too (without, any port will do: RFC 8252 §7.3).
    #[arg(long)]
    exact_port: bool,
    /// How the client proves at the token endpoint who it is; no other way is taken. A secret is
    /// made here and printed once.
    #[arg(long, value_enum, default_value_t = Auth::None)]
    auth: Auth,
    /// For private_key_jwt: a file with the client's public keys (a JWK set).
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    jwks: Option<PathBuf>,
    /// For private_key_jwt: the https address of the client's public keys.
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// What the client may ask for (default: authorization_code and refresh_token). May be given
    /// several times.
    #[arg(long = "grant", value_enum, value_name = "TYPE")]
    grants: Vec<Grant>,
    /// For client_credentials: what the client may do itself, as in NAME:call. May be given several times.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The client is the server behind this MCP URL: it may ask at /oauth/introspect about tokens
    /// for it.
    #[arg(long, value_name = "MCP_URL")]
    introspect: Option<String>,
    /// The client pushes its authorization requests to /oauth/par first, so that nobody else can
    /// send a browser here in its name (RFC 9126); other requests of it are refused.
    #[arg(long)]
    require_pushed_requests: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Update {
    /// The `client_id`.
    id: String,
    /// What people see on the consent page.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Let a sign-in lead back to here, too. May be given several times.
    #[arg(long = "add-redirect-uri", value_name = "URI")]
    add_redirect_uris: Vec<String>,
    /// Let no sign-in lead back to here any more. May be given several times.
    #[arg(long = "remove-redirect-uri", value_name = "URI")]
    remove_redirect_uris: Vec<String>,
    /// What the client may ask for from now on: name all of it. May be given several times.
    #[arg(long = "grant", value_enum, value_name = "TYPE")]
    grants: Vec<Grant>,
    /// For client_credentials: what the client may do itself from now on, all of it. May be given
    /// several times.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// For private_key_jwt: a file with the client's public keys (a JWK set), instead of those before.
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    jwks: Option<PathBuf>,
    /// For private_key_jwt: the https address of the client's public keys, instead of those before.
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// How the client proves from now on who it is. What it does not need any more, a secret or keys, is
    /// forgotten; a secret that it did not have before is made here and printed once.
    #[arg(long, value_enum)]
    auth: Option<Auth>,
    /// Take the port of a loopback redirect exactly; with =false, any port will do.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    exact_port: Option<bool>,
    /// The client is the server behind this MCP URL from now on, and behind no other: it may ask at
    /// /oauth/introspect about tokens for it.
    #[arg(long, value_name = "MCP_URL", conflicts_with = "no_introspect")]
    introspect: Option<String>,
    /// The client is no server: it may ask about its own tokens only.
    #[arg(long)]
    no_introspect: bool,
    /// Refuse requests of the client that it did not push to /oauth/par first (RFC 9126); with =false, take
    /// them again.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    require_pushed_requests: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Auth {
    /// Not at all: a public client, bound by PKCE.
    None,
    /// A secret, in the header.
    ClientSecretBasic,
    /// A secret, in the form.
    ClientSecretPost,
    /// A key that never leaves the client: it signs each request (RFC 7523).
    PrivateKeyJwt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Grant {
    /// People sign in in a browser.
    AuthorizationCode,
    /// Their sign-in lasts.
    RefreshToken,
    /// The client acts for itself.
    ClientCredentials,
    /// People sign in on another device.
    DeviceCode,
}

impl Client {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let ask = |client| control::ask(global, Request::Client { client });
        match self {
            Self::Add(add) => {
                let answer = ask(ClientRequest::Add(Box::new(add.read()?)))?;
                warn(global, &answer);
                output::answer(global.json, &answer, || credentials(&answer))
            }
            Self::Update(update) => {
                let (id, change) = update.read()?;
                let change = Box::new(change);
                let answer = ask(ClientRequest::Update { id, change })?;
                warn(global, &answer);
                output::answer(global.json, &answer, || changed(&answer))
            }
            Self::Remove { id } => {
                let answer = ask(ClientRequest::Remove { id })?;
                output::answer(global.json, &answer, || {
                    let ended = &answer["grants_ended"];
                    format!("Removed; {ended} grants have ended.")
                })
            }
            Self::InitialAccessToken(command) => command.run(global),
            Self::Redirect(command) => command.run(global),
            Self::List => {
                let answer = ask(ClientRequest::List)?;
                output::answer(global.json, &answer, || list(&answer))
            }
            Self::Show { id } => {
                let answer = ask(ClientRequest::Show { id })?;
                output::answer(global.json, &answer, || in_words(&answer))
            }
            Self::Disable { id } => {
                let answer = ask(ClientRequest::Disable { id })?;
                output::answer(global.json, &answer, || {
                    if answer["was_enabled"] == true {
                        "Disabled. Its tokens no longer work.".to_owned()
                    } else {
                        "It was disabled before; nothing changed.".to_owned()
                    }
                })
            }
            Self::Enable { id } => {
                let answer = ask(ClientRequest::Enable { id })?;
                output::answer(global.json, &answer, || {
                    if answer["was_disabled"] == true {
                        "Enabled. It gets new access tokens with the grants that it has.".to_owned()
                    } else {
                        "It was not disabled; nothing changed.".to_owned()
                    }
                })
            }
            Self::RotateSecret { id, keep_old } => {
                let answer = ask(ClientRequest::RotateSecret { id, keep_old })?;
                output::answer(global.json, &answer, || credentials(&answer))
            }
        }
    }
}

impl Add {
    fn read(self) -> Result<NewClient, Failure> {
        Ok(NewClient {
            name: self.name,
            redirect_uris: self.redirect_uris,
            client_id: self.client_id,
            exact_port: self.exact_port,
            auth: self.auth.method(),
            jwks: self.jwks.as_deref().map(keys).transpose()?,
            jwks_uri: self.jwks_uri,
            grants: self.grants.iter().map(Grant::granted).collect(),
            scopes: self.scopes,
            introspects: self.introspect,
            pushes_only: self.require_pushed_requests,
        })
    }
}

impl Update {
    fn read(self) -> Result<(String, ClientChange), Failure> {
        let change = ClientChange {
            name: self.name,
            add_redirect_uris: self.add_redirect_uris,
            remove_redirect_uris: self.remove_redirect_uris,
            grants: self.grants.iter().map(Grant::granted).collect(),
            scopes: self.scopes,
            jwks: self.jwks.as_deref().map(keys).transpose()?,
            jwks_uri: self.jwks_uri,
            auth: self.auth.map(Auth::method),
            exact_port: self.exact_port,
            introspects: self.introspect,
            no_introspection: self.no_introspect,
            pushes_only: self.require_pushed_requests,
        };
        Ok((self.id, change))
    }
}

impl Auth {
    const fn method(self) -> TokenEndpointAuthMethod {
        match self {
            Self::None => TokenEndpointAuthMethod::None,
            Self::ClientSecretBasic => TokenEndpointAuthMethod::ClientSecretBasic,
            Self::ClientSecretPost => TokenEndpointAuthMethod::ClientSecretPost,
            Self::PrivateKeyJwt => TokenEndpointAuthMethod::PrivateKeyJwt,
        }
    }
}

impl Grant {
    const fn granted(&self) -> GrantType {
        match self {
            Self::AuthorizationCode => GrantType::AuthorizationCode,
            Self::RefreshToken => GrantType::RefreshToken,
            Self::ClientCredentials => GrantType::ClientCredentials,
            Self::DeviceCode => GrantType::DeviceCode,
        }
    }
}

fn keys(path: &Path) -> Result<Value, Failure> {
    let help = "name a file that holds a JWK set: {\"keys\":[…]}";
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::usage(
            "jwks_unreadable",
            format!("{} can't be read: {error}", path.display()),
            help,
        )
    })?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::usage(
            "jwks_unreadable",
            format!("{} is no JSON: {error}", path.display()),
            help,
        )
    })
}

/// Beside the answer, so that who reads the id from it gets nothing else; in JSON it is part of it.
fn warn(global: &Global, answer: &Value) {
    if let (false, Some(warning)) = (global.json, answer["warning"].as_str()) {
        output::line_err(&format!("warning: {warning}"));
    }
}
