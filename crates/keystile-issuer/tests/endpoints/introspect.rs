//! `POST /oauth/introspect` (RFC 7662).

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use keystile_domain::ports::{Clients, Clock as _, Revocations, Standing, TokenFacts};
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_testkit::issuer::TestApp;
use serde_json::{Value, json};

use crate::connecting::{Connecting, claims, text};
use crate::knocking::{Knocker, record};
use crate::{OTHER_RESOURCE, RESOURCE, json as body, refused};

async fn about(client: &Knocker, test: &TestApp, token: &str) -> Value {
    let reply = client
        .ask(test, "/oauth/introspect", &[("token", token)])
        .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.header("cache-control"), "no-store");
    body(&reply)
}

fn nothing() -> Value {
    json!({"active": false})
}

/// A client that serves this resource, and asks only.
async fn server(test: &TestApp, id: &str, resource: &str) -> Knocker {
    let mut record = record(test, id, TokenEndpointAuthMethod::ClientSecretPost);
    record.introspects = Some(resource.to_owned());
    test.add(record, Some("ksx_server")).await;
    Knocker::Post(id.to_owned(), "ksx_server".to_owned())
}

#[tokio::test]
async fn a_024_a_token_is_explained_to_its_client_and_its_resource_server_only() {
    let mut connecting = Connecting::new().await;
    let tokens = connecting.tokens().await;
    let test = &connecting.test;
    let server_of_it = server(test, "server", &format!("{RESOURCE}/")).await;
    let other_server = server(test, "other-server", OTHER_RESOURCE).await;
    let owner = Knocker::basic(test, "owner").await;
    let strangers = [
        Knocker::basic(test, "a").await,
        Knocker::post(test, "b").await,
        Knocker::key(test, "c").await,
    ];
    let access = text(&tokens, "access_token");
    let said = about(&server_of_it, test, access).await;
    let claims = claims(&tokens);
    for member in ["sub", "aud", "iss", "client_id", "exp", "iat", "jti"] {
        assert_eq!(said[member], claims[member], "{member}");
    }
    // Whoever asks does not know which scope contains which.
    assert_eq!(claims["scope"], "knowledge-base:call");
    assert_eq!(said["scope"], "knowledge-base:call knowledge-base:read");
    assert_eq!(
        (&said["active"], &said["token_type"]),
        (&json!(true), &json!("Bearer"))
    );
    let refresh = text(&tokens, "refresh_token");
    assert_eq!(
        about(&server_of_it, test, refresh).await,
        nothing(),
        "not its business"
    );
    let own = body(&owner.own_token(test).await);
    let own = text(&own, "access_token");
    assert_eq!(about(&owner, test, own).await["sub"], "client:owner");
    for stranger in strangers.iter().chain([&other_server]) {
        for token in [access, refresh, own, "nonsense", ""] {
            if token.is_empty() {
                continue;
            }
            assert_eq!(
                about(stranger, test, token).await,
                nothing(),
                "{}",
                stranger.id()
            );
        }
    }
    // Revoking is no better for strangers; the owner ends what it holds.
    for stranger in &strangers {
        let reply = stranger.ask(test, "/oauth/revoke", &[("token", own)]).await;
        assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, ""));
        assert_eq!(about(&owner, test, own).await["active"], true);
    }
    let reply = owner.ask(test, "/oauth/revoke", &[("token", own)]).await;
    assert_eq!(reply.status, 200);
    assert_eq!(about(&owner, test, own).await, nothing());
}

#[tokio::test]
async fn who_only_says_who_it_is_learns_nothing() {
    let test = TestApp::new();
    let public = Knocker::public(&test, "public").await;
    let reply = public
        .ask(&test, "/oauth/introspect", &[("token", "x")])
        .await;
    assert_eq!(refused(&reply), (401, "invalid_client".to_owned()));
    let secret = Knocker::basic(&test, "secret").await;
    let reply = secret.ask(&test, "/oauth/introspect", &[]).await;
    assert_eq!(refused(&reply), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn a_dead_token_is_not_active() {
    let mut connecting = Connecting::new().await;
    let secret = Knocker::post(&connecting.test, "app").await;
    connecting.client = "app".to_owned();
    let shown = [("client_secret", Some("ksx_app"))];
    let code = connecting.code(&[]).await;
    let tokens = body(&connecting.redeem(&code, &shown).await);
    let (access, first) = (
        text(&tokens, "access_token"),
        text(&tokens, "refresh_token"),
    );
    let next = body(&connecting.refresh(first, &shown).await);
    let second = text(&next, "refresh_token");
    let third = body(&connecting.refresh(second, &shown).await);
    let third = text(&third, "refresh_token");
    let test = &connecting.test;
    // As long as a refresh with it would be answered: two may run beside each other.
    for token in [first, second, third, access] {
        assert_eq!(about(&secret, test, token).await["active"], true);
    }
    test.clock.advance(Duration::from_secs(31));
    assert_eq!(
        about(&secret, test, first).await,
        nothing(),
        "spent for good"
    );
    for token in [second, third, access] {
        assert_eq!(about(&secret, test, token).await["active"], true);
    }
    assert_eq!(
        about(&secret, test, third).await["token_type"],
        "refresh_token"
    );
    test.clock.advance(Duration::from_secs(601));
    assert_eq!(about(&secret, test, access).await, nothing(), "expired");
    let now = test.clock.now();
    Clients::disable(&*test.store, "app", now)
        .await
        .expect("memory");
    let reply = secret
        .ask(test, "/oauth/introspect", &[("token", third)])
        .await;
    assert_eq!(refused(&reply), (401, "invalid_client".to_owned()));
    Clients::enable(&*test.store, "app").await.expect("memory");
    assert_eq!(about(&secret, test, third).await["active"], true);
    let grant = connecting.grants().await.remove(0).id;
    keystile_domain::ports::Grants::revoke(&*test.store, grant, "by_person", now)
        .await
        .expect("memory");
    assert_eq!(about(&secret, test, third).await, nothing(), "revoked");
}

/// CHECKLIST R3: what is not known is not good.
#[tokio::test]
async fn a_token_whose_revocation_is_not_known_is_not_said_to_be_good() {
    struct Stale;
    impl Revocations for Stale {
        fn standing(&self, _: &TokenFacts<'_>) -> Standing {
            Standing::Unknown
        }
        fn epoch(&self) -> u64 {
            0
        }
        fn changed_since(&self, _: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
            Box::pin(std::future::pending())
        }
    }
    let test = TestApp::new().with(|app| app.revocations = Arc::new(Stale));
    let owner = Knocker::basic(&test, "owner").await;
    let own = body(&owner.own_token(&test).await);
    let shown = [("token", text(&own, "access_token"))];
    let reply = owner.ask(&test, "/oauth/introspect", &shown).await;
    assert_eq!(refused(&reply), (500, "server_error".to_owned()));
}
