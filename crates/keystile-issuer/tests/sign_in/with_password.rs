use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keystile_testkit::issuer::{PERSON, TestApp, sign_in};

use crate::{LOOPBACK, consent_page, told, told_apart};

#[tokio::test]
async fn sign_in_leads_to_the_decision_and_later_requests_need_no_password() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.browser();
    let client = test.register("MCP Inspector", &[LOOPBACK]).await;
    let page = browser.open(&test.authorize_url(&client, LOOPBACK)).await;
    insta::assert_snapshot!(page.text(), @r"
    Keystile
    Sign in
    An app on this computer asks to use knowledge-base. Sign in to decide.
    Name
    Password
    Sign in
    Keystile guards who may use this server. Apps never see your password.
    ");
    let reply = sign_in(&mut browser, &page.input("tx")).await;
    assert_eq!(reply.status, 303);
    let next = format!("/ks/consent?tx={}", page.input("tx"));
    assert_eq!(reply.location(), Some(next.as_str()));
    assert!(
        browser
            .open(&next)
            .await
            .text()
            .contains("Connect this app?")
    );

    let again = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
    assert!(
        again.text().contains("Connect this app?"),
        "one click, no password"
    );
    assert_eq!(test.audit.summary(), ["sign_in allow -"]);
}

#[tokio::test]
async fn a_wrong_password_an_unknown_name_and_a_disabled_person_look_the_same() {
    let test = TestApp::new().with_person().await;
    let mallory = test.add_person("mallory", PERSON.1).await;
    test.store.disable(mallory, test.app.clock.now());
    let mut browser = test.browser();
    let mut pages = Vec::new();
    let wrong = "wrong_name_or_password";
    for (name, password, reason) in [
        ("alice", "wrong password", wrong),
        ("nobody", PERSON.1, wrong),
        ("mallory", "wrong password", wrong),
        ("mallory", PERSON.1, "user_disabled"),
    ] {
        let reply = browser
            .submit("/ks/sign-in", &[("username", name), ("password", password)])
            .await;
        assert_eq!(reply.status, 401);
        assert!(!reply.body.contains(password));
        pages.push(told_apart(&test, &reply, wrong, reason).replace(name, "NAME"));
    }
    assert!(pages.iter().all(|page| *page == pages[0]));
    assert!(browser.jar().is_empty());
    let mut trail = vec!["sign_in deny wrong_name_or_password"; 3];
    trail.push("sign_in deny user_disabled");
    assert_eq!(test.audit.summary(), trail);
    assert!(
        test.audit
            .events()
            .iter()
            .all(|event| event.get("name").is_none())
    );
}

#[tokio::test]
async fn a_160_wrong_passwords_are_limited_for_every_spelling_of_the_name() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.browser();
    for spelling in ["alice", "Alice", " ALICE "].iter().cycle().take(10) {
        let fields = [("username", *spelling), ("password", "wrong password")];
        assert_eq!(browser.submit("/ks/sign-in", &fields).await.status, 401);
    }
    let limited = sign_in(&mut browser, "").await;
    assert_eq!(limited.status, 429, "the right one waits, too");
    assert_eq!(limited.header("retry-after"), "30");
    told(&test, &limited, "too_many_requests");
    for _ in 0..5 {
        let again = sign_in(&mut browser, "").await;
        assert_eq!(again.status, 429);
        assert!(
            !again.text().contains("KS-"),
            "nothing is kept of it: {}",
            again.text()
        );
    }
    // An attempt that waits for this sign-in says what stopped it, once.
    let client = test.register("MCP Inspector", &[LOOPBACK]).await;
    let page = browser.open(&test.authorize_url(&client, LOOPBACK)).await;
    for _ in 0..3 {
        let stopped = sign_in(&mut browser, &page.input("tx")).await;
        let at = stopped.body.find("KS-").expect("it is an attempt");
        let reference = stopped.body[at..at + 11].parse().expect("a reference");
        let attempt = test.app.flows.lookup(&reference, test.app.clock.now());
        let attempt = attempt.expect("doctor knows it");
        assert_eq!(attempt.steps.len(), 2, "{attempt:?}");
        let (_, why) = attempt.failure().expect("it was stopped");
        assert_eq!(why.reason, "too_many_requests");
    }
    let limits = || {
        let all = test.audit.summary();
        let limit = |line: &&String| *line == "sign_in deny too_many_requests";
        all.iter().filter(limit).count()
    };
    assert_eq!(limits(), 1, "on record once, not for each try");
    assert!(
        limited.text().contains("Wait 30 seconds and try again."),
        "{}",
        limited.text()
    );
    test.clock.advance(Duration::from_secs(30));
    assert_eq!(sign_in(&mut browser, "").await.status, 303);
    test.clock.advance(Duration::from_secs(31));
    for _ in 0..15 {
        let fields = [("username", "alice"), ("password", "wrong password")];
        browser.submit("/ks/sign-in", &fields).await;
    }
    assert_eq!(limits(), 2, "a minute later, once again");
}

#[tokio::test]
async fn signing_in_rightly_is_never_limited() {
    let test = TestApp::new().with_person().await;
    for _ in 0..40 {
        assert_eq!(sign_in(&mut test.browser(), "").await.status, 303);
    }
}

#[tokio::test]
async fn a_039_an_id_from_before_the_sign_in_is_worth_nothing_after_it() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.browser();
    browser.plant("ks_session_7717", "kss_planted_by_somebody_else", "/ks");
    assert_eq!(
        browser.get("/ks/account").await.location(),
        Some("/ks/sign-in")
    );
    sign_in(&mut browser, "").await;
    let first = browser.jar()[0].value.clone();
    assert_ne!(first, "kss_planted_by_somebody_else");

    sign_in(&mut browser, "").await;
    assert_ne!(browser.jar()[0].value, first, "rotated at each sign-in");
    assert_eq!(test.store.session_count(), 1, "and the one before is gone");
    let mut old = test.browser();
    old.plant("ks_session_7717", &first, "/ks");
    assert_eq!(old.get("/ks/account").await.location(), Some("/ks/sign-in"));
}

#[tokio::test]
async fn two_session_cookies_are_none() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    browser.plant("ks_session_7717", "kss_another", "/");
    assert_eq!(
        browser.get("/ks/account").await.location(),
        Some("/ks/sign-in")
    );
}

#[tokio::test]
async fn a_sign_in_at_another_port_of_the_host_leaves_the_session_alone() {
    let test = TestApp::new().with_person().await;
    let neighbour = TestApp::at("http://localhost:7719").with_person().await;
    let mut browser = test.signed_in().await;
    let theirs = sign_in(&mut neighbour.browser(), "").await.set_cookies();
    // A browser keeps both and sends both: cookies ignore ports (RFC 6265 §8.5).
    let (name, value) = theirs[0]
        .split(';')
        .next()
        .and_then(|pair| pair.split_once('='))
        .expect("a cookie is a pair");
    browser.plant(name, value, "/ks");
    assert_eq!(browser.jar().len(), 2);
    assert_eq!(browser.get("/ks/account").await.status, 200);
}

#[tokio::test]
async fn a_session_lives_twelve_hours() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    test.clock.advance(Duration::from_secs(12 * 3600 - 1));
    assert_eq!(browser.get("/ks/account").await.status, 200);
    test.clock.advance(Duration::from_secs(1));
    assert_eq!(
        browser.get("/ks/account").await.location(),
        Some("/ks/sign-in")
    );
}

#[tokio::test]
async fn n_as_37_the_session_cookie_is_hidden_from_scripts_and_other_sites() {
    for (url, name, wanted) in [
        (
            "http://localhost:7717",
            "ks_session_7717=kss_",
            "; Path=/ks; HttpOnly; SameSite=Lax; Max-Age=43200",
        ),
        (
            "https://mcp.example.com",
            "__Host-ks_session=kss_",
            "; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=43200",
        ),
        (
            "https://mcp.example.com:8443",
            "__Host-ks_session_8443=kss_",
            "; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=43200",
        ),
    ] {
        let test = TestApp::at(url).with_person().await;
        let reply = sign_in(&mut test.browser(), "").await;
        let cookies = reply.set_cookies();
        let (pair, attributes) = cookies[0].split_at(cookies[0].find(';').unwrap());
        assert!(pair.starts_with(name), "{pair}");
        assert_eq!(pair.len(), name.len() + 43, "256 bits");
        assert_eq!(attributes, wanted);
        assert_eq!(cookies.len(), 1);
    }
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_written_down_does_not_happen() {
    let test = TestApp::new().with_person().await;
    test.audit.fill_up();
    let mut browser = test.browser();
    let refused = sign_in(&mut browser, "").await;
    assert_eq!(refused.status, 500);
    assert!(refused.text().contains("server_error"));
    assert!(
        !refused.text().contains("disk"),
        "the detail is for the log"
    );
    assert!(browser.jar().is_empty());
}

#[tokio::test]
async fn pages_on_https_stay_on_https() {
    let test = TestApp::at("https://mcp.example.com").with_person().await;
    for path in [
        "/ks/sign-in",
        "/ks/account",
        "/ks/nowhere",
        "/oauth/authorize",
    ] {
        let reply = test.browser().get(path).await;
        assert_eq!(
            reply.header("strict-transport-security"),
            "max-age=31536000"
        );
    }
    let local = TestApp::new().with_person().await;
    let reply = local.browser().get("/ks/sign-in").await;
    assert!(!reply.headers.contains_key("strict-transport-security"));
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .expect("nobody panics")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_wrong_try_is_one_line_in_the_log_and_says_nothing_of_what_was_typed() {
    let test = TestApp::new().with_person().await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
        .with_writer(move || writer.clone())
        .finish();
    let _recording = tracing::subscriber::set_default(subscriber);
    let mut browser = test.browser();
    let fields = [
        ("username", "my pass phrase"),
        ("password", "planted-secret"),
    ];
    for _ in 0..15 {
        browser.submit("/ks/sign-in", &fields).await;
    }
    let text = log.0.lock().expect("nobody panics").clone();
    let text = String::from_utf8(text).expect("UTF-8");
    let lines = |reason: &str| {
        let wanted = format!("reason=\"{reason}\"");
        let found = text.lines().filter(|line| line.contains(&wanted));
        found
            .filter(|line| line.contains("reference=\"KS-"))
            .count()
    };
    assert_eq!(lines("wrong_name_or_password"), 10, "{text}");
    assert_eq!(lines("too_many_requests"), 1, "{text}");
    assert!(
        !text.contains("phrase") && !text.contains("planted"),
        "{text}"
    );
}
