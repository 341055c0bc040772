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

#[tokio::test]
async fn the_operator_alone_is_told_that_a_disabled_person_had_the_right_password() {
    use keystile_domain::ports::People;
    use keystile_testkit::issuer::PERSON;
    let test = TestApp::new().with_person().await;
    let alice = People::list(&*test.store).await.expect("memory").remove(0);
    let now = test.clock.now();
    People::disable(&*test.store, alice.id, now)
        .await
        .expect("memory");
    let mut pages = Vec::new();
    for (password, reason) in [
        (PERSON.1, "user_disabled"),
        ("wrong horse battery", "wrong_name_or_password"),
    ] {
        let fields = [("username", PERSON.0), ("password", password)];
        let reply = test.browser().submit("/ks/sign-in", &fields).await;
        assert_eq!(reply.status, 401);
        let text = reply.text();
        let at = text.find("KS-").expect("a reference");
        let reference = &text[at..at + 11];
        let attempt = test
            .app
            .flows
            .lookup(&reference.parse().expect("a reference"), now)
            .expect("it is kept");
        let (_, told) = attempt.failure().expect("it failed");
        assert_eq!(told.reason, reason);
        let fix = format!("keystile user enable {}", PERSON.0);
        assert_eq!(
            told.fix.ends_with(&fix),
            reason == "user_disabled",
            "{told}"
        );
        pages.push(text.replace(reference, "KS-"));
    }
    assert_eq!(pages[0], pages[1], "a stranger sees no difference");
}
