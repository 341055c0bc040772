//! Around the end of whatever has one: good, then refused with a known code, never a failure.

use std::time::Duration;

use keystile_testkit::browser::Reply;

use crate::connecting::{Connecting, text};
use crate::json;

const MINUTE: u64 = 60;

fn assert_good_until_the_minute(second: u64, reply: &Reply) {
    if second < MINUTE {
        assert_eq!(reply.status, 200, "{second}: {}", reply.body);
    } else {
        assert_eq!(reply.status, 400, "{second}: {}", reply.body);
        assert_eq!(json(reply)["error"], "invalid_grant", "{second}");
    }
}

#[tokio::test]
async fn a_032_in_the_last_minute_of_a_code_grant_or_session_nothing_fails() {
    let mut connecting = Connecting::new().await;
    let clock = connecting.test.clock.clone();
    let second = Duration::from_secs(1);
    let mut codes = Vec::new();
    for _ in 0..=MINUTE + 1 {
        codes.push(connecting.code(&[]).await);
    }
    for (at, code) in codes.iter().enumerate() {
        let reply = connecting.redeem(code, &[]).await;
        assert_good_until_the_minute(at as u64, &reply);
        clock.advance(second);
    }

    let mut tokens = Vec::new();
    for _ in 0..=MINUTE + 1 {
        tokens.push(connecting.tokens().await);
    }
    let mut browser = connecting.test.signed_in().await;
    let session = Duration::from_secs(12 * 3600);
    clock.advance(session - MINUTE as u32 * second);
    for at in 0..=MINUTE + 1 {
        let page = browser.open("/ks/account").await;
        assert_eq!(page.status, 200, "{at}: {}", page.body);
        let asked = page.body.contains("name=\"password\"");
        assert_eq!(asked, at >= MINUTE, "{at}: {}", page.text());
        clock.advance(second);
    }
    let spent = session + 2 * second;
    let idle = connecting.test.app.settings.grant_idle;
    clock.advance(idle - spent - MINUTE as u32 * second);
    for (at, tokens) in tokens.iter().enumerate() {
        let reply = connecting.refresh(text(tokens, "refresh_token"), &[]).await;
        assert_good_until_the_minute(at as u64, &reply);
        clock.advance(second);
    }
}
