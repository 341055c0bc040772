//! A client that was kept out while a person looked at its request.

use keystile_domain::ports::{Clients, Clock as _};
use keystile_testkit::issuer::TestApp;

const CALLBACK: &str = "http://127.0.0.1:6274/callback";

#[tokio::test]
async fn a_025_a_client_that_was_disabled_meanwhile_gets_no_answer_from_consent() {
    let test = TestApp::new().with_person().await;
    test.add_client("notes", "Notes", &[CALLBACK]).await;
    let mut browser = test.signed_in().await;
    let url = test.authorize_url("notes", CALLBACK);
    let page = browser.open(&url).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let (tx, csrf) = (page.input("tx"), page.input("csrf"));
    let now = test.clock.now();
    Clients::disable(&*test.store, "notes", now)
        .await
        .expect("memory");
    let before = test.audit.summary();
    for decision in ["allow", "deny"] {
        let fields = [("tx", tx.as_str()), ("csrf", &csrf), ("decision", decision)];
        let reply = browser.submit("/ks/consent", &fields).await;
        assert_eq!(reply.status, 403, "{decision}");
        assert_eq!(reply.location(), None, "{decision}");
        assert!(
            reply.text().contains("disabled this app"),
            "{}",
            reply.text()
        );
    }
    let shown = browser.get(&format!("/ks/consent?tx={tx}")).await;
    assert_eq!(shown.status, 403);
    assert_eq!(test.audit.summary(), before, "nothing was decided");
    // The twin: let in again, the same page is good.
    Clients::enable(&*test.store, "notes")
        .await
        .expect("memory");
    let fields = [("tx", tx.as_str()), ("csrf", &csrf), ("decision", "allow")];
    let reply = browser.submit("/ks/consent", &fields).await;
    assert!(reply.location().is_some_and(|to| to.starts_with(CALLBACK)));
}
