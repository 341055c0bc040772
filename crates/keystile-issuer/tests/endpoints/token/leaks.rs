//! Where the texts of tokens never are (CHECKLIST A-031).

use keystile_testkit::issuer::sign_in;

use crate::connecting::{Connecting, text};
use crate::{LOOPBACK, authorize_url, get, json};

#[tokio::test]
async fn a_031_no_token_is_in_an_address_a_page_or_a_cache() {
    let mut connecting = Connecting::new().await;
    let url = authorize_url(&connecting.client, &[]);
    let mut browser = connecting.test.browser();
    let mut seen = vec![browser.get(&url).await];
    seen.push(browser.open(&url).await);
    let tx = seen[1].input("tx");
    seen.push(sign_in(&mut browser, &tx).await);
    seen.push(browser.open(seen[2].location().expect("on")).await);
    let (tx, csrf) = (seen[3].input("tx"), seen[3].input("csrf"));
    let fields = [("tx", tx.as_str()), ("csrf", &csrf), ("decision", "allow")];
    seen.push(browser.submit("/ks/consent", &fields).await);
    let callback = seen[4].location().expect("to the client").to_owned();
    assert!(callback.starts_with(LOOPBACK));
    let code = connecting.code(&[]).await;
    let tokens = json(&connecting.redeem(&code, &[]).await);
    let (access, refresh) = (
        text(&tokens, "access_token"),
        text(&tokens, "refresh_token"),
    );
    seen.push(browser.open("/ks/account").await);
    // Whoever puts them into an address gets an answer without them.
    for parameter in ["access_token", "refresh_token", "token", "code"] {
        for path in ["/oauth/authorize", "/ks/account", "/ks/sign-in", "/nothing"] {
            let address = format!("{path}?{parameter}={access}&x={refresh}");
            seen.push(get(&connecting.test, &address).await);
        }
    }
    seen.push(connecting.redeem(&code, &[]).await);
    seen.push(connecting.refresh(&format!("{refresh}x"), &[]).await);
    seen.push(connecting.refresh(access, &[]).await);
    for reply in &seen {
        let location = reply.location().unwrap_or_default();
        for secret in [access, refresh] {
            assert!(!location.contains(secret), "{location}");
            assert!(!reply.body.contains(secret), "{}", reply.body);
        }
        // An empty 404 or 405 may be kept.
        if !location.is_empty() || !reply.body.is_empty() {
            let kept = reply.header("cache-control");
            assert_eq!(
                kept, "no-store",
                "{} {location} {}",
                reply.status, reply.body
            );
        }
        if reply.header("content-type").starts_with("text/html") {
            assert_eq!(
                reply.header("referrer-policy"),
                "same-origin",
                "{}",
                reply.body
            );
        }
    }
    let trail = format!("{:?}", connecting.test.audit.summary());
    assert!(!trail.contains(access) && !trail.contains(refresh));
}
