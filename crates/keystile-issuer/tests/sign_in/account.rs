use keystile_domain::ports::Grants as _;
use keystile_domain::records::GrantFilter;
use keystile_testkit::issuer::{TestApp, sign_in};

use crate::{LOOPBACK, answer, consent_page};

#[tokio::test]
async fn a_person_sees_what_is_connected_and_disconnects_it() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    assert!(
        browser
            .get("/ks/account")
            .await
            .text()
            .contains("No app is connected.")
    );
    let page = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
    answer(&mut browser, &page, "allow").await;

    let account = browser.get("/ks/account").await;
    insta::assert_snapshot!(account.text(), @r"
    Keystile
    Your account
    Sign out
    You are alice.
    Connected apps
    An app on this computer (“MCP Inspector”)
    Uses http://localhost:7717/knowledge-base/mcp
    Use every tool of knowledge-base
    Connected 2026-11-22 21:28 UTC · not renewed yet
    Disconnect
    Keystile guards who may use this server. Apps never see your password.
    ");
    let (grant, csrf) = (account.input("grant"), grant_token(&account.body));
    let fields = [("grant", grant.as_str()), ("csrf", &csrf)];
    let reply = browser.submit("/ks/account/disconnect", &fields).await;
    assert_eq!(
        reply.location(),
        Some("/ks/account?done=disconnected"),
        "{}",
        reply.text()
    );
    let after = browser.get("/ks/account?done=disconnected").await.text();
    assert!(
        after.contains("Disconnected. Its tokens no longer work."),
        "{after}"
    );
    assert!(after.contains("No app is connected."));
    assert_eq!(
        test.audit.summary().last().unwrap(),
        "grant allow disconnected_by_person"
    );
}

#[tokio::test]
async fn nobody_disconnects_what_is_anothers_or_without_the_token() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    let page = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
    answer(&mut browser, &page, "allow").await;
    let account = browser.get("/ks/account").await;
    let grant = account.input("grant");
    let (own, sign_out) = (grant_token(&account.body), account.input("csrf"));

    test.add_person("mallory", "correct horse battery").await;
    let mut mallory = test.browser();
    let fields = [
        ("username", "mallory"),
        ("password", "correct horse battery"),
    ];
    mallory.submit("/ks/sign-in", &fields).await;
    for token in [own.as_str(), &sign_out, ""] {
        let fields = [("grant", grant.as_str()), ("csrf", token)];
        assert_eq!(
            mallory
                .submit("/ks/account/disconnect", &fields)
                .await
                .status,
            403
        );
    }
    let fields = [("grant", grant.as_str()), ("csrf", sign_out.as_str())];
    assert_eq!(
        browser
            .submit("/ks/account/disconnect", &fields)
            .await
            .status,
        403
    );
    assert_eq!(
        test.store.list(GrantFilter::default()).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn signing_out_ends_the_session_for_good() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    let cookie = browser.jar()[0].value.clone();
    let csrf = browser.get("/ks/account").await.input("csrf");
    let refused = browser.submit("/ks/sign-out", &[("csrf", "forged")]).await;
    assert_eq!(refused.status, 403);
    let reply = browser
        .submit("/ks/sign-out", &[("csrf", csrf.as_str())])
        .await;
    assert_eq!(reply.location(), Some("/ks/signed-out"));
    assert!(browser.jar().is_empty());
    assert!(
        browser
            .get("/ks/signed-out")
            .await
            .text()
            .contains("You are signed out")
    );
    let mut kept = test.browser();
    kept.plant("ks_session_7717", &cookie, "/ks");
    assert_eq!(
        kept.get("/ks/account").await.location(),
        Some("/ks/sign-in")
    );
    assert_eq!(sign_in(&mut browser, "").await.status, 303);
}

/// The token in the form of the first connected app.
fn grant_token(body: &str) -> String {
    let (_, form) = body
        .split_once("name=\"grant\"")
        .expect("an app is connected");
    keystile_testkit::reading::input(form, "csrf").expect("its form has a token")
}
