//! Client authentication at the token, revocation and introspection endpoints (RFC 6749 §2.3,
//! OAuth 2.1 §2.4): the method that was registered, and no other.

mod assertion;
mod shown;

use http::request::Parts;
use keystile_domain::client::ClientKind;
use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::decide::redeem::client_proof_missing;
use keystile_domain::records::{GrantType, GrantTypes, PreRegisteredClient};
use keystile_domain::time::Timestamp;
use keystile_protocol::client_id_url::ClientIdUrl;
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::form::Params;
use keystile_protocol::mutation::weakened;
use keystile_protocol::scope::ScopeSet;

use crate::app::App;
use crate::clients::{self, Asker, ClientId};
use crate::endpoints::address::without_secrets;
use shown::{Proof, Shown};

/// A client that proved, in the way it registered, to be the one it names.
#[derive(Debug)]
pub(crate) struct AuthenticatedClient {
    client_id: String,
    kind: ClientKind,
    name: Option<String>,
    method: TokenEndpointAuthMethod,
    grant_types: GrantTypes,
    scopes: ScopeSet,
    introspects: Option<String>,
}

impl AuthenticatedClient {
    /// `client_id`, byte for byte.
    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// How it came to be known.
    pub(crate) fn kind(&self) -> ClientKind {
        self.kind
    }

    /// What an operator called it; its id, if nobody did.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.client_id)
    }

    /// Whether it proved who it is, and did not merely say so.
    pub(crate) fn is_confidential(&self) -> bool {
        self.method != TokenEndpointAuthMethod::None
    }

    /// Refuses one that only said that it is a client which has to prove it (RFC 9126 §2, RFC 8628
    /// §3.1, RFC 7009 §2.1: the client authenticates as at the token endpoint). There, the statement
    /// that spends a code or takes a refresh token asks for it.
    ///
    /// # Errors
    /// `invalid_client`.
    pub(crate) fn require_proof(&self, proves: bool) -> Result<(), OAuthError> {
        if !proves || self.is_confidential() || weakened("n_as_32e") {
            return Ok(());
        }
        Err(client_proof_missing())
    }

    /// What it may ask for itself.
    pub(crate) fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The resource that it serves.
    pub(crate) fn introspects(&self) -> Option<&str> {
        self.introspects.as_deref()
    }

    /// Whether it registered for this grant type.
    pub(crate) fn may(&self, kind: GrantType) -> bool {
        self.grant_types.contains(kind)
    }

    /// Refuses what it did not register for (RFC 6749 §5.2).
    ///
    /// # Errors
    /// `unauthorized_client`.
    pub(crate) fn require(&self, kind: GrantType) -> Result<(), OAuthError> {
        if self.may(kind) || weakened("n_cc_03") {
            return Ok(());
        }
        let own = (self.client_id.as_str(), self.kind);
        Err(clients::lacks(kind, own, &self.grant_types))
    }

    fn operators(record: PreRegisteredClient) -> Self {
        Self {
            client_id: record.client_id,
            kind: ClientKind::PreRegistered,
            name: Some(record.name),
            method: record.auth_method,
            grant_types: record.grant_types,
            scopes: record.scopes,
            introspects: record.introspects,
        }
    }

    fn own(client_id: String, kind: ClientKind, method: TokenEndpointAuthMethod) -> Self {
        Self {
            client_id,
            kind,
            name: None,
            method,
            grant_types: GrantTypes::default(),
            scopes: ScopeSet::new(),
            introspects: None,
        }
    }
}

/// Authenticates the client of a form request.
///
/// # Errors
/// `invalid_client`, or `invalid_request` for two methods at once (N-AS-32) and for a secret in the address.
pub(crate) async fn authenticate(
    app: &App,
    request: &Parts,
    params: &Params,
    now: Timestamp,
) -> Result<AuthenticatedClient, OAuthError> {
    without_secrets(&request.uri)?;
    let Shown { client_id, proof } = Shown::of(app, &request.headers, params, now)?;
    let id = ClientId::read(&client_id)?;
    clients::refuse_disabled(app, &client_id).await?;
    let asker = Asker::of(request, now);
    match &id {
        ClientId::Sealed(text) => registered(app, text, proof, asker).await,
        ClientId::Document(url) => of_document(app, url, proof, asker).await,
        ClientId::Recorded(text) => pre_registered(app, text, proof, now).await,
    }
}

/// Who a refused request says to be from; for doctor only.
pub(crate) fn claimed(
    app: &App,
    request: &Parts,
    params: &Params,
    now: Timestamp,
) -> Option<String> {
    match Shown::of(app, &request.headers, params, now) {
        Ok(shown) => Some(shown.client_id),
        Err(_) => params.one("client_id").map(str::to_owned),
    }
}

/// A client that registered itself: its secret is derived from its id, which says where its keys are.
async fn registered(
    app: &App,
    client_id: &str,
    proof: Proof<'_>,
    asker: Asker,
) -> Result<AuthenticatedClient, OAuthError> {
    let client = clients::sealed(app, client_id)?;
    require_method(&proof, client.auth_method)?;
    let (kind, method) = (ClientKind::Registered, proof.method());
    match proof {
        Proof::None => {}
        Proof::Basic(secret) | Proof::Post(secret) => {
            if !app.secrets.is_client_secret(&secret, client_id) {
                return Err(wrong_secret());
            }
        }
        Proof::Assertion(shown) => {
            assertion::verify_of_registration(app, &client, *shown, asker).await?;
        }
    }
    Ok(AuthenticatedClient {
        grant_types: client.grant_types,
        ..AuthenticatedClient::own(client.client_id, kind, method)
    })
}

/// A client of a document is public unless it shows an assertion: what it redeems is bound to its id,
/// was judged by the snapshot of its transaction, and remembers whether an assertion has to
/// be shown for it. So without one nothing is ever fetched here; where documents are not fetched at all, only the pinned clients are known (N-AS-05).
async fn of_document(
    app: &App,
    url: &ClientIdUrl,
    proof: Proof<'_>,
    asker: Asker,
) -> Result<AuthenticatedClient, OAuthError> {
    let method = proof.method();
    match proof {
        Proof::None => {
            if !app.documents.may_fetch(url) || weakened("a_059") {
                clients::document(app, url, asker).await?;
            }
        }
        Proof::Assertion(shown) => assertion::verify_of_document(app, url, *shown, asker).await?,
        Proof::Basic(_) | Proof::Post(_) => {
            return Err(refuse(format!(
                "A client whose client_id is a URL authenticates with none or private_key_jwt, and used {}.",
                method.as_str()
            ))
            .because("client_auth_method"));
        }
    }
    let (id, kind) = (url.as_str().to_owned(), ClientKind::Document);
    let own = AuthenticatedClient::own(id, kind, method);
    // Whether the document lists it was judged when the device asked, as redirects are: only
    // what it was given then can be redeemed.
    let device = std::iter::once(GrantType::DeviceCode);
    Ok(AuthenticatedClient {
        grant_types: own.grant_types.iter().chain(device).collect(),
        ..own
    })
}

/// A client that an operator added.
async fn pre_registered(
    app: &App,
    client_id: &str,
    proof: Proof<'_>,
    now: Timestamp,
) -> Result<AuthenticatedClient, OAuthError> {
    let record = clients::recorded(app, client_id).await?;
    require_method(&proof, record.auth_method)?;
    match proof {
        Proof::None => {}
        Proof::Basic(secret) | Proof::Post(secret) => {
            let kept = app.clients.secrets(client_id, now).await;
            if !kept.map_err(OAuthError::internal)?.has(&secret) && !weakened("n_cc_01") {
                return Err(wrong_secret());
            }
        }
        Proof::Assertion(shown) => assertion::verify(app, &record, *shown, now).await?,
    }
    Ok(AuthenticatedClient::operators(record))
}

fn require_method(
    proof: &Proof<'_>,
    registered: TokenEndpointAuthMethod,
) -> Result<(), OAuthError> {
    let used = proof.method();
    if used == registered || weakened("n_as_32") {
        return Ok(());
    }
    let refusal = refuse(format!(
        "The client registered token_endpoint_auth_method {0}, and used {1}: use {0}, or register it anew.",
        registered.as_str(),
        used.as_str()
    ))
    .because("client_auth_method");
    if used == TokenEndpointAuthMethod::None {
        // Nobody is to let it in without a proof because somebody came without one.
        return Err(refusal);
    }
    let told = Diagnosis::of(&refusal).filled("METHOD", used.as_str());
    Err(refusal.with_detail(told))
}

fn wrong_secret() -> OAuthError {
    refuse(
        "The client's secret is wrong: copy it anew, or ask whoever runs this server for another.",
    )
    .because("client_secret_wrong")
}

fn refuse(description: impl Into<std::borrow::Cow<'static, str>>) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClient, description)
}
