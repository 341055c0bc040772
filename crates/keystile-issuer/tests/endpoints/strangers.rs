//! Codes and refresh tokens in the hands of another client: three kinds of owners, each with strangers
//! of every kind.

use keystile_testkit::issuer::{TestApp, VERIFIER};

use crate::connecting::{Connecting, text};
use crate::knocking::Knocker;
use crate::{LOOPBACK, json, refused};

async fn clients(test: &TestApp) -> [Knocker; 4] {
    [
        Knocker::public(test, "public").await,
        Knocker::post(test, "post").await,
        Knocker::key(test, "key").await,
        Knocker::basic(test, "basic").await,
    ]
}

fn redemption(code: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", LOOPBACK),
        ("code_verifier", VERIFIER),
    ]
}

#[tokio::test]
async fn a_017_no_other_client_of_any_kind_can_redeem_a_code() {
    let mut connecting = Connecting::new().await;
    let clients = clients(&connecting.test).await;
    for owner in &clients {
        connecting.client = owner.id().to_owned();
        let code = connecting.code(&[]).await;
        let redeem = redemption(&code);
        for stranger in clients.iter().filter(|other| other.id() != owner.id()) {
            let reply = stranger
                .ask(&connecting.test, "/oauth/token", &redeem)
                .await;
            let wrong = (400, "invalid_grant".to_owned());
            assert_eq!(
                refused(&reply),
                wrong,
                "{} for {}",
                stranger.id(),
                owner.id()
            );
        }
        let reply = owner.ask(&connecting.test, "/oauth/token", &redeem).await;
        assert_eq!(reply.status, 200, "{}: {}", owner.id(), reply.body);
    }
}

#[tokio::test]
async fn a_018_no_other_client_of_any_kind_can_spend_a_refresh_token() {
    let mut connecting = Connecting::new().await;
    let clients = clients(&connecting.test).await;
    for owner in &clients {
        connecting.client = owner.id().to_owned();
        let code = connecting.code(&[]).await;
        let redeem = redemption(&code);
        let reply = owner.ask(&connecting.test, "/oauth/token", &redeem).await;
        let mut tokens = json(&reply);
        for stranger in clients.iter().filter(|other| other.id() != owner.id()) {
            let token = text(&tokens, "refresh_token").to_owned();
            let refresh = [
                ("grant_type", "refresh_token"),
                ("refresh_token", token.as_str()),
            ];
            let reply = stranger
                .ask(&connecting.test, "/oauth/token", &refresh)
                .await;
            let wrong = (400, "invalid_grant".to_owned());
            assert_eq!(
                refused(&reply),
                wrong,
                "{} for {}",
                stranger.id(),
                owner.id()
            );
            let reply = owner.ask(&connecting.test, "/oauth/token", &refresh).await;
            assert_eq!(reply.status, 200, "{}: {}", owner.id(), reply.body);
            tokens = json(&reply);
        }
    }
}
