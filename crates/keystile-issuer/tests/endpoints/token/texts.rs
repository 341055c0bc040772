//! What is nearly a token or a code (CHECKLIST A-026).

use std::time::Duration;

use keystile_testkit::browser::Reply;

use crate::connecting::{Connecting, text};
use crate::json;

/// Every prefix and suffix, every bit of every character, what Base64 decoders forgive, and what
/// people paste.
fn nearly(token: &str) -> Vec<String> {
    let mut all: Vec<String> = (1..token.len())
        .flat_map(|at| [token[..at].to_owned(), token[at..].to_owned()])
        .collect();
    for at in 0..token.len() {
        for bit in 0..7 {
            let mut bytes = token.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            all.push(String::from_utf8(bytes).expect("seven bits are ASCII"));
        }
    }
    all.extend([
        format!("{token}="),
        format!("{token}=="),
        format!("{token}%3D"),
        format!("{token}A"),
        format!("{token}\0"),
        format!("{token}\n"),
        format!(" {token}"),
        format!("{token} "),
        format!("{token}{token}"),
        token.to_lowercase(),
        token.to_uppercase(),
        token.replacen('_', "", 1),
        token.replace('-', "+"),
        token.replace('_', "/"),
    ]);
    all.retain(|other| other != token);
    all
}

fn assert_refused(reply: &Reply, what: &str) {
    assert_eq!(reply.status, 400, "{what:?}: {}", reply.body);
    let error = json(reply)["error"].clone();
    let known = error == "invalid_grant" || error == "invalid_request";
    assert!(known, "{what:?}: {}", reply.body);
}

#[tokio::test]
async fn a_026_only_the_whole_text_of_a_token_or_code_is_good() {
    let mut connecting = Connecting::new().await;
    let clock = connecting.test.clock.clone();
    let tokens = connecting.tokens().await;
    let token = text(&tokens, "refresh_token");
    let before = connecting.grants().await;
    for (count, other) in nearly(token).iter().enumerate() {
        if count % 100 == 99 {
            // Who is wrong so often has to wait.
            clock.advance(Duration::from_secs(10));
        }
        assert_refused(&connecting.refresh(other, &[]).await, other);
    }
    assert_eq!(connecting.grants().await, before, "nothing changed");
    assert_eq!(connecting.refresh(token, &[]).await.status, 200);

    let code = connecting.code(&[]).await;
    for (count, other) in nearly(&code).iter().enumerate() {
        if count % 100 == 99 {
            clock.advance(Duration::from_secs(8));
        }
        assert_refused(&connecting.redeem(other, &[]).await, other);
    }
    assert_eq!(connecting.redeem(&code, &[]).await.status, 200);
}
