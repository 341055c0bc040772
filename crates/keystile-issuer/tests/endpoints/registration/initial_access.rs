//! Initial access tokens (RFC 7591 §3).

use std::time::Duration;

use keystile_domain::decide::register::RegistrationMode;
use keystile_domain::ports::{Clock as _, Registrations as _};
use keystile_testkit::issuer::TestApp;

use super::{LOOPBACK, REGISTER, STRANGER, in_mode, public, token, with_token};
use crate::{get, json as read, post_json, refused};

#[tokio::test]
async fn with_initial_access_tokens_nobody_registers_without_one() {
    let test = in_mode(RegistrationMode::InitialAccessToken);
    let metadata = read(&get(&test, "/.well-known/oauth-authorization-server").await);
    assert!(metadata["registration_endpoint"].is_string());
    let reply = post_json(&test, REGISTER, public(LOOPBACK)).await;
    assert_eq!(refused(&reply), (401, "invalid_token".to_owned()));
    assert!(reply.header("www-authenticate").starts_with("Bearer "));
    assert!(
        reply
            .body
            .contains("keystile client initial-access-token add"),
        "{}",
        reply.body
    );
    for other in ["ksi_wrong", "eyJhbGciOiJub25lIn0.e30.", ""] {
        let reply = with_token(&test, other, &public(LOOPBACK)).await;
        assert_eq!(
            refused(&reply),
            (401, "invalid_token".to_owned()),
            "{other}"
        );
    }
    let (good, _) = token(&test, 1).await;
    let reply = with_token(&test, &good, &public(STRANGER)).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
}

/// Guesses are limited; that they were is on record once, and not for each.
#[tokio::test]
async fn too_many_wrong_tokens_are_on_record_once_a_minute() {
    let test = TestApp::new();
    let wrong = "ksi_wrong";
    for _ in 0..30 {
        let reply = with_token(&test, wrong, &public(STRANGER)).await;
        assert!(
            [401, 429].contains(&reply.status.as_u16()),
            "{}",
            reply.body
        );
    }
    let unusable = vec!["registration deny initial_access_token_unknown"; 10];
    let limited = vec!["registration deny too_many_requests"];
    assert_eq!(test.audit.summary(), [unusable, limited].concat());
}

#[tokio::test]
async fn a_token_is_good_until_it_is_old_or_revoked_and_is_spent_by_nothing_else() {
    let test = TestApp::new();
    let (good, id) = token(&test, 1).await;
    // What is refused for another reason costs no use.
    for bad in ["http://evil.example/cb", "https://good@evil.example/cb"] {
        let reply = with_token(&test, &good, &public(bad)).await;
        assert_eq!(refused(&reply), (400, "invalid_redirect_uri".to_owned()));
    }
    let long = format!("https://app.example/{}", "x".repeat(1_100));
    let reply = with_token(&test, &good, &public(&long)).await;
    assert_eq!(refused(&reply), (400, "invalid_client_metadata".to_owned()));
    assert_eq!(test.store.tokens().await.expect("memory")[0].used, 0);
    let now = test.clock.now();
    test.store.revoke_token(id, now).await.expect("memory");
    let reply = with_token(&test, &good, &public(STRANGER)).await;
    assert_eq!(reply.status, 401);
    let (old, _) = token(&test, 1).await;
    test.clock.advance(Duration::from_secs(61));
    let reply = with_token(&test, &old, &public(STRANGER)).await;
    assert_eq!(reply.status, 401);
    // A full disk lets nobody in.
    let (fresh, _) = token(&test, 1).await;
    test.audit.fill_up();
    let reply = with_token(&test, &fresh, &public(STRANGER)).await;
    assert_eq!(refused(&reply), (500, "server_error".to_owned()));
}

#[tokio::test]
async fn a_bearer_token_of_another_kind_is_no_initial_access_token() {
    let test = TestApp::new();
    let reply = with_token(&test, "eyJhbGciOiJub25lIn0.e30.", &public(LOOPBACK)).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let reply = with_token(&test, "anything", &public(STRANGER)).await;
    assert_eq!(refused(&reply), (400, "invalid_redirect_uri".to_owned()));
}

#[tokio::test]
async fn wrong_tokens_are_limited_and_right_ones_are_not() {
    let test = TestApp::new();
    let (good, _) = token(&test, 100).await;
    for _ in 0..50 {
        let reply = with_token(&test, &good, &public(STRANGER)).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
    }
    let mut trail = 0;
    for _ in 0..30 {
        let reply = with_token(&test, "ksi_wrong", &public(STRANGER)).await;
        trail += u32::from(reply.status == 401);
    }
    assert_eq!(trail, 10, "the trail of strangers is bounded");
    let reply = with_token(&test, "ksi_wrong", &public(STRANGER)).await;
    assert_eq!(refused(&reply), (429, "temporarily_unavailable".to_owned()));
    assert_eq!(reply.header("retry-after"), "30");
}
