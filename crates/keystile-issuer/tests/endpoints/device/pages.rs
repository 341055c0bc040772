//! The pages of `/ks/device`: who may decide, and what they see.

use std::time::Duration;

use keystile_testkit::issuer::{PERSON, TestApp};

use super::{CLIENT, GRANT, Waiting, add_client, begin, enter};
use crate::{json, post_json};

#[tokio::test]
async fn a_code_is_good_for_ten_minutes() {
    let mut waiting = Waiting::new().await;
    let code = waiting.text("user_code").to_owned();
    let page = waiting.enter(&code).await;
    waiting.test.clock.advance(Duration::from_secs(600));
    let late = waiting.decide(&page, "allow").await;
    assert!(late.text().contains("This code is over"), "{}", late.text());
    assert_eq!(waiting.enter(&code).await.status, 400);
    assert_eq!(waiting.waits().await, "expired_token");
}

#[tokio::test]
async fn the_registered_redirect_of_a_device_s_client_lends_it_no_name() {
    let test = TestApp::new().with_person().await;
    let metadata = serde_json::json!({
        "client_name": "Claude",
        "redirect_uris": [crate::CLAUDE_CALLBACK],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", GRANT],
    });
    let registered = json(&post_json(&test, "/oauth/register", metadata).await);
    let client = registered["client_id"].as_str().expect("an id");
    let answer = json(&begin(&test, &[("client_id", Some(client))]).await);
    let mut browser = test.signed_in().await;
    let page = enter(&mut browser, answer["user_code"].as_str().expect("a code")).await;
    assert_eq!(page.status, 200);
    assert!(!page.text().contains("claude.ai"), "{}", page.text());
    assert!(
        page.text().contains("An app on another device"),
        "{}",
        page.text()
    );
}

#[tokio::test]
async fn rfc_8628_codes_cannot_be_guessed() {
    let mut waiting = Waiting::new().await;
    let guesses = ["BBBB-BBBB", "CCCC-CCCC", "not a code", ""];
    let mut wrong = 0;
    for guess in guesses.iter().cycle().take(200) {
        let reply = waiting.enter(guess).await;
        match reply.status.as_u16() {
            400 => wrong += 1,
            429 => assert!(!reply.header("retry-after").is_empty()),
            other => panic!("{other}: {}", reply.text()),
        }
    }
    assert_eq!(wrong, 10, "ten at once");
    let code = waiting.text("user_code").to_owned();
    assert_eq!(waiting.enter(&code).await.status, 429, "the right one, too");
    let mut other = waiting.test.signed_in().await;
    assert_eq!(
        enter(&mut other, &code).await.status,
        429,
        "in every browser of hers"
    );
    let lines = waiting.test.audit.summary().len();
    assert!(lines < 20, "a flood fills no trail: {lines}");
    waiting.test.clock.advance(Duration::from_secs(300));
    for _ in 0..30 {
        wrong += usize::from(waiting.enter("BBBB-BBBB").await.status == 400);
    }
    assert_eq!(wrong, 20, "and one each 30 seconds");
    waiting.test.clock.advance(Duration::from_secs(30));
    let page = waiting.enter(&code).await;
    assert_eq!(page.status, 200, "{}", page.text());
    for _ in 0..20 {
        assert_eq!(
            waiting.enter(&code).await.status,
            200,
            "right ones do not count"
        );
        waiting.test.clock.advance(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn rfc_8628_an_answer_is_bound_to_the_session_that_typed_the_code() {
    let mut waiting = Waiting::new().await;
    let code = waiting.text("user_code").to_owned();
    let page = waiting.enter(&code).await;
    waiting
        .test
        .add_person("mallory", "correct horse battery")
        .await;
    let mut other = waiting.test.browser();
    let fields = [("username", "mallory"), ("password", PERSON.1)];
    other.submit("/ks/sign-in", &fields).await;
    let own = waiting.browser.clone();
    waiting.browser = other;
    let stolen = waiting.decide(&page, "allow").await;
    assert_eq!(stolen.status, 403, "{}", stolen.text());
    let fields = [("csrf", ""), ("user_code", code.as_str())];
    let forged = waiting.browser.submit("/ks/device", &fields).await;
    assert_eq!(forged.status, 403, "{}", forged.text());
    waiting.browser = own;
    let done = waiting.decide(&page, "allow").await;
    assert!(done.text().contains("connected"), "{}", done.text());
}

#[tokio::test]
async fn sign_in_and_the_first_account_lead_to_the_code_and_nowhere_else() {
    let test = TestApp::new();
    add_client(&test, CLIENT).await;
    let answer = json(&begin(&test, &[]).await);
    let code = answer["user_code"].as_str().expect("a code");
    let setup = test.setup_code().await;
    let mut browser = test.browser();
    let page = browser.open(&format!("/ks/device?user_code={code}")).await;
    assert!(
        page.text().contains("Make the first account"),
        "{}",
        page.text()
    );
    assert_eq!(page.input("device"), code);
    let fields = [
        ("device", code),
        ("setup_code", &setup),
        ("username", PERSON.0),
        ("password", PERSON.1),
    ];
    let made = browser.submit("/ks/setup", &fields).await;
    assert_eq!(
        made.location(),
        Some(&*format!("/ks/device?user_code={code}"))
    );
    let page = browser.open(&format!("/ks/device?user_code={code}")).await;
    assert_eq!(page.input("user_code"), code);
    for carried in [
        "any",
        "https://evil.example/",
        "//evil.example",
        "/ks/account",
    ] {
        let mut browser = test.browser();
        let fields = [
            ("device", carried),
            ("username", PERSON.0),
            ("password", PERSON.1),
        ];
        let signed_in = browser.submit("/ks/sign-in", &fields).await;
        assert_eq!(signed_in.location(), Some("/ks/device"), "{carried}");
    }
    let shown = browser.get("/ks/device?user_code=%22%3E%3Cscript%3E").await;
    assert_eq!(shown.input("user_code"), "");
}

#[tokio::test]
async fn the_trail_says_what_was_allowed_and_not_what_was_asked() {
    let mut waiting = Waiting::new().await;
    let code = waiting.text("user_code").to_owned();
    let page = waiting.enter(&code).await;
    let (request, csrf) = (page.input("request"), page.input("csrf"));
    let fields = [
        ("request", request.as_str()),
        ("csrf", &csrf),
        ("decision", "allow"),
        ("only", "knowledge-base:read"),
    ];
    let done = waiting.browser.submit("/ks/device/answer", &fields).await;
    assert_eq!(done.status, 200, "{}", done.text());
    let events = waiting.test.audit.events();
    let granted = events.iter().rfind(|event| event["action"] == "grant");
    assert_eq!(granted.expect("a grant")["name"], "knowledge-base:read");
}
