use std::time::Duration;

use keystile_testkit::browser::Reply;
use keystile_testkit::issuer::TestApp;

use crate::connecting::{Connecting, text};
use crate::{LOOPBACK, changed, get, post_form, refused};

/// Gives a token back.
async fn revoke(test: &TestApp, client: &str, token: &str) -> Reply {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("client_id", client), ("token", token)])
        .finish();
    post_form(test, "/oauth/revoke", form).await
}

#[tokio::test]
async fn a_client_ends_its_connection_with_either_token() {
    let mut connecting = Connecting::new().await;
    for kind in ["access_token", "refresh_token"] {
        let tokens = connecting.tokens().await;
        let reply = revoke(&connecting.test, &connecting.client, text(&tokens, kind)).await;
        assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, ""));
        assert_eq!(
            connecting.revoked_why(&tokens).await.as_deref(),
            Some("by_client")
        );
        let reply = connecting
            .refresh(text(&tokens, "refresh_token"), &[])
            .await;
        assert_eq!(refused(&reply), (400, "invalid_grant".to_owned()));
        let again = revoke(&connecting.test, &connecting.client, text(&tokens, kind)).await;
        assert_eq!(again.status, 200, "RFC 7009 section 2.2");
    }
    let summary = connecting.test.audit.summary();
    assert_eq!(
        summary
            .iter()
            .filter(|line| *line == "grant allow by_client")
            .count(),
        2
    );
}

#[tokio::test]
async fn an_older_refresh_token_ends_the_connection_too() {
    let mut connecting = Connecting::new().await;
    let tokens = connecting.tokens().await;
    let old = text(&tokens, "refresh_token");
    assert_eq!(connecting.refresh(old, &[]).await.status, 200);
    assert_eq!(
        revoke(&connecting.test, &connecting.client, old)
            .await
            .status,
        200
    );
    assert_eq!(
        connecting.revoked_why(&tokens).await.as_deref(),
        Some("by_client")
    );
}

#[tokio::test]
async fn a_024_a_client_ends_only_its_own() {
    let mut connecting = Connecting::new().await;
    let stranger = connecting
        .test
        .register("Stranger", &["http://127.0.0.1:9/cb"])
        .await;
    let tokens = connecting.tokens().await;
    for kind in ["access_token", "refresh_token"] {
        let reply = revoke(&connecting.test, &stranger, text(&tokens, kind)).await;
        assert_eq!(
            (reply.status.as_u16(), reply.body.as_str()),
            (200, ""),
            "{kind}"
        );
    }
    assert_eq!(connecting.revoked_why(&tokens).await, None);
    assert_eq!(
        connecting
            .refresh(text(&tokens, "refresh_token"), &[])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_token_that_is_not_ours_is_no_error() {
    let mut connecting = Connecting::new().await;
    let tokens = connecting.tokens().await;
    let access = text(&tokens, "access_token");
    let refresh = text(&tokens, "refresh_token");
    let elsewhere = Connecting::new().await.tokens().await;
    for token in [
        "nothing",
        "ksr_nothing",
        "a.b.c",
        &access[..access.len() - 1],
        &refresh[..refresh.len() - 1],
        text(&elsewhere, "access_token"),
    ] {
        let reply = revoke(&connecting.test, &connecting.client, token).await;
        assert_eq!(
            (reply.status.as_u16(), reply.body.as_str()),
            (200, ""),
            "{token}"
        );
    }
    connecting.test.clock.advance(Duration::from_secs(3600));
    assert_eq!(
        revoke(&connecting.test, &connecting.client, access)
            .await
            .status,
        200,
        "expired"
    );
    assert_eq!(connecting.revoked_why(&tokens).await, None);
}

#[tokio::test]
async fn a_request_that_is_no_revocation_is_refused() {
    let test = TestApp::new();
    let client = test
        .register("MCP Inspector", &["http://127.0.0.1:1/cb"])
        .await;
    let ask = async |form: String| refused(&post_form(&test, "/oauth/revoke", form).await);
    assert_eq!(
        ask(format!("client_id={client}")).await,
        (400, "invalid_request".to_owned())
    );
    assert_eq!(
        ask(format!("client_id={client}&token=")).await.1,
        "invalid_request"
    );
    assert_eq!(
        ask("token=x".to_owned()).await,
        (401, "invalid_client".to_owned())
    );
    assert_eq!(
        ask("client_id=nobody&token=x".to_owned()).await.1,
        "invalid_client"
    );
    assert_eq!(
        ask("client_id=a&token=x&token=y".to_owned()).await.1,
        "invalid_request"
    );
    assert_eq!(get(&test, "/oauth/revoke").await.status, 405);
}

#[tokio::test]
async fn a_refused_revocation_or_introspection_says_whose_it_was() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    for (path, token, status) in [
        ("/oauth/revoke", None, (400, "invalid_request")),
        ("/oauth/introspect", Some("any"), (401, "invalid_client")),
    ] {
        let form = changed(&[("client_id", "notes")], &[("token", token)]);
        let reply = post_form(&test, path, form).await;
        assert_eq!(refused(&reply), (status.0, status.1.to_owned()), "{path}");
        let attempt = crate::attempt(&test, &reply);
        assert_eq!(attempt.client.as_deref(), Some("Notes (notes)"), "{path}");
    }
}
