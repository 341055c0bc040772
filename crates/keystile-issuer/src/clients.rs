//! Who a `client_id` is: sealed by us, the URL of a document, or a record of the operator's.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use keystile_domain::client::{Client, ClientKind, Trust};
use keystile_domain::decide::client_credentials::operators_only;
use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::decide::diagnose::client as diagnose;
use keystile_domain::ports::StoreError;
use keystile_domain::records::{GrantType, GrantTypes, PreRegisteredClient};
use keystile_domain::secrets::client_id;
use keystile_domain::secrets::whose_id::SealedBy;
use keystile_domain::shown::word;
use keystile_domain::time::Timestamp;
use keystile_fetch::{Document, LookupError, Tier};
use keystile_protocol::client_id_url::ClientIdUrl;
use keystile_protocol::client_metadata::{ClientMetadata, TokenEndpointAuthMethod};
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::mutation::weakened;
use keystile_protocol::redirect::RedirectUri;
use serde_json::Value;
use url::Url;

use crate::app::App;
use crate::fetched;
use crate::pages::shown;
use crate::peer;

/// What a `client_id` is by its form. Each kind is looked for in one place only.
pub(crate) enum ClientId<'a> {
    /// Metadata that we sealed (RFC 7591).
    Sealed(&'a str),
    /// The address of a document.
    Document(ClientIdUrl),
    /// A name that an operator gave.
    Recorded(&'a str),
}

impl<'a> ClientId<'a> {
    /// # Errors
    /// `invalid_client` for what is meant as a URL and is none that a client can have.
    pub(crate) fn read(text: &'a str) -> Result<Self, OAuthError> {
        if text.starts_with(client_id::PREFIX) {
            return Ok(Self::Sealed(text));
        }
        if !ClientIdUrl::is_meant_by(text) {
            return Ok(Self::Recorded(text));
        }
        let url = ClientIdUrl::parse(text);
        url.map(Self::Document)
            .map_err(|error| unknown(format!("client_id: {error}.")).because("client_id_url"))
    }
}

/// A request that may make this server fetch something: for whom, and when.
#[derive(Clone, Copy)]
pub(crate) struct Asker {
    pub(crate) peer: IpAddr,
    pub(crate) now: Timestamp,
}

impl Asker {
    pub(crate) fn of(request: &Parts, now: Timestamp) -> Self {
        let peer = peer::of(&request.extensions);
        Self { peer, now }
    }

    /// Pays for a fetch (CHECKLIST A-060): each network for its own.
    ///
    /// # Errors
    /// How long to wait for the next.
    pub(crate) fn pay_for_fetch(self, app: &App) -> Result<(), OAuthError> {
        app.limits.fetch_document(self.peer, self.now).map_err(|wait| {
            let time = shown::wait(wait);
            let why = format!(
                "This app's document has to be fetched, and too many were for your network. Try again in {time}."
            );
            OAuthError::too_many(why, wait).because("document_fetch_limit")
        })
    }
}

/// The client behind a `client_id`.
///
/// # Errors
/// `invalid_client` with what to do. So is a document that can't be had: its host is the client's.
pub(crate) async fn resolve(
    app: &App,
    id: &ClientId<'_>,
    asker: Asker,
) -> Result<Client, OAuthError> {
    match id {
        ClientId::Sealed(text) => sealed(app, text),
        ClientId::Document(url) => by_document(app, url, asker).await,
        ClientId::Recorded(text) => Ok(recorded(app, text).await?.into()),
    }
}

async fn let_in(app: &App, client_id: &str, asker: Asker) -> Result<Client, OAuthError> {
    let id = ClientId::read(client_id)?;
    refuse_disabled(app, client_id).await?;
    resolve(app, &id, asker).await
}

/// What a client did not register for (RFC 6749 §5.2), and where it would. For one that an operator added,
/// doctor has the whole command: it sets all that the client may do.
pub(crate) fn lacks(
    kind: GrantType,
    (client_id, how): (&str, ClientKind),
    has: &GrantTypes,
) -> OAuthError {
    if kind == GrantType::ClientCredentials && how != ClientKind::PreRegistered {
        return operators_only(ErrorCode::UnauthorizedClient);
    }
    let all: Vec<&str> = has.iter().map(GrantType::as_str).collect();
    let (known, asked) = (all.join(", "), kind.as_str());
    let what = format!("This client is registered for {known}, not for {asked}:");
    let why = match how {
        ClientKind::Registered => format!("{what} register it again with that in grant_types."),
        ClientKind::Document => format!("{what} its document has to list that in grant_types."),
        ClientKind::PreRegistered => {
            format!("{what} ask whoever runs this server, and name the reference.")
        }
    };
    let refusal = OAuthError::new(ErrorCode::UnauthorizedClient, why).because(LACKS);
    if how != ClientKind::PreRegistered {
        return refusal;
    }
    let set = has.iter().chain([kind]);
    let flag = |kind: GrantType| {
        let word = kind.as_str().rsplit(':').next().unwrap_or_default();
        format!("--grant {word}")
    };
    let set: Vec<String> = set.map(flag).collect();
    let mut diagnosis = Diagnosis::of(&refusal);
    let redirect = match kind {
        GrantType::AuthorizationCode => " --add-redirect-uri URI",
        _ => "",
    };
    diagnosis.fix = format!(
        "If it may: keystile client update {} {}{redirect}",
        word(client_id),
        set.join(" ")
    );
    refusal.with_detail(diagnosis)
}

/// The client of a sign-in: not kept out, known, and one that people sign in to.
///
/// # Errors
/// As [`resolve`], and `unauthorized_client` for one that only acts for itself.
pub(crate) async fn for_sign_in(
    app: &App,
    client_id: &str,
    asker: Asker,
) -> Result<Client, OAuthError> {
    let client = let_in(app, client_id, asker).await?;
    if !client.grant_types.contains(GrantType::AuthorizationCode) {
        let own = (client_id, client.kind);
        return Err(lacks(
            GrantType::AuthorizationCode,
            own,
            &client.grant_types,
        ));
    }
    Ok(client)
}

/// The client of a device: not kept out, known, and one that said that it is used on devices.
///
/// # Errors
/// As [`resolve`], and `unauthorized_client`.
pub(crate) async fn for_device(
    app: &App,
    client_id: &str,
    asker: Asker,
) -> Result<Client, OAuthError> {
    let client = let_in(app, client_id, asker).await?;
    if !client.grant_types.contains(GrantType::DeviceCode) && !weakened("rfc_8628e") {
        let own = (client_id, client.kind);
        return Err(lacks(GrantType::DeviceCode, own, &client.grant_types));
    }
    Ok(client)
}

/// Refuses a client that the operator keeps out. Comes first: nothing is fetched, compared or taken
/// for it.
///
/// # Errors
/// `invalid_client`.
pub(crate) async fn refuse_disabled(app: &App, client_id: &str) -> Result<(), OAuthError> {
    let kept_out = is_disabled(app, client_id).await;
    if kept_out.map_err(OAuthError::internal)? {
        return Err(disabled(client_id));
    }
    Ok(())
}

/// Whether the operator keeps this client out.
///
/// # Errors
/// Nobody knows: refuse.
pub(crate) async fn is_disabled(app: &App, client_id: &str) -> Result<bool, StoreError> {
    let kept_out = app.clients.disabled_since(client_id).await?;
    Ok(kept_out.is_some() && !weakened("a_025"))
}

/// A client that registered itself.
///
/// # Errors
/// `invalid_client`: it did so elsewhere, or with a key that is gone.
pub(crate) fn sealed(app: &App, client_id: &str) -> Result<Client, OAuthError> {
    app.secrets.open_client_id(client_id).ok_or_else(|| {
        unknown("This client_id was not registered here (or with another key). Register again.")
            .because(UNKNOWN)
            .with_detail(diagnose::lost(client_id, app.secrets.sealed_by(client_id)))
    })
}

/// A client that an operator added.
///
/// # Errors
/// `invalid_client`: nobody has this id.
pub(crate) async fn recorded(
    app: &App,
    client_id: &str,
) -> Result<PreRegisteredClient, OAuthError> {
    let found = app.clients.lookup(client_id).await;
    found.map_err(OAuthError::internal)?.ok_or_else(|| {
        unknown("This client_id is not known here. Register first.")
            .because(UNKNOWN)
            .with_detail(diagnose::lost(client_id, SealedBy::Nobody))
    })
}

/// The operator keeps this client out.
pub(crate) fn disabled(client_id: &str) -> OAuthError {
    unknown(
        "The operator of this server has disabled this client. Ask for: keystile client enable.",
    )
    .because(DISABLED)
    .with_detail(diagnose::disabled(client_id))
}

/// The client only says who it is.
pub(crate) fn not_proven() -> OAuthError {
    unknown("This is for clients that authenticate with a secret or a key, added by the operator: keystile client add --auth.")
        .because("client_not_proven")
}

/// What stands at a `client_id` that is a URL.
///
/// # Errors
/// `invalid_client`; `temporarily_unavailable` when it would have to be fetched once too often.
pub(crate) async fn document(
    app: &App,
    url: &ClientIdUrl,
    asker: Asker,
) -> Result<Arc<Document>, OAuthError> {
    let pay = || asker.pay_for_fetch(app);
    let found = app.documents.lookup_for(url, asker.now.0, pay).await?;
    found.map_err(|error| refuse_document(url, error))
}

async fn by_document(app: &App, url: &ClientIdUrl, asker: Asker) -> Result<Client, OAuthError> {
    let document = document(app, url, asker).await?;
    let metadata = &document.metadata;
    let method = document_method(url, metadata)?;
    let id = url.as_str().to_owned();
    let client = Client::from_metadata(id, ClientKind::Document, metadata, method);
    Ok(client.with_trust(match app.documents.tier(url) {
        Tier::Pinned => Trust::Shipped,
        Tier::TrustedHost => Trust::Operator,
        Tier::Unknown => Trust::Unknown,
    }))
}

/// `none` where the document allows it, as most clients that can sign still do without; else the
/// client has to prove who it is wherever it uses what people give it.
fn document_method(
    url: &ClientIdUrl,
    metadata: &ClientMetadata,
) -> Result<TokenEndpointAuthMethod, OAuthError> {
    let names = |method| {
        let chosen = metadata.choose_auth_method(&[method], TokenEndpointAuthMethod::None);
        chosen.is_some()
    };
    if names(TokenEndpointAuthMethod::None) {
        return Ok(TokenEndpointAuthMethod::None);
    }
    if names(TokenEndpointAuthMethod::PrivateKeyJwt) && DocumentKeys::of(url, metadata).is_some() {
        return Ok(TokenEndpointAuthMethod::PrivateKeyJwt);
    }
    let why = "The client's document has to name token_endpoint_auth_method none, or private_key_jwt with its public keys: as jwks, or at a jwks_uri on the document's own origin.";
    Err(unknown(why).because("client_document_auth_method"))
}

/// Where the keys of a client are that is known by a document: in it, or on its own origin, so that
/// one client can't have another host asked (CHECKLIST A-055).
pub(crate) enum DocumentKeys<'a> {
    /// In the document.
    Inline(&'a Value),
    /// At this address.
    At(Url),
}

impl<'a> DocumentKeys<'a> {
    pub(crate) fn of(client_id: &ClientIdUrl, metadata: &'a ClientMetadata) -> Option<Self> {
        let own = |uri: &Url| uri.origin() == client_id.url().origin() || weakened("a_055b");
        if let Some(jwks) = &metadata.jwks {
            return Some(Self::Inline(jwks));
        }
        let uri = Url::parse(metadata.jwks_uri.as_deref()?).ok()?;
        own(&uri).then_some(Self::At(uri))
    }
}

/// A self-registered client whose redirect the owner approved of stays only as long as that stands.
///
/// # Errors
/// `invalid_request` on a page of our own: its redirect is no longer trusted.
pub(crate) async fn still_approved(
    app: &App,
    client: &Client,
    redirect: &RedirectUri,
) -> Result<(), OAuthError> {
    let policy = app.settings.registration.as_ref();
    let known = policy.is_some_and(|policy| policy.knows(redirect)) || redirect.is_loopback();
    if client.trust != Trust::Approved || known {
        return Ok(());
    }
    let place = redirect.place();
    let approved = app.registrations.is_approved(&place).await;
    if approved.map_err(OAuthError::internal)? {
        return Ok(());
    }
    let place = word(&place);
    let why = format!(
        "Sign-ins may no longer lead to {place}. Whoever runs this server allows it again with: keystile client redirect approve {place}"
    );
    let told = Diagnosis::described(REMOVED, &why).filled("PLACE", &redirect.place());
    Err(OAuthError::invalid_request(why)
        .because(REMOVED)
        .with_detail(told))
}

/// What the operator may know of the network behind this server, a stranger may not.
fn refuse_document(url: &ClientIdUrl, error: LookupError) -> OAuthError {
    let public = match error {
        LookupError::NotListed => {
            let place = word(&fetched::host(url.url()));
            format!("{} {place}", error.public_message())
        }
        _ => error.public_message(),
    };
    unknown(format!("The client can't be used: {public}."))
        .because("client_document_unusable")
        .with_detail(fetched::document(url, error))
}

/// The reason of a `client_id` that nobody has here (any more).
pub(crate) const UNKNOWN: &str = "client_unknown";

/// The reason of a redirect that the owner approved of once.
const REMOVED: &str = "redirect_approval_removed";

/// The reason of what a client did not register for.
const LACKS: &str = "client_grant_type";

/// The reason of a client that the operator keeps out.
pub(crate) const DISABLED: &str = "client_disabled";

fn unknown(description: impl Into<std::borrow::Cow<'static, str>>) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClient, description)
}
