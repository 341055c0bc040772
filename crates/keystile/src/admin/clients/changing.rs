//! Clients that the operator added, and changes or removes.

use keystile_domain::records::{GrantType, GrantTypes, PreRegisteredClient};
use keystile_domain::secrets::code::FreshSecret;
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_protocol::redirect::{RedirectKind, RedirectUri};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Admin, Known, NewClient, client_unknown};
use crate::admin::store;
use crate::failure::Failure;

/// What becomes of a client; what is not named stays.
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientChange {
    pub(crate) name: Option<String>,
    pub(crate) auth: Option<TokenEndpointAuthMethod>,
    pub(crate) add_redirect_uris: Vec<String>,
    pub(crate) remove_redirect_uris: Vec<String>,
    /// Those there are from now on; empty for as before. So are the scopes.
    pub(crate) grants: Vec<GrantType>,
    pub(crate) scopes: Vec<String>,
    pub(crate) jwks: Option<Value>,
    pub(crate) jwks_uri: Option<String>,
    pub(crate) exact_port: Option<bool>,
    pub(crate) introspects: Option<String>,
    /// It asks about nobody's tokens from now on.
    pub(crate) no_introspection: bool,
    pub(crate) pushes_only: Option<bool>,
}

impl Admin {
    pub(super) async fn client_update(
        &self,
        id: &str,
        change: ClientChange,
    ) -> Result<Value, Failure> {
        let was = self.operators(id).await?;
        if change == ClientChange::default() {
            return Err(Failure::usage(
                "client_change",
                "there is nothing to change in what was said",
                "say what should change: keystile client update --help",
            ));
        }
        let described = change.made_to(&was)?;
        let becomes = described.record(was.client_id.clone(), was.created_at)?;
        if becomes == was {
            let mut answer = json!(becomes);
            answer["was_so_before"] = true.into();
            return Ok(answer);
        }
        let proved = was.auth_method != TokenEndpointAuthMethod::None;
        let public = proved && becomes.auth_method == TokenEndpointAuthMethod::None;
        let strange = becomes.scopes != was.scopes || becomes.introspects != was.introspects;
        let unchecked = match strange {
            false => None,
            true => self.is_served(&becomes.scopes, becomes.introspects.as_deref())?,
        };
        // One secret serves both ways to send it.
        let needs_one =
            becomes.auth_method.is_shared_secret() && !was.auth_method.is_shared_secret();
        let secret = needs_one.then(|| FreshSecret::client_secret(&*self.rng));
        let digest = secret.as_ref().map(|secret| secret.digest);
        let now = self.clock.now();
        let replaced = async {
            let replaced = self.clients.replace(was, becomes.clone(), digest, now);
            match replaced.await {
                Ok(true) => Ok(()),
                Ok(false) => Err(Failure::failed(
                    "client_changed_meanwhile",
                    format!("somebody else changed {id} at the same moment"),
                    "look at it with keystile client show, and try again",
                )),
                Err(error) => Err(store(&error)),
            }
        };
        self.recorded("client_update", id, replaced).await?;
        let mut answer = json!(becomes);
        if let Some(secret) = secret {
            answer["client_secret"] = secret.text.into();
        }
        let public = public.then(|| PUBLIC.to_owned());
        let warnings: Vec<_> = public.into_iter().chain(unchecked).collect();
        if !warnings.is_empty() {
            answer["warning"] = warnings.join("; ").into();
        }
        Ok(answer)
    }

    pub(super) async fn client_remove(&self, id: &str) -> Result<Value, Failure> {
        self.operators(id).await?;
        let now = self.clock.now();
        let removed = async {
            let removed = self.clients.remove(id, now).await;
            let removed = removed.map_err(|error| store(&error))?;
            removed.ok_or_else(|| client_unknown(id))
        };
        let ended = self.recorded("client_remove", id, removed).await?;
        Ok(json!({ "client_id": id, "grants_ended": ended }))
    }

    /// The client, if the operator added it.
    async fn operators(&self, id: &str) -> Result<PreRegisteredClient, Failure> {
        match self.known(id).await? {
            Known::Operators(record) => Ok(*record),
            Known::Other(..) => Err(Failure::failed(
                "client_not_added",
                format!("{id} was not added here: the app itself says what it is"),
                "remove the connection in the app and add it again; to keep it out: keystile client disable",
            )),
        }
    }
}

impl ClientChange {
    /// The client as it would be described if it were added now.
    fn made_to(self, was: &PreRegisteredClient) -> Result<NewClient, Failure> {
        let mut redirect_uris = was.redirect_uris.clone();
        for gone in &self.remove_redirect_uris {
            let place = redirect_uris.iter().position(|uri| uri == gone);
            let place = place.ok_or_else(|| {
                Failure::usage(
                    "redirect_uri",
                    format!("{gone} is not among the redirect URIs of this client"),
                    "write it as keystile client show has it",
                )
            })?;
            redirect_uris.remove(place);
        }
        for uri in self.add_redirect_uris {
            if !redirect_uris.contains(&uri) {
                redirect_uris.push(uri);
            }
        }
        let grants: GrantTypes = match self.grants.as_slice() {
            [] => was.grant_types.clone(),
            named => named.iter().copied().collect(),
        };
        let acts = grants.contains(GrantType::ClientCredentials);
        let scopes = match self.scopes.as_slice() {
            [] if acts => was.scopes.iter().map(str::to_owned).collect(),
            _ => self.scopes,
        };
        let auth = self.auth.unwrap_or(was.auth_method);
        let names_keys = self.jwks.is_some() || self.jwks_uri.is_some();
        let keeps_keys = !names_keys && auth == was.auth_method;
        let (jwks, jwks_uri) = if keeps_keys {
            (was.jwks.clone(), was.jwks_uri.clone())
        } else {
            (self.jwks, self.jwks_uri)
        };
        let introspects = match self.no_introspection {
            true => None,
            false => self.introspects.or_else(|| was.introspects.clone()),
        };
        if grants.iter().next().is_none() && introspects.is_none() && redirect_uris.is_empty() {
            return Err(Failure::usage(
                "client_for_nothing",
                "nothing would be left that this client may do",
                "say with --grant what it may ask for, or remove it: keystile client remove",
            ));
        }
        if self.exact_port.is_some() && !redirect_uris.iter().any(|uri| is_of_a_program(uri)) {
            return Err(Failure::usage(
                "exact_port",
                "no redirect of this client comes back to a program on the person's computer, so no port can differ",
                "leave --exact-port out",
            ));
        }
        Ok(NewClient {
            name: self.name.unwrap_or_else(|| was.name.clone()),
            redirect_uris,
            client_id: Some(was.client_id.clone()),
            exact_port: self.exact_port.unwrap_or_else(|| takes_ports_exactly(was)),
            auth,
            jwks,
            jwks_uri,
            grants: grants.iter().collect(),
            scopes,
            introspects,
            pushes_only: self.pushes_only.unwrap_or(was.pushes_only),
        })
    }
}

/// Whether it was added with `--exact-port`: otherwise a redirect that is not of the web makes it native.
pub(super) fn takes_ports_exactly(client: &PreRegisteredClient) -> bool {
    let mut uris = client.redirect_uris.iter();
    !client.native && uris.any(|uri| is_of_a_program(uri))
}

/// Whether a redirect leads to a program on the person's computer, and not to a site.
fn is_of_a_program(uri: &str) -> bool {
    RedirectUri::parse(uri).is_ok_and(|uri| !matches!(uri.kind(), RedirectKind::Https { .. }))
}

/// Of a client that had to prove who it is until now.
const PUBLIC: &str = "anybody who knows its id can say that they are this client now, and only its redirects and PKCE bind it; its secret or keys are forgotten";
