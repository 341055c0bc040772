//! What must never happen on any of the pages.

use keystile_testkit::browser::Reply;
use keystile_testkit::issuer::{PERSON, TestApp};

use crate::{LOOPBACK, answer, consent_page};

/// Return addresses that some program once followed.
const ELSEWHERE: [&str; 20] = [
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/%09/evil.example",
    "/\t/evil.example",
    "///evil.example",
    "////evil.example/%2f..",
    "https://evil.example",
    "https:evil.example",
    "http://localhost:7717@evil.example",
    "http://localhost:7717.evil.example",
    "/ks/../..//evil.example",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/ks/account\r\nLocation: https://evil.example",
    "%0d%0aLocation:%20https://evil.example",
    "//evil%E3%80%82example",
    ".evil.example",
];

/// Names under which programs take a return address.
const RETURN_TO: [&str; 12] = [
    "next",
    "return_to",
    "returnTo",
    "redirect",
    "redirect_uri",
    "rd",
    "url",
    "continue",
    "target",
    "goto",
    "RelayState",
    "post_logout_redirect_uri",
];

#[tokio::test]
async fn a_007_no_parameter_says_where_a_page_leads() {
    let test = TestApp::new().with_person().await;
    for payload in ELSEWHERE {
        for name in RETURN_TO {
            let query = url_encoded(&[(name, payload)]);
            let mut nobody = test.browser();
            let mut alice = test.browser();
            let fields = [
                ("username", PERSON.0),
                ("password", PERSON.1),
                (name, payload),
            ];
            // The hash takes 20 ms: one sign-in for all names but the likeliest.
            if name == "next" {
                stays(
                    &alice.submit(&format!("/ks/sign-in?{query}"), &fields).await,
                    payload,
                );
            }
            for path in [
                "/ks/sign-in",
                "/ks/setup",
                "/ks/consent",
                "/ks/account",
                "/ks/signed-out",
            ] {
                stays(&nobody.get(&format!("{path}?{query}")).await, payload);
                stays(&alice.get(&format!("{path}?{query}")).await, payload);
            }
            for path in ["/ks/sign-out", "/ks/consent", "/ks/account/disconnect"] {
                stays(&nobody.submit(path, &[(name, payload)]).await, payload);
                stays(&alice.submit(path, &[(name, payload)]).await, payload);
            }
        }
        let mut browser = test.browser();
        for path in ["/ks/sign-in", "/ks/consent", "/ks/setup"] {
            let reply = browser
                .get(&format!("{path}?{}", url_encoded(&[("tx", payload)])))
                .await;
            assert_eq!(
                (reply.status.as_u16(), reply.location()),
                (400, None),
                "{payload}"
            );
        }
    }
}

/// Either no redirect, or one of these.
fn stays(reply: &Reply, payload: &str) {
    let ours = [
        None,
        Some("/ks/account"),
        Some("/ks/sign-in"),
        Some("/ks/signed-out"),
    ];
    assert!(
        ours.contains(&reply.location()),
        "{payload:?} led to {:?}",
        reply.location()
    );
}

#[tokio::test]
async fn a_013_what_is_posted_here_is_never_posted_on() {
    let test = TestApp::new();
    let code = test.setup_code().await;
    let mut browser = test.browser();
    let fields = [
        ("setup_code", code.as_str()),
        ("username", PERSON.0),
        ("password", PERSON.1),
    ];
    assert_eq!(browser.submit("/ks/setup", &fields).await.status, 303);
    let fields = [("username", PERSON.0), ("password", PERSON.1)];
    assert_eq!(browser.submit("/ks/sign-in", &fields).await.status, 303);
    for decision in ["allow", "deny"] {
        let page = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
        assert_eq!(answer(&mut browser, &page, decision).await.status, 303);
    }
    let csrf = browser.get("/ks/account").await.input("csrf");
    assert_eq!(
        browser
            .submit("/ks/sign-out", &[("csrf", csrf.as_str())])
            .await
            .status,
        303
    );
}

#[tokio::test]
async fn a_038_nothing_is_remembered_before_a_person_proved_who_they_are() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.browser();
    let client = test.register("MCP Inspector", &[LOOPBACK]).await;
    let mut path = test.authorize_url(&client, LOOPBACK);
    loop {
        let reply = browser.get(&path).await;
        assert!(reply.set_cookies().is_empty(), "{path}");
        match reply.location() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    let wrong = [("username", PERSON.0), ("password", "wrong password")];
    assert!(
        browser
            .submit("/ks/sign-in", &wrong)
            .await
            .set_cookies()
            .is_empty()
    );
}

#[tokio::test]
async fn every_page_carries_the_headers_that_guard_it() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    let consent = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
    let policy = consent.header("content-security-policy");
    assert!(
        policy.contains("form-action 'self' http://127.0.0.1:6274;"),
        "{policy}"
    );
    let mut pages = vec![consent];
    for path in [
        "/ks/account",
        "/ks/signed-out",
        "/ks/consent",
        "/ks/setup",
        "/oauth/authorize",
    ] {
        pages.push(browser.get(path).await);
    }
    pages.push(test.browser().get("/ks/sign-in").await);
    for page in pages {
        let policy = page.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'; img-src 'self'; "),
            "{policy}"
        );
        assert!(
            policy.ends_with("; frame-ancestors 'none'; base-uri 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"));
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("cross-origin-opener-policy"), "");
        assert!(page.body.starts_with("<!doctype html>\n<html lang=\"en\">"));
        assert!(!page.body.contains("<script") && !page.body.contains(" style="));
    }
}

fn url_encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}
