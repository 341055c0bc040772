//! Devices without a browser (RFC 8628): the endpoint, the page, and the polls between.

use std::net::Ipv4Addr;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use keystile_domain::ports::{Clients, Clock as _, Grants, People};
use keystile_domain::records::{GrantFilter, GrantType, GrantTypes};
use keystile_issuer::peer::Peer;
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_testkit::browser::{Browser, Reply};
use keystile_testkit::issuer::{PERSON, TestApp};
use serde_json::Value;

use crate::connecting::claims;
use crate::knocking::record;
use crate::{
    Changes, LOOPBACK, OTHER_RESOURCE, RESOURCE, changed, json, post_form, post_json, refused,
    send, two_servers,
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const CLIENT: &str = "terminal";

/// A device, its code, and a person who is signed in elsewhere.
struct Waiting {
    test: TestApp,
    browser: Browser,
    answer: Value,
}

impl Waiting {
    async fn new() -> Self {
        Self::at(TestApp::new()).await
    }

    async fn at(test: TestApp) -> Self {
        let test = test.with_person().await;
        add_client(&test, CLIENT).await;
        let browser = test.signed_in().await;
        let answer = json(&begin(&test, &[]).await);
        Self {
            test,
            browser,
            answer,
        }
    }

    fn text(&self, name: &str) -> &str {
        self.answer[name].as_str().expect("text")
    }

    async fn poll(&self, changes: Changes<'_>) -> Reply {
        let good = [
            ("grant_type", GRANT),
            ("device_code", self.text("device_code")),
            ("client_id", CLIENT),
        ];
        post_form(&self.test, "/oauth/token", changed(&good, changes)).await
    }

    /// The error of a poll, after the interval.
    async fn waits(&self) -> String {
        self.test.clock.advance(Duration::from_secs(5));
        refused(&self.poll(&[]).await).1
    }

    async fn enter(&mut self, code: &str) -> Reply {
        enter(&mut self.browser, code).await
    }

    async fn answer(&mut self, decision: &str) -> Reply {
        let code = self.text("user_code").to_owned();
        let page = self.enter(&code).await;
        assert_eq!(page.status, 200, "{}", page.text());
        self.decide(&page, decision).await
    }

    async fn decide(&mut self, page: &Reply, decision: &str) -> Reply {
        let (request, csrf) = (page.input("request"), page.input("csrf"));
        let fields = [
            ("request", request.as_str()),
            ("csrf", &csrf),
            ("decision", decision),
        ];
        self.browser.submit("/ks/device/answer", &fields).await
    }
}

async fn add_client(test: &TestApp, id: &str) {
    let mut client = record(test, id, TokenEndpointAuthMethod::None);
    client.grant_types = GrantTypes::from_iter([GrantType::DeviceCode, GrantType::RefreshToken]);
    client.redirect_uris = Vec::new();
    test.add(client, None).await;
}

async fn begin(test: &TestApp, changes: Changes<'_>) -> Reply {
    let form = changed(&[("client_id", CLIENT), ("resource", RESOURCE)], changes);
    post_form(test, "/oauth/device", form).await
}

async fn enter(browser: &mut Browser, code: &str) -> Reply {
    let csrf = browser.get("/ks/device").await.input("csrf");
    let fields = [("csrf", csrf.as_str()), ("user_code", code)];
    browser.submit("/ks/device", &fields).await
}

#[tokio::test]
async fn a_device_gets_tokens_when_its_person_says_yes_elsewhere() {
    let mut waiting = Waiting::new().await;
    assert_eq!(waiting.answer["expires_in"], 600);
    assert_eq!(waiting.answer["interval"], 5);
    assert_eq!(
        waiting.text("verification_uri"),
        "http://localhost:7717/ks/device"
    );
    let code = waiting.text("user_code").to_owned();
    assert_eq!(
        waiting.text("verification_uri_complete"),
        format!("http://localhost:7717/ks/device?user_code={code}")
    );
    assert_eq!(waiting.waits().await, "authorization_pending");
    let typed = code.to_lowercase().replace('-', "");
    let page = waiting.enter(&typed).await;
    let text = page.text();
    for part in [
        &code,
        "An app on another device",
        "“terminal”",
        "Only continue if you started",
        RESOURCE,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let done = waiting.decide(&page, "allow").await;
    assert!(
        done.text().contains("Your device is connected"),
        "{}",
        done.text()
    );
    let reply = waiting.poll(&[]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.header("cache-control"), "no-store");
    let tokens = json(&reply);
    let claims = claims(&tokens);
    assert_eq!(claims["aud"], RESOURCE);
    assert_eq!(claims["client_id"], CLIENT);
    let form = [
        ("grant_type", "refresh_token"),
        (
            "refresh_token",
            tokens["refresh_token"].as_str().expect("one"),
        ),
        ("client_id", CLIENT),
    ];
    let refreshed = post_form(&waiting.test, "/oauth/token", changed(&form, &[])).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
    let summary = waiting.test.audit.summary();
    for line in ["consent allow", "grant allow", "token allow"] {
        assert!(
            summary.iter().any(|it| it.starts_with(line)),
            "{line}: {summary:?}"
        );
    }
    let account = waiting.browser.get("/ks/account").await.text();
    assert!(
        account.contains("An app on another device (“terminal”)"),
        "{account}"
    );
}

#[tokio::test]
async fn rfc_8628_a_device_code_gives_tokens_once_however_many_ask_at_once() {
    let mut waiting = Waiting::new().await;
    waiting.answer("allow").await;
    let (a, b, c) = tokio::join!(waiting.poll(&[]), waiting.poll(&[]), waiting.poll(&[]));
    let won = [&a, &b, &c]
        .iter()
        .filter(|reply| reply.status == 200)
        .count();
    assert_eq!(won, 1);
    let lost = refused(&waiting.poll(&[]).await);
    assert_eq!(lost, (400, "invalid_grant".to_owned()));
    let grants = Grants::list(&*waiting.test.store, GrantFilter::default()).await;
    let grants = grants.expect("memory");
    assert_eq!(grants.len(), 1, "who won keeps what it got");
}

#[tokio::test]
async fn rfc_8628_another_client_gets_nothing_and_changes_nothing() {
    let mut waiting = Waiting::new().await;
    add_client(&waiting.test, "thief").await;
    waiting.answer("allow").await;
    let stolen = waiting.poll(&[("client_id", Some("thief"))]).await;
    assert_eq!(refused(&stolen), (400, "invalid_grant".to_owned()));
    assert_eq!(waiting.poll(&[]).await.status, 200);
}

#[tokio::test]
async fn rfc_8628_who_polls_too_soon_is_slowed_down_more_each_time() {
    let waiting = Waiting::new().await;
    assert_eq!(waiting.waits().await, "authorization_pending");
    assert_eq!(waiting.waits().await, "authorization_pending");
    let soon = refused(&waiting.poll(&[]).await);
    assert_eq!(soon, (400, "slow_down".to_owned()));
    assert_eq!(
        waiting.waits().await,
        "slow_down",
        "5 s are too soon by now"
    );
    waiting.test.clock.advance(Duration::from_secs(10));
    assert_eq!(
        waiting.waits().await,
        "authorization_pending",
        "15 s are not"
    );
    let (a, b) = tokio::join!(waiting.poll(&[]), waiting.poll(&[]));
    let both = [refused(&a).1, refused(&b).1];
    assert!(both.contains(&"slow_down".to_owned()), "{both:?}");
}

#[tokio::test]
async fn who_waits_fills_neither_log_nor_doctor() {
    let waiting = Waiting::new().await;
    for _ in 0..3 {
        assert_eq!(waiting.waits().await, "authorization_pending");
    }
    let now = waiting.test.clock.now();
    assert!(waiting.test.app.flows.failed(now).is_empty());
    let reply = waiting.poll(&[]).await;
    let attempt = waiting
        .test
        .app
        .flows
        .lookup(&crate::reference_of(&reply), now);
    let attempt = attempt.expect("the attempt of the device");
    assert_eq!(attempt.client.as_deref(), Some("terminal (on a device)"));
    assert_eq!(attempt.steps.len(), 1);
}

#[tokio::test]
async fn a_no_is_told_to_the_device_and_is_the_last_word() {
    let mut waiting = Waiting::new().await;
    let code = waiting.text("user_code").to_owned();
    let page = waiting.enter(&code).await;
    let done = waiting.decide(&page, "deny").await;
    assert!(done.text().contains("not connected"), "{}", done.text());
    let again = waiting.decide(&page, "allow").await;
    assert!(
        again.text().contains("This code is over"),
        "{}",
        again.text()
    );
    assert_eq!(waiting.waits().await, "access_denied");
    let late = waiting.enter(&code).await;
    assert_eq!(late.status, 400, "the code is gone");
}

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
async fn what_ends_between_yes_and_poll_ends_the_code() {
    for end in ["grant", "person", "client"] {
        let mut waiting = Waiting::new().await;
        waiting.answer("allow").await;
        let store = waiting.test.store.clone();
        let now = waiting.test.clock.now();
        let filter = GrantFilter::default();
        let grant = Grants::list(&*store, filter)
            .await
            .expect("memory")
            .remove(0);
        match end {
            "grant" => drop(Grants::revoke(&*store, grant.id, "test", now).await),
            "person" => drop(People::disable(&*store, grant.person, now).await),
            _ => drop(Clients::disable(&*store, CLIENT, now).await),
        }
        let expected = if end == "client" {
            "invalid_client"
        } else {
            "invalid_grant"
        };
        assert_eq!(refused(&waiting.poll(&[]).await).1, expected, "{end}");
    }
}

#[tokio::test]
async fn resource_and_scope_count_as_at_the_authorization_endpoint() {
    let mut waiting = Waiting::at(two_servers()).await;
    for (change, error) in [
        (("resource", None), "invalid_target"),
        (
            ("resource", Some("https://evil.example/mcp")),
            "invalid_target",
        ),
        (("scope", Some("unknown")), "invalid_scope"),
    ] {
        let reply = begin(&waiting.test, &[change]).await;
        assert_eq!(refused(&reply), (400, error.to_owned()), "{change:?}");
    }
    waiting.answer("allow").await;
    let other = waiting.poll(&[("resource", Some(OTHER_RESOURCE))]).await;
    assert_eq!(refused(&other), (400, "invalid_target".to_owned()));
    let same = waiting.poll(&[("resource", Some(RESOURCE))]).await;
    assert_eq!(same.status, 200, "nothing was spent: {}", same.body);
}

#[tokio::test]
async fn rfc_8628_only_a_client_that_says_so_is_used_on_devices() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let plain = test.register("Plain", &[LOOPBACK]).await;
    let reason = (400, "unauthorized_client".to_owned());
    for client in ["notes", &plain, crate::CLAUDE] {
        let reply = begin(&test, &[("client_id", Some(client))]).await;
        assert_eq!(refused(&reply), reason, "{client}");
    }
    let metadata = serde_json::json!({
        "redirect_uris": [LOOPBACK],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", GRANT],
    });
    let registered = json(&post_json(&test, "/oauth/register", metadata).await);
    assert!(
        registered["grant_types"].to_string().contains(GRANT),
        "{registered}"
    );
    let own = registered["client_id"].as_str().expect("an id");
    let reply = begin(&test, &[("client_id", Some(own))]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let code = json(&reply)["device_code"]
        .as_str()
        .expect("a code")
        .to_owned();
    let form = [
        ("grant_type", GRANT),
        ("device_code", &code),
        ("client_id", own),
    ];
    let reply = post_form(&test, "/oauth/token", changed(&form, &[])).await;
    assert_eq!(refused(&reply).1, "authorization_pending");
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
async fn a_flood_of_devices_is_bounded_for_each_network() {
    let test = TestApp::new();
    add_client(&test, CLIENT).await;
    let ask = async |last: u8| {
        let request = Request::post("/oauth/device")
            .header("content-type", "application/x-www-form-urlencoded")
            .extension(Peer(Ipv4Addr::new(203, 0, 113, last).into()))
            .body(Body::from(format!("client_id={CLIENT}")));
        send(&test, request.expect("a legal request")).await
    };
    for _ in 0..100 {
        ask(7).await;
    }
    assert_eq!(test.store.device_request_count(), 30);
    assert_eq!(
        refused(&ask(7).await),
        (429, "temporarily_unavailable".to_owned())
    );
    assert_eq!(ask(8).await.status, 200);
    test.clock.advance(Duration::from_secs(1201));
    assert_eq!(ask(8).await.status, 200);
    assert_eq!(
        test.store.device_request_count(),
        1,
        "ended ones are forgotten"
    );
}
