//! Clients that an operator registered, what they may do, and how they prove who they are.

use std::collections::BTreeSet;
use std::str::FromStr;

use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_protocol::scope::ScopeSet;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use subtle::{Choice, ConstantTimeEq as _};

use crate::ids::GrantId;
use crate::secrets::digest::Digest;
use crate::time::Timestamp;

/// A grant type that a client may be registered for (RFC 7591 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GrantType {
    /// OAuth 2.1 §4.1
    #[serde(rename = "authorization_code")]
    AuthorizationCode,
    /// OAuth 2.1 §4.3
    #[serde(rename = "refresh_token")]
    RefreshToken,
    /// OAuth 2.1 §4.2
    #[serde(rename = "client_credentials")]
    ClientCredentials,
    /// RFC 8628 §3.4
    #[serde(rename = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode,
}

impl GrantType {
    /// Every one of them.
    pub const ALL: [Self; 4] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientCredentials,
        Self::DeviceCode,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
        }
    }
}

/// The text is no grant type.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a grant type is authorization_code, refresh_token, client_credentials or device_code")]
pub struct NotAGrantType;

impl FromStr for GrantType {
    type Err = NotAGrantType;

    /// The word on the wire; `device_code` is understood, too.
    fn from_str(text: &str) -> Result<Self, NotAGrantType> {
        if text == "device_code" {
            return Ok(Self::DeviceCode);
        }
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or(NotAGrantType)
    }
}

/// What a client may ask the token endpoint for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantTypes(BTreeSet<GrantType>);

impl GrantTypes {
    /// Whether this one is among them.
    #[must_use]
    pub fn contains(&self, kind: GrantType) -> bool {
        self.0.contains(&kind)
    }

    /// In a stable order.
    pub fn iter(&self) -> impl Iterator<Item = GrantType> {
        self.0.iter().copied()
    }
}

impl Default for GrantTypes {
    /// For a person who signs in in a browser.
    fn default() -> Self {
        Self::from_iter([GrantType::AuthorizationCode, GrantType::RefreshToken])
    }
}

impl FromIterator<GrantType> for GrantTypes {
    fn from_iter<T: IntoIterator<Item = GrantType>>(kinds: T) -> Self {
        Self(kinds.into_iter().collect())
    }
}

/// A client that an operator registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreRegisteredClient {
    /// `client_id`.
    pub client_id: String,
    /// What people see.
    pub name: String,
    /// Exact redirect URIs; none for a client that acts for nobody but itself.
    pub redirect_uris: Vec<String>,
    /// Whether a loopback redirect may come with another port.
    pub native: bool,
    /// How it authenticates, always.
    pub auth_method: TokenEndpointAuthMethod,
    /// Its public keys (RFC 7517 §5), for `private_key_jwt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Where its public keys are, for `private_key_jwt`; an https URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// What it may ask for.
    pub grant_types: GrantTypes,
    /// What it may ask for itself, with `client_credentials`.
    pub scopes: ScopeSet,
    /// The resource that it serves: it may ask about tokens for it (RFC 7662).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspects: Option<String>,
    /// It pushes every authorization request (RFC 9126 §6).
    #[serde(
        rename = "require_pushed_authorization_requests",
        default,
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub pushes_only: bool,
    /// When it was added.
    pub created_at: Timestamp,
}

impl PreRegisteredClient {
    /// A public client for people who sign in in a browser.
    #[must_use]
    pub fn public(
        client_id: &str,
        name: &str,
        redirect_uris: Vec<String>,
        native: bool,
        created_at: Timestamp,
    ) -> Self {
        Self {
            client_id: client_id.to_owned(),
            name: name.to_owned(),
            redirect_uris,
            native,
            auth_method: TokenEndpointAuthMethod::None,
            jwks: None,
            jwks_uri: None,
            grant_types: GrantTypes::default(),
            scopes: ScopeSet::new(),
            introspects: None,
            pushes_only: false,
            created_at,
        }
    }
}

/// The digests of the secrets that work now: one, or two while an earlier one is kept.
#[derive(Debug, Clone, Default)]
pub struct ClientSecrets(pub Vec<Digest>);

impl ClientSecrets {
    /// Whether this is one of them. Digests are compared, in constant time and all of them, so that
    /// time tells nothing of a secret (CHECKLIST A-090).
    #[must_use]
    pub fn has(&self, shown: &str) -> bool {
        let shown = Digest::of(shown);
        let hit = |found: Choice, kept: &Digest| found | kept.as_bytes().ct_eq(shown.as_bytes());
        self.0.iter().fold(Choice::from(0), hit).into()
    }
}

/// What came of showing the id (`jti`) of a client's assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssertionUse {
    /// Never shown before; it is taken now.
    First,
    /// It was shown before: refuse (CHECKLIST A-086).
    Again,
    /// The client has shown as many as are remembered; wait until some end.
    TooMany,
}

/// The most assertions of one client that are remembered at a time; each lives ten minutes at most.
pub const MOST_ASSERTIONS: u32 = 10_000;

/// A client that wants tokens for itself.
#[derive(Debug, Clone)]
pub struct ServiceRequest {
    /// The id of the grant, if one is made.
    pub grant: GrantId,
    /// Who.
    pub client_id: String,
    /// Its name.
    pub client_name: String,
    /// Canonical resource.
    pub resource: String,
    /// What it gets now.
    pub scopes: ScopeSet,
}

/// What a client holds for itself: no person gave it. One for each client and resource, so that
/// `sid` of its tokens lets an operator end them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceGrant {
    /// Its id: `sid`.
    pub id: GrantId,
    /// Whose.
    pub client_id: String,
    /// Its name.
    pub client_name: String,
    /// Canonical resource.
    pub resource: String,
    /// What the last token was for.
    pub scopes: ScopeSet,
    /// When its first token was made.
    pub created_at: Timestamp,
    /// When its last token was made.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Why it was revoked.
    pub revoked_why: Option<String>,
}

/// `sub` of a token that a client got for itself: no person has such an id (N-CC-04).
#[must_use]
pub fn service_subject(client_id: &str) -> String {
    format!("client:{client_id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PersonId;

    #[test]
    fn a_client_is_never_mistaken_for_a_person() {
        let person = "0198c0de-7f3a-7bcd-8e21-5a1f0c9d2b44";
        assert!(person.parse::<PersonId>().is_ok());
        assert!(service_subject(person).parse::<PersonId>().is_err());
    }

    #[test]
    fn each_kept_secret_works_and_no_other() {
        let kept = ClientSecrets(vec![Digest::of("new"), Digest::of("old")]);
        assert!(kept.has("new") && kept.has("old"));
        assert!(!kept.has("") && !kept.has("older") && !ClientSecrets::default().has("new"));
    }

    #[test]
    fn grant_types_have_the_words_of_the_wire() {
        for kind in GrantType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert_eq!("device_code".parse(), Ok(GrantType::DeviceCode));
        assert!("password".parse::<GrantType>().is_err());
    }
}
