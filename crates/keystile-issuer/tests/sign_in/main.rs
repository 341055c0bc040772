//! The pages under `/ks/`, through the router, with the fakes of keystile-testkit.

mod account;
mod borders;
mod consent;
mod disabled;
mod first_account;
mod with_password;

use keystile_testkit::browser::{Browser, Reply};
use keystile_testkit::issuer::TestApp;

/// A client that listens on a loopback port.
const LOOPBACK: &str = "http://127.0.0.1:6274/oauth/callback";
/// A client that is a site.
const SITE: &str = "https://claude.ai/api/mcp/auth_callback";

/// A refusal with a stable word and a reference that trail and doctor know, too. Gives the page with
/// the reference blotted out.
fn told(test: &TestApp, reply: &Reply, code: &str) -> String {
    told_apart(test, reply, code, code)
}

/// The same where the page has one word and the operator reads another.
fn told_apart(test: &TestApp, reply: &Reply, shown: &str, code: &str) -> String {
    assert!(reply.text().contains(shown), "{}", reply.text());
    let start = reply.body.find("KS-").expect("a reference is on the page");
    let reference = &reply.body[start..start + 11];
    let events = test.audit.events();
    let event = events.last().expect("something is recorded");
    assert_eq!(
        (&event["reason"], &event["reference"]),
        (&code.into(), &reference.into())
    );
    let parsed = reference.parse().expect("a reference");
    let kept = test.app.flows.lookup(&parsed, test.app.clock.now());
    let kept = kept.expect("the doctor knows it");
    let reason = kept.failure().map(|(_, found)| &*found.reason);
    assert_eq!(reason, Some(code));
    reply.body.replace(reference, "KS-XXXXXXXX")
}

/// The page on which the signed-in person decides about a client that registered itself.
async fn consent_page(test: &TestApp, browser: &mut Browser, name: &str, redirect: &str) -> Reply {
    let client = test.register(name, &[redirect]).await;
    let page = browser.open(&test.authorize_url(&client, redirect)).await;
    assert_eq!(page.status, 200, "{}", page.text());
    page
}

/// Answers a consent page.
async fn answer(browser: &mut Browser, page: &Reply, decision: &str) -> Reply {
    answer_with(browser, page, decision, None).await
}

/// With a choice of less than was asked.
async fn answer_with(
    browser: &mut Browser,
    page: &Reply,
    decision: &str,
    only: Option<&str>,
) -> Reply {
    let (tx, csrf) = (page.input("tx"), page.input("csrf"));
    let mut fields = vec![("tx", tx.as_str()), ("csrf", &csrf), ("decision", decision)];
    fields.extend(only.map(|only| ("only", only)));
    browser.submit("/ks/consent", &fields).await
}
