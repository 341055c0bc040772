//! Codes that come twice, changed, or with a redirect that is nearly right.

use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::ids::GrantId;
use keystile_domain::secrets::code::FreshSecret;
use keystile_testkit::browser::Reply;
use keystile_testkit::issuer::TestApp;
use keystile_testkit::rng::SeededRng;

use crate::connecting::{Connecting, text};
use crate::{Changes, LOOPBACK, json, told, without_reference};

const OTHER_VERIFIER: &str = "0123456789012345678901234567890123456789012";

#[tokio::test]
async fn a_019_a_second_use_with_something_wrong_is_named_to_the_operator_alone_and_changes_nothing()
 {
    let mut connecting = Connecting::new().await;
    let stranger = connecting.test.register("Stranger", &[LOOPBACK]).await;
    let code = connecting.code(&[]).await;
    let wrong: [(Changes<'_>, &str); 7] = [
        (&[("client_id", Some(&stranger))], "code_of_another_client"),
        (&[("client_id", Some("nobody-knows-it"))], "client_unknown"),
        (
            &[("redirect_uri", Some("http://127.0.0.1:6274/callback/"))],
            "code_redirect_differs_in_slash",
        ),
        (
            &[("redirect_uri", Some("http://127.0.0.1:1/else"))],
            "code_of_another_redirect_uri",
        ),
        (
            &[("code_verifier", Some(OTHER_VERIFIER))],
            "code_challenge_not_met",
        ),
        (
            &[("code_verifier", Some("too-short"))],
            "pkce_verifier_malformed",
        ),
        (
            &[("resource", Some("https://other.example/mcp"))],
            "resource_not_served",
        ),
    ];
    let mut before = Vec::new();
    for (changes, reason) in wrong {
        let reply = connecting.redeem(&code, changes).await;
        assert_eq!(told(&connecting.test, &reply).reason, reason);
        before.push(heard(&reply));
    }
    let tokens = json(&connecting.redeem(&code, &[]).await);
    let grant = connecting.grants().await[0].id;
    for ((changes, reason), before) in wrong.into_iter().zip(before) {
        let reply = connecting.redeem(&code, changes).await;
        assert_eq!(heard(&reply), before, "a stranger hears nothing new");
        let told = told(&connecting.test, &reply);
        assert_eq!(told.reason, "code_reused_wrongly", "{told}");
        for part in ["gave its tokens before", &format!("({reason})")] {
            assert!(told.found.contains(part), "{part}: {told}");
        }
        let command = format!("keystile grant revoke {grant} ");
        assert!(told.fix.contains(&command), "{told}");
        assert!(
            !format!("{told:?}").contains(&code[..20]) && told.found.len() < 400,
            "{told:?}"
        );
    }
    assert_eq!(connecting.revoked_why(&tokens).await, None);
    let refreshed = connecting
        .refresh(text(&tokens, "refresh_token"), &[])
        .await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
    // What its own client repeats is as it was.
    let again = connecting.redeem(&code, &[]).await;
    assert_eq!(told(&connecting.test, &again).reason, "code_reused");
}

/// What the presenter can tell one answer from another by.
fn heard(reply: &Reply) -> (u16, String) {
    (reply.status.as_u16(), without_reference(&reply.body))
}

#[tokio::test]
async fn a_code_that_was_damaged_on_its_way_is_told_from_one_that_somebody_else_made() {
    let mut connecting = Connecting::new().await;
    let code = connecting.code(&[]).await;
    let grant = GrantId::from_bytes([9; 16]);
    let foreign = FreshSecret::authorization_code(grant, &SeededRng::default()).text;
    let whole = code.len();
    for (shown, reason, heard) in [
        (
            code[..whole - 3].to_owned(),
            "code_damaged",
            "has 65 characters of 68, and it was cut off",
        ),
        (
            format!("{code} "),
            "code_damaged",
            "white space stands before or behind it",
        ),
        (
            code.replacen('_', "%5F", 1),
            "code_damaged",
            "percent-encoded once too often",
        ),
        (
            format!("{code}{code}"),
            "code_damaged",
            "something else stands behind it",
        ),
        (
            "SplxlOBeZQQYbYS6WxSbIA".to_owned(),
            "code_not_ours",
            "does not begin with ksc_",
        ),
    ] {
        let reply = connecting.redeem(&code, &[("code", Some(&shown))]).await;
        let Diagnosis {
            reason: named,
            found,
            ..
        } = told(&connecting.test, &reply);
        assert_eq!(named, reason);
        assert!(
            found.contains(heard) && reply.body.contains(heard),
            "{}",
            reply.body
        );
        assert!(!found.contains(&shown[4..14]) && !reply.body.contains(&shown[4..14]));
    }
    let reply = connecting.redeem(&foreign, &[]).await;
    let unknown = told(&connecting.test, &reply);
    assert_eq!(unknown.reason, "code_unknown");
    assert!(unknown.found.contains("all 68 characters"), "{unknown}");
    assert!(unknown.fix.contains("another data directory"), "{unknown}");
    assert_eq!(connecting.redeem(&code, &[]).await.status, 200);
}

#[tokio::test]
async fn a_redirect_that_differs_in_two_things_is_named_with_both() {
    let registered = format!("{LOOPBACK}?v=planted");
    let test = TestApp::new();
    let mut connecting = Connecting::at(test).await;
    connecting.client = connecting.test.register("Query", &[&registered]).await;
    let redirect = [("redirect_uri", Some(registered.as_str()))];
    let code = connecting.code(&redirect).await;
    for (shown, reason, found) in [
        (
            format!("{LOOPBACK}/?v=planted"),
            "code_redirect_differs_in_slash",
            "it differs only in slashes at the end",
        ),
        (
            format!("{LOOPBACK}?v=other"),
            "code_redirect_differs_in_query",
            "it differs only behind the question mark",
        ),
        (
            format!("{LOOPBACK}/?v=other"),
            "code_of_another_redirect_uri",
            "in 2 things: in slashes at the end; behind the question mark",
        ),
    ] {
        let change = [("redirect_uri", Some(shown.as_str()))];
        let reply = connecting.redeem(&code, &change).await;
        let told = told(&connecting.test, &reply);
        assert_eq!(told.reason, reason, "{told}");
        assert!(told.found.contains(found), "{told}");
        let kept = format!("{told:?}");
        assert!(
            !kept.contains("planted") && !kept.contains("other\""),
            "{kept}"
        );
    }
    let reply = connecting.redeem(&code, &redirect).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test]
async fn an_address_that_nobody_can_register_is_named_with_every_difference() {
    let test = TestApp::new();
    test.add_client("web", "Web", &["https://app.example/cb"])
        .await;
    for asked in ["http://app.example/cb/", "https://app.example/cb/#x"] {
        let url = crate::authorize_url("web", &[("redirect_uri", Some(asked))]);
        let told = told(&test, &crate::get(&test, &url).await);
        assert_eq!(told.reason, "redirect_malformed");
        assert!(told.found.contains("in 2 things: in"), "{told}");
        assert!(told.found.contains("in slashes at the end"), "{told}");
        assert!(
            told.expected.contains("'https://app.example/cb'"),
            "{}",
            told.expected
        );
    }
}
