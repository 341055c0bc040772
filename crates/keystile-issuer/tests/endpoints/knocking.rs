//! Clients of every kind, and how each of them proves who it is.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use keystile_domain::ports::Clock as _;
use keystile_domain::records::{GrantType, GrantTypes, PreRegisteredClient};
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_testkit::assertion::ClientKey;
use keystile_testkit::browser::Reply;
use keystile_testkit::issuer::TestApp;
use std::sync::atomic::{AtomicU32, Ordering};
use url::form_urlencoded::Serializer;

use crate::{LOOPBACK, send};

/// RFC 7523 §2.2
pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

static JTI: AtomicU32 = AtomicU32::new(0);

/// A client, with what it needs to prove itself.
pub(crate) enum Knocker {
    Public(String),
    Basic(String, String),
    Post(String, String),
    Key(String, ClientKey),
}

/// A record for people's sign-in and for itself.
pub(crate) fn record(
    test: &TestApp,
    id: &str,
    method: TokenEndpointAuthMethod,
) -> PreRegisteredClient {
    let redirects = vec![LOOPBACK.to_owned()];
    let mut record = PreRegisteredClient::public(id, id, redirects, true, test.clock.now());
    record.auth_method = method;
    if method != TokenEndpointAuthMethod::None {
        record.grant_types = GrantTypes::from_iter([
            GrantType::AuthorizationCode,
            GrantType::RefreshToken,
            GrantType::ClientCredentials,
        ]);
        record.scopes = "knowledge-base:call".parse().expect("a scope");
    }
    record
}

impl Knocker {
    pub(crate) async fn public(test: &TestApp, id: &str) -> Self {
        let record = record(test, id, TokenEndpointAuthMethod::None);
        test.add(record, None).await;
        Self::Public(id.to_owned())
    }

    pub(crate) async fn basic(test: &TestApp, id: &str) -> Self {
        let secret = format!("ksx_{id}: +%&=/\u{fc}");
        let record = record(test, id, TokenEndpointAuthMethod::ClientSecretBasic);
        test.add(record, Some(&secret)).await;
        Self::Basic(id.to_owned(), secret)
    }

    pub(crate) async fn post(test: &TestApp, id: &str) -> Self {
        let secret = format!("ksx_{id}");
        let record = record(test, id, TokenEndpointAuthMethod::ClientSecretPost);
        test.add(record, Some(&secret)).await;
        Self::Post(id.to_owned(), secret)
    }

    pub(crate) async fn key(test: &TestApp, id: &str) -> Self {
        Self::with_key(test, id, ClientKey::es256("1")).await
    }

    pub(crate) async fn with_key(test: &TestApp, id: &str, key: ClientKey) -> Self {
        let mut record = record(test, id, TokenEndpointAuthMethod::PrivateKeyJwt);
        record.jwks = Some(key.jwks());
        test.add(record, None).await;
        Self::Key(id.to_owned(), key)
    }

    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Public(id) | Self::Basic(id, _) | Self::Post(id, _) | Self::Key(id, _) => id,
        }
    }

    /// Posts a form as this client.
    pub(crate) async fn ask(&self, test: &TestApp, path: &str, form: &[(&str, &str)]) -> Reply {
        let mut form = form.to_vec();
        let mut request = Request::post(path);
        let assertion;
        match self {
            Self::Public(id) => form.push(("client_id", id)),
            Self::Basic(id, secret) => request = request.header(AUTHORIZATION, basic(id, secret)),
            Self::Post(id, secret) => {
                form.extend([("client_id", id.as_str()), ("client_secret", secret)])
            }
            Self::Key(id, key) => {
                let jti = JTI.fetch_add(1, Ordering::Relaxed).to_string();
                let issuer = test.app.settings.issuer.as_str();
                assertion = key.assertion(id, issuer, test.clock.now().seconds(), &jti);
                form.extend([
                    ("client_assertion_type", JWT_BEARER),
                    ("client_assertion", &assertion),
                ]);
            }
        }
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let request = request
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body));
        send(test, request.expect("a legal request")).await
    }

    /// A token for itself.
    pub(crate) async fn own_token(&self, test: &TestApp) -> Reply {
        let form = [("grant_type", "client_credentials")];
        self.ask(test, "/oauth/token", &form).await
    }
}

/// RFC 6749 §2.3.1: form-encoded, then Base64.
pub(crate) fn basic(id: &str, secret: &str) -> String {
    let encode =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", encode(id), encode(secret)))
    )
}
