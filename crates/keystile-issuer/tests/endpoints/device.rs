//! Devices without a browser (RFC 8628): the endpoint, the page, and the polls between.

mod asking;
mod pages;

use std::net::Ipv4Addr;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use keystile_domain::ports::{Clients, Clock as _, Grants, People};
use keystile_domain::records::{GrantFilter, GrantType, GrantTypes};
use keystile_issuer::peer::Peer;
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_testkit::browser::{Browser, Reply};
use keystile_testkit::issuer::TestApp;
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
async fn a_device_of_a_client_disabled_meanwhile_is_kept_out_and_says_so() {
    let mut waiting = Waiting::new().await;
    let code = waiting.text("user_code").to_owned();
    let page = waiting.enter(&code).await;
    let now = waiting.test.clock.now();
    let store = waiting.test.store.clone();
    Clients::disable(&*store, CLIENT, now)
        .await
        .expect("memory");
    let reply = waiting.decide(&page, "allow").await;
    assert_eq!(reply.status, 403, "{}", reply.text());
    assert!(
        reply.text().contains("This app is kept out"),
        "{}",
        reply.text()
    );
    assert_eq!(crate::told(&waiting.test, &reply).reason, "client_disabled");
    // The twin: let in again, the same answer is good.
    Clients::enable(&*store, CLIENT).await.expect("memory");
    let reply = waiting.decide(&page, "allow").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}
