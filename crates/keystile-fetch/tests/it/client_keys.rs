//! The keys of clients at their `jwks_uri`.

use keystile_fetch::{ClientKeys, FetchError, KeysError, Limits};
use keystile_protocol::jwt::KeySetError;
use keystile_testkit::assertion::ClientKey;
use keystile_testkit::hostile::{Answer, Hostile, json_reply};
use serde_json::{Value, json};
use url::Url;

use crate::{NOW, fetcher, names};

const MINUTE: i64 = 60_000;

struct Bench {
    host: Hostile,
    keys: ClientKeys,
    url: Url,
}

impl Bench {
    async fn serving(jwks: &Value) -> Self {
        let host = Hostile::start().await;
        host.answer("/jwks", Answer::Raw(json_reply("", jwks)));
        let keys = ClientKeys::fetching(fetcher(&host, &names(&host), Limits::default()));
        let url = host.url("/jwks").parse().expect("a URL");
        Self { host, keys, url }
    }

    async fn ask(&self, kid: &str, at: i64) -> Result<bool, KeysError> {
        let found = self.keys.lookup(&self.url, Some(kid), NOW + at).await;
        found.map(|keys| keys.has(kid))
    }

    fn asked(&self) -> usize {
        self.host.hits("/jwks")
    }
}

#[tokio::test]
async fn a_082_unknown_kids_cause_one_question_a_minute() {
    let bench = Bench::serving(&ClientKey::es256("1").jwks()).await;
    let all = (0..10_000).map(|n| bench.ask(if n % 2 == 0 { "1" } else { "unknown" }, n % MINUTE));
    for found in futures_util::future::join_all(all).await {
        assert!(found.is_ok(), "{found:?}");
    }
    assert_eq!(bench.asked(), 1);
    assert_eq!(bench.ask("unknown", MINUTE - 1).await, Ok(false));
    assert_eq!(bench.asked(), 1, "nor after the first answer came");
    assert_eq!(bench.ask("1", 2 * MINUTE).await, Ok(true));
    assert_eq!(
        bench.asked(),
        1,
        "known keys are not asked for again so soon"
    );
    let new = json!({"keys": [ClientKey::es256("1").jwk(), ClientKey::eddsa("2").jwk()]});
    bench
        .host
        .answer("/jwks", Answer::Raw(json_reply("", &new)));
    assert_eq!(
        bench.ask("2", 2 * MINUTE).await,
        Ok(true),
        "a new key works at once"
    );
    assert_eq!(bench.asked(), 2);
}

#[tokio::test]
async fn a_key_that_was_withdrawn_is_dead_and_a_host_that_fails_is_excused_for_a_while() {
    let bench = Bench::serving(&ClientKey::es256("1").jwks()).await;
    assert_eq!(bench.ask("1", 0).await, Ok(true));
    bench.host.answer(
        "/jwks",
        Answer::Raw(b"HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n".to_vec()),
    );
    assert_eq!(bench.ask("1", 6 * MINUTE).await, Ok(true), "excused");
    let late = bench.ask("1", 61 * MINUTE).await;
    assert_eq!(late, Err(KeysError::Fetch(FetchError::Status(503))));
    let others = ClientKey::es256("2").jwks();
    bench
        .host
        .answer("/jwks", Answer::Raw(json_reply("", &others)));
    assert_eq!(bench.ask("1", 62 * MINUTE).await, Ok(false), "withdrawn");
    bench
        .host
        .answer("/jwks", Answer::Raw(json_reply("", &json!({}))));
    let bad = bench.ask("2", 70 * MINUTE).await;
    assert_eq!(bad, Err(KeysError::Invalid(KeySetError::Malformed)));
    assert_eq!(
        ClientKeys::closed()
            .lookup(&bench.url, None, NOW)
            .await
            .err(),
        Some(KeysError::Closed)
    );
}
