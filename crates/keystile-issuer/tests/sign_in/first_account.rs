use std::time::Duration;

use keystile_testkit::browser::Browser;
use keystile_testkit::issuer::TestApp;

use crate::{LOOPBACK, answer, told};

async fn create(browser: &mut Browser, tx: &str, code: &str) -> keystile_testkit::browser::Reply {
    let fields = [
        ("tx", tx),
        ("setup_code", code),
        ("username", "Alice"),
        ("password", "correct horse battery"),
    ];
    browser.submit("/ks/setup", &fields).await
}

#[tokio::test]
async fn the_first_person_comes_with_the_code_and_goes_on_to_the_decision() {
    let test = TestApp::new();
    let code = test.setup_code().await;
    let mut browser = test.browser();
    let client = test.register("MCP Inspector", &[LOOPBACK]).await;
    let page = browser.open(&test.authorize_url(&client, LOOPBACK)).await;
    assert!(
        page.text().contains("Make the first account"),
        "{}",
        page.text()
    );
    assert!(
        page.text()
            .contains("An app on this computer asks to use knowledge-base.")
    );

    let made = create(
        &mut browser,
        &page.input("tx"),
        &code.to_lowercase().replace('-', " "),
    )
    .await;
    assert_eq!(made.status, 303, "{}", made.text());
    let consent = browser.open(made.location().unwrap()).await;
    assert!(
        consent.text().contains("Connect this app?"),
        "{}",
        consent.text()
    );
    let done = answer(&mut browser, &consent, "allow").await;
    assert!(
        done.location()
            .unwrap()
            .starts_with("http://127.0.0.1:6274/oauth/callback?code=")
    );
    assert_eq!(
        test.audit.summary(),
        ["sign_in allow -", "consent allow -", "grant allow -"]
    );
}

#[tokio::test]
async fn a_set_up_link_fills_in_the_code_and_looking_spends_nothing() {
    let test = TestApp::new();
    let code = test.setup_code().await;
    let mut browser = test.browser();
    for _ in 0..3 {
        let page = browser.get(&format!("/ks/setup?code={code}")).await;
        assert_eq!(page.input("setup_code"), code);
    }
    let made = create(&mut browser, "", &code).await;
    assert_eq!(made.location(), Some("/ks/account"), "{}", made.text());
    assert!(
        browser
            .open("/ks/account")
            .await
            .text()
            .contains("You are Alice")
    );
}

#[tokio::test]
async fn a_wrong_set_up_code_makes_nobody_and_says_where_the_right_one_is() {
    let test = TestApp::new();
    test.setup_code().await;
    let mut browser = test.browser();
    let refused = create(&mut browser, "", "ABCD-EFGH-JKMN").await;
    assert_eq!(refused.status, 401);
    let page = told(&test, &refused, "wrong_setup_code");
    insta::assert_snapshot!(keystile_testkit::reading::text(&page), @r"
    Keystile
    Make the first account
    The set-up code is not the right one, or it has expired.
    Copy the latest one from the terminal where Keystile runs, or make a new one there with: keystile user setup-link
    Code wrong_setup_code, reference KS-XXXXXXXX
    Nobody has an account here yet. The first one owns this server.
    Set-up code
    Keystile printed it in the terminal where it runs. It works once. A new one: keystile user setup-link
    Name
    Password
    At least 10 characters. A few random words are easy to keep.
    Make account
    Keystile guards who may use this server. Apps never see your password.
    ");
    assert_eq!(refused.input("username"), "Alice", "what was typed is kept");
    assert!(
        !refused.body.contains("correct horse"),
        "but not the password"
    );
    assert!(browser.jar().is_empty());
    assert_eq!(test.audit.summary(), ["sign_in deny wrong_setup_code"]);
}

#[tokio::test]
async fn a_set_up_code_works_once() {
    let test = TestApp::new();
    let code = test.setup_code().await;
    assert_eq!(create(&mut test.browser(), "", &code).await.status, 303);
    let second = create(&mut test.browser(), "", &code).await;
    assert_eq!(second.status, 409);
    assert!(
        second.text().contains("already_set_up"),
        "{}",
        second.text()
    );
    let link = test.browser().get(&format!("/ks/setup?code={code}")).await;
    assert_eq!(link.status, 409);
}

#[tokio::test]
async fn a_set_up_code_lives_fifteen_minutes() {
    let test = TestApp::new();
    let code = test.setup_code().await;
    test.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(create(&mut test.browser(), "", &code).await.status, 401);
}

#[tokio::test]
async fn guessing_the_set_up_code_is_limited() {
    let test = TestApp::new();
    let code = test.setup_code().await;
    let mut browser = test.browser();
    for _ in 0..10 {
        assert_eq!(create(&mut browser, "", "ABCD-EFGH-JKMN").await.status, 401);
    }
    let limited = create(&mut browser, "", &code).await;
    assert_eq!(limited.status, 429);
    assert_eq!(limited.header("retry-after"), "30");
    told(&test, &limited, "too_many_requests");
    assert_eq!(create(&mut browser, "", &code).await.status, 429);
    let last_two = test.audit.summary().split_off(9);
    let wanted = [
        "sign_in deny wrong_setup_code",
        "sign_in deny too_many_requests",
    ];
    assert_eq!(last_two, wanted, "on record once, not for each try");
    test.clock.advance(Duration::from_secs(30));
    assert_eq!(create(&mut browser, "", &code).await.status, 303);
}

#[tokio::test]
async fn a_short_password_and_a_disguised_name_are_refused_before_the_code_is_tried() {
    let test = TestApp::new();
    let code = test.setup_code().await;
    let mut browser = test.browser();
    for (name, password, words) in [
        (
            "alice",
            "too short",
            "a password has at least 10 characters",
        ),
        (
            "al\u{202e}ice",
            "correct horse battery",
            "1 to 64 visible characters",
        ),
        ("", "correct horse battery", "1 to 64 visible characters"),
    ] {
        let fields = [
            ("setup_code", code.as_str()),
            ("username", name),
            ("password", password),
        ];
        let refused = browser.submit("/ks/setup", &fields).await;
        assert_eq!(refused.status, 400);
        assert!(refused.text().contains(words), "{}", refused.text());
    }
    assert_eq!(create(&mut browser, "", &code).await.status, 303);
}
