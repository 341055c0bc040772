//! `grant_type=authorization_code`

use std::time::Duration;

use futures_util::future::join_all;
use keystile_domain::ports::Clock as _;

use crate::connecting::{Connecting, text};
use crate::{LOOPBACK, json, refused};

fn invalid_grant() -> (u16, String) {
    (400, "invalid_grant".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn n_as_21_a_code_is_good_once_and_its_replay_ends_what_it_made() {
    let mut connecting = Connecting::new().await;
    let code = connecting.code(&[]).await;
    let connecting = std::sync::Arc::new(connecting);
    let all = (0..100).map(|_| {
        let (connecting, code) = (connecting.clone(), code.clone());
        tokio::spawn(async move { connecting.redeem(&code, &[]).await })
    });
    let replies: Vec<_> = join_all(all)
        .await
        .into_iter()
        .map(|reply| reply.expect("no panic"))
        .collect();
    let (good, bad): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!((good.len(), bad.len()), (1, 99));
    for reply in bad {
        assert_eq!(refused(reply), invalid_grant());
    }
    // Ninety-nine replays: what the first one made is dead.
    let tokens = json(good[0]);
    assert_eq!(
        connecting.revoked_why(&tokens).await.as_deref(),
        Some("code_reused")
    );
    let reply = connecting
        .refresh(text(&tokens, "refresh_token"), &[])
        .await;
    assert_eq!(refused(&reply), invalid_grant());
    assert!(
        connecting
            .test
            .audit
            .summary()
            .contains(&"grant deny code_reused".to_owned())
    );
}

#[tokio::test]
async fn n_as_21_a_stranger_ends_and_spends_nothing() {
    let mut connecting = Connecting::new().await;
    let stranger = connecting
        .test
        .register("Stranger", &["http://127.0.0.1:9/cb"])
        .await;
    let code = connecting.code(&[]).await;
    let wrong = [
        ("client_id", Some(stranger.as_str())),
        ("redirect_uri", Some("http://127.0.0.1:6275/callback")),
        ("redirect_uri", Some("http://127.0.0.1:6274/callback/")),
        (
            "code_verifier",
            Some("0123456789012345678901234567890123456789012"),
        ),
        ("code", Some(&code[..code.len() - 1])),
        ("code", Some("ksc_forged")),
    ];
    for change in wrong {
        let reply = connecting.redeem(&code, &[change]).await;
        assert_eq!(refused(&reply), invalid_grant(), "before: {change:?}");
    }
    let reply = connecting.redeem(&code, &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let tokens = json(&reply);
    for change in wrong {
        let reply = connecting.redeem(&code, &[change]).await;
        assert_eq!(refused(&reply), invalid_grant(), "after: {change:?}");
    }
    assert_eq!(connecting.revoked_why(&tokens).await, None);
    let denied = |line: &String| line.strip_prefix("token deny ").map(str::to_owned);
    let mut denials: Vec<String> = connecting
        .test
        .audit
        .summary()
        .iter()
        .filter_map(denied)
        .collect();
    denials.sort();
    denials.dedup();
    let expected = [
        "code_challenge_not_met",
        "code_of_another_client",
        "code_of_another_redirect_uri",
        "code_reused_wrongly",
    ];
    assert_eq!(
        denials, expected,
        "and nothing about codes that nobody made"
    );
    assert_eq!(
        connecting
            .refresh(text(&tokens, "refresh_token"), &[])
            .await
            .status,
        200
    );
    assert_eq!(
        refused(&connecting.redeem(&code, &[]).await),
        invalid_grant()
    );
    assert_eq!(
        connecting.revoked_why(&tokens).await.as_deref(),
        Some("code_reused")
    );
}

#[tokio::test]
async fn a_code_lives_for_sixty_seconds() {
    let mut connecting = Connecting::new().await;
    for (seconds, good) in [(59, true), (60, false)] {
        let code = connecting.code(&[]).await;
        connecting.test.clock.advance(Duration::from_secs(seconds));
        let reply = connecting.redeem(&code, &[]).await;
        assert_eq!(reply.status == 200, good, "{seconds}: {}", reply.body);
    }
}

#[tokio::test]
async fn oauth_2_1_clients_need_not_repeat_the_redirect_uri() {
    let mut connecting = Connecting::new().await;
    let code = connecting.code(&[]).await;
    assert_eq!(
        connecting
            .redeem(&code, &[("redirect_uri", None)])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn the_redirect_uri_is_the_one_with_the_port_that_came() {
    let mut connecting = Connecting::new().await;
    let other_port = LOOPBACK.replace("6274", "50001");
    let code = connecting
        .code(&[("redirect_uri", Some(&other_port))])
        .await;
    assert_eq!(
        refused(&connecting.redeem(&code, &[]).await),
        invalid_grant()
    );
    let reply = connecting
        .redeem(&code, &[("redirect_uri", Some(&other_port))])
        .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test]
async fn a_person_who_was_disabled_meanwhile_gets_no_token() {
    let mut connecting = Connecting::new().await;
    let code = connecting.code(&[]).await;
    let people = &connecting.test.app.people;
    let alice = people
        .find_by_name("alice")
        .await
        .expect("memory")
        .expect("alice");
    connecting
        .test
        .store
        .disable(alice.id, connecting.test.clock.now());
    assert_eq!(
        refused(&connecting.redeem(&code, &[]).await),
        invalid_grant()
    );
}

#[tokio::test]
async fn without_an_audit_trail_there_is_no_token() {
    let mut connecting = Connecting::new().await;
    let code = connecting.code(&[]).await;
    connecting.test.audit.fill_up();
    let reply = connecting.redeem(&code, &[]).await;
    assert_eq!(refused(&reply), (500, "server_error".to_owned()));
    assert!(!reply.body.contains("disk"), "{}", reply.body);
}

#[tokio::test]
async fn n_as_29_the_answer_says_which_scopes_were_granted() {
    let mut connecting = Connecting::new().await;
    for (asked, granted) in [
        (None, "knowledge-base:call"),
        (
            Some("knowledge-base:call openid profile"),
            "knowledge-base:call",
        ),
        (Some("offline_access"), "knowledge-base:call offline_access"),
        (
            Some("offline_access knowledge-base:call"),
            "knowledge-base:call offline_access",
        ),
        (
            Some("knowledge-base:read knowledge-base:call"),
            "knowledge-base:call",
        ),
        (Some("knowledge-base:read git:call"), "knowledge-base:read"),
    ] {
        let code = connecting.code(&[("scope", asked)]).await;
        let tokens = json(&connecting.redeem(&code, &[]).await);
        assert_eq!(text(&tokens, "scope"), granted);
    }
}
