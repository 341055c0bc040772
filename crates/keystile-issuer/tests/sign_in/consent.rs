mod page;

use std::time::Duration;

use keystile_domain::ports::Grants as _;
use keystile_domain::records::GrantFilter;
use keystile_testkit::issuer::{PERSON, TestApp, sign_in};
use keystile_testkit::reading::skeleton;

use crate::{LOOPBACK, SITE, answer, answer_with, consent_page};

#[tokio::test]
async fn n_as_29_a_person_may_allow_less_than_was_asked_and_no_form_more() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    let granted = async |test: &TestApp| {
        let grants = test.store.list(GrantFilter::default()).await.unwrap();
        grants
            .iter()
            .map(|grant| grant.scopes.to_string())
            .collect::<Vec<_>>()
    };
    for only in ["knowledge-base:write", "offline_access", "git:read"] {
        let page = consent_page(&test, &mut browser, "Claude", SITE).await;
        let reply = answer_with(&mut browser, &page, "allow", Some(only)).await;
        assert_eq!(reply.status, 400, "{only}");
    }
    assert!(granted(&test).await.is_empty());
    for (only, scopes) in [
        (Some("knowledge-base:read"), "knowledge-base:read"),
        (Some(""), "knowledge-base:call"),
        (None, "knowledge-base:call"),
    ] {
        let page = consent_page(&test, &mut browser, "Claude", SITE).await;
        let before = granted(&test).await;
        let reply = answer_with(&mut browser, &page, "allow", only).await;
        assert_eq!(reply.status, 303, "{}", reply.text());
        let mut new = granted(&test).await;
        for old in before {
            new.remove(new.iter().position(|scopes| *scopes == old).unwrap());
        }
        assert_eq!(new, [scopes], "{only:?}");
    }
}

#[tokio::test]
async fn n_as_31_yes_sends_code_state_and_iss_each_once_and_keeps_the_query() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    let redirect = "http://127.0.0.1:6274/cb?a=b%20c";
    let page = consent_page(&test, &mut browser, "MCP Inspector", redirect).await;
    let reply = answer(&mut browser, &page, "allow").await;
    assert_eq!(reply.status, 303);
    assert!(
        reply
            .location()
            .unwrap()
            .starts_with("http://127.0.0.1:6274/cb?a=b%20c&code=ksc_")
    );
    let params = reply.location_params();
    let names: Vec<_> = params.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a", "code", "state", "iss"]);
    assert_eq!(params[2].1, "st&te");
    assert_eq!(params[3].1, "http://localhost:7717");
}

#[tokio::test]
async fn no_sends_access_denied_with_state_and_iss_and_grants_nothing() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    let page = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
    let reply = answer(&mut browser, &page, "deny").await;
    assert_eq!(reply.status, 303);
    let params = reply.location_params();
    let names: Vec<_> = params.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["error", "error_description", "state", "iss"]);
    assert_eq!(params[0].1, "access_denied");
    assert!(params[1].1.contains("KS-"), "{}", params[1].1);
    assert!(
        test.store
            .list(GrantFilter::default())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        test.audit.summary(),
        ["sign_in allow -", "consent deny person_said_no"]
    );
}

#[tokio::test]
async fn each_request_is_answered_once() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    let page = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
    assert_eq!(answer(&mut browser, &page, "allow").await.status, 303);
    let second = answer(&mut browser, &page, "allow").await;
    assert_eq!((second.status.as_u16(), second.location()), (200, None));
    assert!(second.text().contains("You have already answered this"));
    assert_eq!(
        test.store.list(GrantFilter::default()).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_035_a_known_client_is_asked_about_again() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    let page = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
    assert_eq!(answer(&mut browser, &page, "allow").await.status, 303);
    let again = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
    assert!(
        again.text().contains("Connect this app?"),
        "{}",
        again.text()
    );
    assert_eq!(
        test.store.list(GrantFilter::default()).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_036_the_answer_needs_the_token_of_this_session_and_this_request() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    let page = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
    let other = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
    let mut stranger = test.signed_in().await;
    let strangers = stranger
        .open(&format!("/ks/consent?tx={}", page.input("tx")))
        .await;
    let (tx, own) = (page.input("tx"), page.input("csrf"));
    for token in [
        "",
        "forged",
        &other.input("csrf"),
        &strangers.input("csrf"),
        &own[1..],
    ] {
        let fields = [("tx", tx.as_str()), ("csrf", token), ("decision", "allow")];
        let reply = browser.submit("/ks/consent", &fields).await;
        assert_eq!(
            (reply.status.as_u16(), reply.location()),
            (403, None),
            "{token}"
        );
        assert!(reply.text().contains("stale_form"));
    }
    let second_tab = browser.open(&format!("/ks/consent?tx={tx}")).await;
    assert_eq!(
        second_tab.input("csrf"),
        own,
        "several renders are good at once"
    );
    assert_eq!(answer(&mut browser, &page, "allow").await.status, 303);
}

#[tokio::test]
async fn n_as_36_a_form_of_another_site_is_not_taken() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    let page = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
    let (tx, csrf) = (page.input("tx"), page.input("csrf"));
    let fields = [("tx", tx.as_str()), ("csrf", &csrf), ("decision", "allow")];
    for headers in [
        [
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
        ],
        [("origin", "null"), ("sec-fetch-site", "same-origin")],
        [
            ("origin", "http://localhost:7718"),
            ("sec-fetch-site", "same-site"),
        ],
        [
            ("origin", "http://localhost:7717"),
            ("sec-fetch-site", "cross-site"),
        ],
        [
            ("origin", "http://localhost:7717"),
            ("origin", "https://evil.example"),
        ],
    ] {
        for path in [
            "/ks/consent",
            "/ks/sign-in",
            "/ks/setup",
            "/ks/sign-out",
            "/ks/account/disconnect",
        ] {
            let reply = browser.post(path, &headers, &fields).await;
            assert_eq!(reply.status, 403, "{path} {headers:?}");
            assert!(reply.text().contains("cross_site_form"));
            assert!(reply.text().contains("KS-"), "{}", reply.text());
            assert!(reply.set_cookies().is_empty());
        }
    }
}

#[tokio::test]
async fn a_decision_without_a_session_goes_through_sign_in() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    let page = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
    let mut nobody = test.browser();
    let reply = answer(&mut nobody, &page, "allow").await;
    assert_eq!(
        reply.location(),
        Some(format!("/ks/sign-in?tx={}", page.input("tx")).as_str())
    );
    sign_in(&mut nobody, &page.input("tx")).await;
    let reply = answer(&mut nobody, &page, "allow").await;
    assert_eq!(
        reply.status, 403,
        "the token of another session is worth nothing"
    );
}

#[tokio::test]
async fn after_ten_minutes_the_page_says_to_start_again() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    let page = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
    test.clock.advance(Duration::from_secs(601));
    let reply = answer(&mut browser, &page, "allow").await;
    assert_eq!((reply.status.as_u16(), reply.location()), (400, None));
    let text = reply.text();
    let reference = text
        .lines()
        .find(|line| line.starts_with("KS-"))
        .unwrap()
        .to_owned();
    insta::assert_snapshot!(text.replace(&reference, "KS-…"), @r"
    Keystile
    This took too long
    Sign-in and decision have to be finished within ten minutes.
    What to do
    Go back to your app and start connecting again.
    Code
    sign_in_expired
    Reference
    KS-…
    Whoever runs this server finds out more with: keystile doctor KS-…
    ");
}

#[tokio::test]
async fn a_person_who_was_disabled_meanwhile_decides_nothing() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    let page = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
    let alice = test
        .app
        .people
        .find_by_name("alice")
        .await
        .unwrap()
        .unwrap();
    test.store.disable(alice.id, test.app.clock.now());
    let reply = answer(&mut browser, &page, "allow").await;
    assert!(
        reply.location().unwrap().starts_with("/ks/sign-in?tx="),
        "{}",
        reply.text()
    );
}

#[tokio::test]
async fn without_an_audit_trail_nothing_is_granted_and_the_client_hears_it() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    let page = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
    test.audit.fill_up();
    let reply = answer(&mut browser, &page, "allow").await;
    let params = reply.location_params();
    assert_eq!(params[0], ("error".to_owned(), "server_error".to_owned()));
    assert_eq!(params.last().unwrap().0, "iss");
    assert!(
        test.store
            .list(GrantFilter::default())
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn somebody_else_may_sign_in_for_the_same_request() {
    for prompt in ["", "&prompt=login", "&prompt=select_account"] {
        let test = TestApp::new().with_person().await;
        test.add_person("bob", PERSON.1).await;
        let client = test.register("Notes", &[LOOPBACK]).await;
        let url = test.authorize_url(&client, LOOPBACK);
        let mut browser = test.signed_in().await;
        let mut page = browser.open(&format!("{url}{prompt}")).await;
        if prompt.is_empty() {
            assert!(page.text().contains("Not you? Sign in as somebody else"));
            let link = format!("/ks/sign-in?tx={}&again=1", page.input("tx"));
            assert!(
                page.body.contains(&link.replace('&', "&amp;")),
                "{}",
                page.body
            );
            page = browser.get(&link).await;
        }
        assert_eq!(page.status, 200);
        let tx = page.input("tx");
        let fields = [
            ("tx", tx.as_str()),
            ("username", "bob"),
            ("password", PERSON.1),
        ];
        let sent_on = browser.submit("/ks/sign-in", &fields).await;
        let page = browser
            .get(sent_on.location().expect("on to consent"))
            .await;
        assert_eq!(page.input("tx"), tx, "the same request");
        let you_are = page.text();
        assert!(
            you_are.contains("bob") && !you_are.contains("alice"),
            "{you_are}"
        );
        assert_eq!(test.store.session_count(), 1, "the other session has ended");
        let granted = answer(&mut browser, &page, "allow").await;
        assert!(granted.location().is_some_and(|to| to.contains("code=")));
    }
    // The twin: prompt=consent takes who is signed in.
    let test = TestApp::new().with_person().await;
    let client = test.register("Notes", &[LOOPBACK]).await;
    let url = test.authorize_url(&client, LOOPBACK);
    let mut browser = test.signed_in().await;
    let page = browser.open(&format!("{url}&prompt=consent")).await;
    assert!(page.text().contains("alice"), "{}", page.text());
}
