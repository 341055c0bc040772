//! How often the host is asked: as often as its headers say (RFC 9111).

use futures_util::future::join_all;
use keystile_testkit::hostile::{Answer, Hostile, json_reply};

use crate::gate::Gate;
use crate::person::begin;
use crate::published::{CALLBACK, id, native, open_gate, publish_native};

async fn begin_twice(gate: &Gate, client_id: &str) {
    for _ in 0..2 {
        begin(gate, client_id, CALLBACK).await.expect(client_id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_is_asked_for_as_often_as_its_headers_say() {
    let host = Hostile::start().await;
    let gate = open_gate(&host, &[]);
    for (path, header, hits) in [
        ("/silent-about-it.json", "", 1),
        ("/max-age.json", "cache-control: max-age=600\r\n", 1),
        (
            "/aged.json",
            "cache-control: max-age=600\r\nage: 600\r\n",
            2,
        ),
        ("/no-store.json", "cache-control: no-store\r\n", 2),
        ("/no-cache.json", "cache-control: no-cache\r\n", 2),
        (
            "/s-maxage.json",
            "cache-control: max-age=600, s-maxage=0\r\n",
            2,
        ),
        ("/expired.json", "expires: 0\r\n", 2),
    ] {
        begin_twice(&gate, &publish_native(&host, path, header)).await;
        assert_eq!(host.hits(path), hits, "{path}");
    }
    gate.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_with_an_entity_tag_is_not_sent_again() {
    let host = Hostile::start().await;
    let gate = open_gate(&host, &[]);
    let header = "etag: \"one\"\r\ncache-control: no-cache\r\n";
    let full = json_reply(header, &native(&host, "/tagged.json"));
    host.answer("/tagged.json", Answer::Unless("\"one\"", full));
    begin_twice(&gate, &id(&host, "/tagged.json")).await;
    let heads = host.heads();
    let tags: Vec<_> = heads
        .iter()
        .map(|head| head.header("if-none-match"))
        .collect();
    assert_eq!(tags, [None, Some("\"one\"")]);
    gate.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_people_at_once_are_one_request_and_a_failure_is_remembered() {
    let host = Hostile::start().await;
    let gate = open_gate(&host, &[]);
    let good = publish_native(&host, "/popular.json", "");
    let begun = join_all((0..10).map(|_| begin(&gate, &good, CALLBACK))).await;
    assert!(begun.iter().all(Result::is_ok));
    assert_eq!(host.hits("/popular.json"), 1);

    let missing = id(&host, "/missing.json");
    let begun = join_all((0..10).map(|_| begin(&gate, &missing, CALLBACK))).await;
    assert!(begun.iter().all(Result::is_err));
    assert!(begin(&gate, &missing, CALLBACK).await.is_err());
    assert_eq!(host.hits("/missing.json"), 1);
    gate.stop();
}
