//! `grant_type=refresh_token`

use std::time::Duration;

use keystile_protocol::resource::ResourceTable;
use keystile_testkit::issuer::TestApp;

use crate::connecting::{Connecting, claims, text};
use crate::{json, refused};

fn refused_as(code: &str) -> (u16, String) {
    (400, code.to_owned())
}

#[tokio::test]
async fn n_as_26_a_refresh_token_is_replaced_and_its_late_replay_ends_the_family() {
    let mut connecting = Connecting::new().await;
    let first = connecting.tokens().await;
    let one = text(&first, "refresh_token");
    let second = json(&connecting.refresh(one, &[]).await);
    let two = text(&second, "refresh_token");
    assert_ne!(one, two);
    assert_ne!(text(&first, "access_token"), text(&second, "access_token"));

    // A lost answer: however late, the same successor.
    connecting
        .test
        .clock
        .advance(Duration::from_secs(3 * 24 * 3600));
    let again = json(&connecting.refresh(one, &[]).await);
    assert_eq!(text(&again, "refresh_token"), two);

    // Once the successor was shown, the old one is good for half a minute.
    let third = json(&connecting.refresh(two, &[]).await);
    connecting.test.clock.advance(Duration::from_secs(30));
    let beside = json(&connecting.refresh(one, &[]).await);
    assert_eq!(text(&beside, "refresh_token"), two);
    connecting.test.clock.advance(Duration::from_millis(1));
    let late = connecting.refresh(one, &[]).await;
    assert_eq!(refused(&late), refused_as("invalid_grant"));
    let told = crate::told(&connecting.test, &late).found;
    let grant = connecting.grants().await[0].id;
    let whose = format!("Refresh token 1 of the connection {grant} of alice with ");
    assert!(told.starts_with(&whose), "{told}");
    assert!(told.contains("the newest that came is 2."), "{told}");
    assert!(!late.body.contains("alice") && !late.body.contains("too late"));
    assert_eq!(
        connecting.revoked_why(&first).await.as_deref(),
        Some("refresh_token_reused")
    );
    for dead in [one, two, text(&third, "refresh_token")] {
        assert_eq!(
            refused(&connecting.refresh(dead, &[]).await),
            refused_as("invalid_grant")
        );
    }
    let summary = connecting.test.audit.summary();
    assert_eq!(
        summary
            .iter()
            .filter(|line| *line == "grant deny refresh_token_reused")
            .count(),
        1
    );
}

#[tokio::test]
async fn a_strangers_refresh_changes_nothing() {
    let mut connecting = Connecting::new().await;
    let stranger = connecting
        .test
        .register("Stranger", &["http://127.0.0.1:9/cb"])
        .await;
    let tokens = connecting.tokens().await;
    let token = text(&tokens, "refresh_token");
    let before = connecting.grants().await;
    for change in [
        ("client_id", Some(stranger.as_str())),
        ("refresh_token", Some(&token[..token.len() - 1])),
        ("refresh_token", Some("ksr_forged")),
        ("refresh_token", Some(text(&tokens, "access_token"))),
    ] {
        for scope in [None, Some("knowledge-base:call")] {
            let reply = connecting.refresh(token, &[change, ("scope", scope)]).await;
            assert_eq!(refused(&reply), refused_as("invalid_grant"), "{change:?}");
        }
    }
    assert_eq!(connecting.grants().await, before);
    let next = json(&connecting.refresh(token, &[]).await);
    let reply = connecting.refresh(text(&next, "refresh_token"), &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test]
async fn a_wider_scope_is_refused_and_spends_nothing() {
    let mut connecting = Connecting::new().await;
    let code = connecting
        .code(&[("scope", Some("knowledge-base:call"))])
        .await;
    let tokens = json(&connecting.redeem(&code, &[]).await);
    let token = text(&tokens, "refresh_token");
    let before = connecting.grants().await;
    for wider in [
        "knowledge-base:call offline_access",
        "git:call",
        "openid",
        " ",
    ] {
        let reply = connecting.refresh(token, &[("scope", Some(wider))]).await;
        assert_eq!(refused(&reply), refused_as("invalid_scope"), "{wider}");
    }
    assert_eq!(connecting.grants().await, before);
    assert_eq!(connecting.refresh(token, &[]).await.status, 200);
}

#[tokio::test]
async fn a_narrower_scope_is_for_one_access_token_only() {
    let mut connecting = Connecting::new().await;
    let both = "knowledge-base:call offline_access";
    let code = connecting.code(&[("scope", Some(both))]).await;
    let tokens = json(&connecting.redeem(&code, &[]).await);
    let narrow = [("scope", Some("offline_access"))];
    let narrow = json(
        &connecting
            .refresh(text(&tokens, "refresh_token"), &narrow)
            .await,
    );
    assert_eq!(text(&narrow, "scope"), "offline_access");
    assert_eq!(
        claims(&narrow)["scope"],
        "",
        "resource servers never see it"
    );
    let wide = json(
        &connecting
            .refresh(text(&narrow, "refresh_token"), &[])
            .await,
    );
    assert_eq!(text(&wide, "scope"), both);
}

#[tokio::test]
async fn n_as_29_a_refresh_may_ask_for_a_scope_that_the_granted_one_contains() {
    let mut connecting = Connecting::new().await;
    let (call, read) = ("knowledge-base:call", "knowledge-base:read");
    let code = connecting.code(&[("scope", Some(call))]).await;
    let tokens = json(&connecting.redeem(&code, &[]).await);
    let refresh = async |connecting: &mut Connecting, tokens: &serde_json::Value, scope| {
        let changes = [("scope", scope)];
        let reply = connecting
            .refresh(text(tokens, "refresh_token"), &changes)
            .await;
        json(&reply)
    };
    let less = refresh(&mut connecting, &tokens, Some(read)).await;
    assert_eq!(text(&less, "scope"), read);
    assert_eq!(claims(&less)["scope"], read);
    let both = format!("{read} {call}");
    let same = refresh(&mut connecting, &less, Some(&both)).await;
    assert_eq!(text(&same, "scope"), call, "said once");

    // Never the other way round: what was granted is all there is.
    let code = connecting.code(&[("scope", Some(read))]).await;
    let tokens = json(&connecting.redeem(&code, &[]).await);
    let wider = [("scope", Some(call))];
    let reply = connecting.refresh(text(&tokens, "refresh_token"), &wider);
    assert_eq!(refused(&reply.await), refused_as("invalid_scope"));
    let same = refresh(&mut connecting, &tokens, None).await;
    assert_eq!(text(&same, "scope"), read);
}

#[tokio::test]
async fn a_connection_that_nobody_used_for_long_has_ended() {
    let mut connecting = Connecting::new().await;
    let tokens = connecting.tokens().await;
    let idle = connecting.test.app.settings.grant_idle;
    connecting.test.clock.advance(idle - Duration::from_secs(1));
    let tokens = json(
        &connecting
            .refresh(text(&tokens, "refresh_token"), &[])
            .await,
    );
    connecting.test.clock.advance(idle - Duration::from_secs(1));
    let tokens = json(
        &connecting
            .refresh(text(&tokens, "refresh_token"), &[])
            .await,
    );
    connecting.test.clock.advance(idle);
    let reply = connecting
        .refresh(text(&tokens, "refresh_token"), &[])
        .await;
    assert_eq!(refused(&reply), refused_as("invalid_grant"));
}

/// Whatever else is wrong with the request, who showed somebody else's token is on record; and an app
/// that keeps trying does not fill the disk.
#[tokio::test]
async fn a_foreign_presenter_is_on_record_once_a_minute() {
    let mut connecting = Connecting::new().await;
    let redirect = ["http://127.0.0.1:9/cb"];
    let stranger = connecting.test.register("Stranger", &redirect).await;
    let tokens = connecting.tokens().await;
    let token = text(&tokens, "refresh_token");
    let before = connecting.test.audit.summary().len();
    let told = || connecting.test.audit.summary().split_off(before);
    let line = "token deny refresh_token_of_another_client";
    let show = async |scope| {
        let changes = [("client_id", Some(stranger.as_str())), ("scope", scope)];
        let reply = connecting.refresh(token, &changes).await;
        assert_eq!(refused(&reply), refused_as("invalid_grant"), "{scope:?}");
    };
    for scope in [Some("git:call"), Some("knowledge-base:call"), None] {
        for _ in 0..10 {
            show(scope).await;
        }
    }
    assert_eq!(told(), [line]);
    connecting.test.clock.advance(Duration::from_secs(60));
    show(Some("git:call")).await;
    assert_eq!(told(), [line, line]);
}

#[tokio::test]
async fn what_is_served_no_more_gets_no_tokens_and_loses_nothing() {
    let mut connecting = Connecting::new().await;
    let tokens = connecting.tokens().await;
    let token = text(&tokens, "refresh_token");
    // The same installation, started under another name.
    let before = &connecting.test.app;
    let (grants, people) = (before.grants.clone(), before.people.clone());
    let (secrets, issuer) = (before.secrets.clone(), before.settings.issuer.clone());
    let renamed = TestApp::new().with(|app| {
        (app.grants, app.people, app.secrets) = (grants, people, secrets);
        app.settings.resources = ResourceTable::new(&issuer, &["other".to_owned()]);
    });
    let audit = renamed.audit.clone();
    let served = std::mem::replace(&mut connecting.test, renamed);
    for _ in 0..2 {
        let reply = connecting.refresh(token, &[]).await;
        assert_eq!(refused(&reply), refused_as("invalid_grant"));
        assert!(
            reply.body.contains("not served here any more"),
            "{}",
            reply.body
        );
    }
    let once_a_minute = ["token deny grant_resource_not_served"];
    assert_eq!(audit.summary(), once_a_minute);
    connecting.test = served;
    let next = json(&connecting.refresh(token, &[]).await);
    let reply = connecting.refresh(text(&next, "refresh_token"), &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}
