//! `resource` at the token endpoint (RFC 8707 §2.2): the audience was settled by the person's yes.

use crate::connecting::{Connecting, claims, text};
use crate::{OTHER_RESOURCE, RESOURCE, json, refused, two_servers};

fn invalid_target() -> (u16, String) {
    (400, "invalid_target".to_owned())
}

#[tokio::test]
async fn n_as_22_the_token_is_for_the_authorized_resource() {
    let mut connecting = Connecting::at(two_servers()).await;
    for resource in [RESOURCE, OTHER_RESOURCE] {
        for named in [None, Some(resource), Some(&*format!("{resource}/"))] {
            let code = connecting.code(&[("resource", Some(resource))]).await;
            let reply = connecting.redeem(&code, &[("resource", named)]).await;
            let tokens = json(&reply);
            assert_eq!(claims(&tokens)["aud"], resource, "{named:?}");
            let reply = connecting
                .refresh(text(&tokens, "refresh_token"), &[("resource", named)])
                .await;
            assert_eq!(claims(&json(&reply))["aud"], resource, "{named:?}");
        }
    }
    let code = connecting.code(&[]).await;
    let reply = connecting
        .redeem(&code, &[("resource", Some(OTHER_RESOURCE))])
        .await;
    assert_eq!(refused(&reply), invalid_target());
    let tokens = json(&connecting.redeem(&code, &[]).await);
    assert_eq!(
        claims(&tokens)["aud"],
        RESOURCE,
        "the refusal spent nothing"
    );

    let token = text(&tokens, "refresh_token");
    let before = connecting.grants().await;
    let reply = connecting
        .refresh(token, &[("resource", Some(OTHER_RESOURCE))])
        .await;
    assert_eq!(refused(&reply), invalid_target());
    assert_eq!(connecting.grants().await, before);
    let next = json(&connecting.refresh(token, &[]).await);
    let last = json(&connecting.refresh(text(&next, "refresh_token"), &[]).await);
    assert_eq!(claims(&last)["aud"], RESOURCE);
}

#[tokio::test]
async fn a_027_no_token_request_chooses_or_widens_the_audience() {
    let mut connecting = Connecting::at(two_servers()).await;
    let other = [("resource", Some(OTHER_RESOURCE))];
    let both = [
        ("resource", Some(RESOURCE)),
        ("resource", Some(OTHER_RESOURCE)),
    ];
    let reversed = [both[1], both[0]];
    let code = connecting.code(&[]).await;
    for wider in [&other[..], &both, &reversed] {
        let reply = connecting.redeem(&code, wider).await;
        assert_eq!(refused(&reply), invalid_target(), "code, {wider:?}");
    }
    let tokens = json(&connecting.redeem(&code, &[]).await);
    for wider in [&other[..], &both, &reversed] {
        let reply = connecting
            .refresh(text(&tokens, "refresh_token"), wider)
            .await;
        assert_eq!(refused(&reply), invalid_target(), "refresh, {wider:?}");
    }
    let tokens = json(
        &connecting
            .refresh(text(&tokens, "refresh_token"), &[])
            .await,
    );
    assert_eq!(claims(&tokens)["aud"], RESOURCE);
}

#[tokio::test]
async fn a_028_a_resource_that_is_not_served_here_gets_no_token() {
    let mut connecting = Connecting::new().await;
    let code = connecting.code(&[]).await;
    let strange = [
        "https://evil.example/mcp",
        OTHER_RESOURCE,
        "http://localhost:7717/Knowledge-Base/mcp",
        "http://localhost:7717/knowledge-base/mcp#x",
        "http://localhost:7717/knowledge-base",
    ];
    for resource in strange {
        let reply = connecting
            .redeem(&code, &[("resource", Some(resource))])
            .await;
        assert_eq!(refused(&reply), invalid_target(), "code, {resource}");
    }
    let tokens = json(&connecting.redeem(&code, &[]).await);
    for resource in strange {
        let reply = connecting
            .refresh(
                text(&tokens, "refresh_token"),
                &[("resource", Some(resource))],
            )
            .await;
        assert_eq!(refused(&reply), invalid_target(), "refresh, {resource}");
    }
    assert_eq!(
        connecting
            .refresh(text(&tokens, "refresh_token"), &[])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn other_spellings_of_the_only_resource_mean_it() {
    let mut connecting = Connecting::new().await;
    for alias in [
        "http://localhost:7717",
        "http://localhost:7717/",
        "http://localhost:7717/knowledge-base/mcp/",
    ] {
        let code = connecting.code(&[("resource", Some(alias))]).await;
        let tokens = json(&connecting.redeem(&code, &[("resource", Some(alias))]).await);
        assert_eq!(claims(&tokens)["aud"], RESOURCE, "{alias}");
    }
    let code = connecting.code(&[("resource", None)]).await;
    let tokens = json(&connecting.redeem(&code, &[]).await);
    assert_eq!(
        claims(&tokens)["aud"],
        RESOURCE,
        "a 2025-03-26 client names none"
    );
}
