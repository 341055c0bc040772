//! How long a document is believed.

use std::sync::Arc;

use keystile_fetch::{
    ClientDocuments, FetchError, FetchOptions, Fetcher, LookupError, MAX_FRESH_MS, Source,
};
use keystile_testkit::hostile::{Answer, Hostile, json_reply, reply};
use serde_json::json;

use crate::names::Names;
use crate::{NOW, documents, fetcher, id, impatient, names};

const MINUTE: i64 = 60_000;

#[tokio::test]
async fn n_as_09_a_document_is_kept_as_long_as_its_headers_say() {
    let host = Hostile::start().await;
    let documents = documents(&host);
    // Header, and for each lookup: its minute, how often the host was asked by then.
    let cases: &[(&str, &[(i64, usize)])] = &[
        (
            "cache-control: max-age=600\r\n",
            &[(0, 1), (9, 1), (10, 2), (19, 2), (20, 3)],
        ),
        (
            "cache-control: max-age=600, s-maxage=60\r\n",
            &[(0, 1), (1, 2)],
        ),
        (
            "cache-control: no-store, max-age=600\r\n",
            &[(0, 1), (0, 2), (0, 3)],
        ),
        ("cache-control: no-cache\r\n", &[(0, 1), (0, 2)]),
        ("cache-control: max-age=0\r\n", &[(0, 1), (0, 2)]),
        (
            "cache-control: max-age=600\r\nage: 300\r\n",
            &[(0, 1), (4, 1), (5, 2)],
        ),
        ("expires: 0\r\n", &[(0, 1), (0, 2)]),
        ("", &[(0, 1), (4, 1), (5, 2)]),
    ];
    for (index, (header, lookups)) in cases.iter().enumerate() {
        let path = format!("/{index}.json");
        host.serve_good(&path, header);
        for (minute, asked) in *lookups {
            let found = documents
                .lookup(&id(&host.url(&path)), NOW + minute * MINUTE)
                .await;
            assert!(found.is_ok(), "{header}: {found:?}");
            assert_eq!(host.hits(&path), *asked, "{header:?} at minute {minute}");
        }
    }
}

#[tokio::test]
async fn n_as_09_no_document_is_kept_for_more_than_a_day() {
    let host = Hostile::start().await;
    host.serve_good("/c.json", "cache-control: max-age=999999999, immutable\r\n");
    let (documents, url) = (documents(&host), id(&host.url("/c.json")));
    for (after, asked) in [(0, 1), (MAX_FRESH_MS - 1, 1), (MAX_FRESH_MS, 2)] {
        documents
            .lookup(&url, NOW + after)
            .await
            .expect("a document");
        assert_eq!(host.hits("/c.json"), asked);
    }
}

#[tokio::test]
async fn n_as_09_a_document_with_an_entity_tag_is_confirmed_not_sent_again() {
    let host = Hostile::start().await;
    let header = "cache-control: max-age=60\r\netag: \"v1\"\r\n";
    let body = json_reply(header, &host.good("/c.json"));
    host.answer("/c.json", Answer::Unless("\"v1\"", body));
    let (documents, url) = (documents(&host), id(&host.url("/c.json")));
    let first = documents.lookup(&url, NOW).await.expect("a document");
    let again = documents
        .lookup(&url, NOW + MINUTE)
        .await
        .expect("a document");
    assert!(Arc::ptr_eq(&first, &again), "a 304 has no body");
    let tags: Vec<_> = host
        .heads()
        .iter()
        .map(|head| head.header("if-none-match").map(str::to_owned))
        .collect();
    assert_eq!(tags, [None, Some("\"v1\"".to_owned())]);
    // The 304 said nothing new about caching, so the old word counts from then on.
    documents
        .lookup(&url, NOW + 2 * MINUTE - 1)
        .await
        .expect("a document");
    assert_eq!(host.hits("/c.json"), 2);

    let mut changed = host.good("/c.json");
    changed["redirect_uris"] = json!(["https://client.example/new"]);
    let header = "cache-control: max-age=60\r\netag: \"v2\"\r\n";
    host.answer(
        "/c.json",
        Answer::Unless("\"v2\"", json_reply(header, &changed)),
    );
    let changed = documents
        .lookup(&url, NOW + 2 * MINUTE)
        .await
        .expect("a document");
    assert_eq!(
        changed.metadata.redirect_uris,
        ["https://client.example/new"]
    );
}

#[tokio::test]
async fn a_failure_is_never_kept_as_a_document() {
    let host = Hostile::start().await;
    let (documents, url) = (documents(&host), id(&host.url("/c.json")));
    let long = "cache-control: max-age=86400\r\n";
    let wrong = json!({ "client_id": host.url("/c.json") });
    host.serve("/c.json", long, &wrong);
    assert!(matches!(
        documents.lookup(&url, NOW).await,
        Err(LookupError::Invalid(_))
    ));
    host.serve_good("/c.json", long);
    let early = documents.lookup(&url, NOW + MINUTE / 2 - 1).await;
    assert!(
        matches!(early, Err(LookupError::Invalid(_))),
        "remembered for half a minute"
    );
    assert_eq!(host.hits("/c.json"), 1);
    assert!(documents.lookup(&url, NOW + MINUTE / 2).await.is_ok());
    assert_eq!(host.hits("/c.json"), 2);
}

#[tokio::test]
async fn what_cannot_be_fetched_is_no_client() {
    let host = Hostile::start().await;
    let names = names(&host);
    let documents = ClientDocuments::fetching(fetcher(&host, &names, impatient()));
    host.status("/404", "404 Not Found");
    host.status("/500", "500 Oops");
    host.answer("/hold", Answer::Hold);
    host.answer(
        "/html",
        Answer::Raw(reply("content-type: text/html\r\n", b"<html>")),
    );
    host.answer("/garbage", Answer::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()));
    host.answer("/nothing", Answer::Raw(vec![]));
    let cases = [
        ("/404", FetchError::Status(404)),
        ("/500", FetchError::Status(500)),
        ("/hold", FetchError::Timeout),
        ("/html", FetchError::ContentType),
        ("/garbage", FetchError::Http),
        ("/nothing", FetchError::Http),
    ];
    for (path, error) in cases {
        let found = documents.lookup(&id(&host.url(path)), NOW).await;
        assert_eq!(found, Err(error.into()), "{path}");
    }
    let unknown = documents
        .lookup(&id("https://nowhere.example/c.json"), NOW)
        .await;
    assert_eq!(unknown, Err(FetchError::Unresolvable.into()));
}

/// The host denies the document, or sends another that is no good: the old one is dead at once.
#[tokio::test]
async fn a_061_an_old_document_dies_when_its_host_says_so() {
    let host = Hostile::start().await;
    let documents = documents(&host);
    let header = "cache-control: max-age=60, stale-if-error=86400\r\n";
    type Turn = fn(&Hostile, &str);
    let turns: [(&str, Turn); 6] = [
        ("/gone", |host, path| host.status(path, "410 Gone")),
        ("/missing", |host, path| host.status(path, "404 Not Found")),
        ("/forbidden", |host, path| {
            host.status(path, "403 Forbidden")
        }),
        ("/moved", |host, path| {
            host.status(path, "301 Moved\r\nlocation: /x")
        }),
        ("/page", |host, path| {
            host.answer(
                path,
                Answer::Raw(reply("content-type: text/html\r\n", b"<html>")),
            );
        }),
        ("/invalid", |host, path| {
            host.serve(path, "", &json!({ "client_id": host.url(path) }))
        }),
    ];
    for (path, turn) in turns {
        let url = id(&host.url(path));
        host.serve_good(path, header);
        documents.lookup(&url, NOW).await.expect("a document");
        turn(&host, path);
        let found = documents.lookup(&url, NOW + MINUTE).await;
        assert!(found.is_err(), "{path}: {found:?}");
        host.status(path, "500 Oops");
        let later = documents.lookup(&url, NOW + 2 * MINUTE).await;
        assert_eq!(
            later,
            Err(FetchError::Status(500).into()),
            "{path}: forgotten for good"
        );
    }
    let url = id(&host.url("/shrinks"));
    host.serve_good("/shrinks", header);
    documents.lookup(&url, NOW).await.expect("a document");
    let mut fewer = host.good("/shrinks");
    fewer["redirect_uris"] = json!(["https://client.example/only"]);
    host.serve("/shrinks", header, &fewer);
    let found = documents
        .lookup(&url, NOW + MINUTE)
        .await
        .expect("a document");
    assert_eq!(
        found.metadata.redirect_uris,
        ["https://client.example/only"]
    );
}

/// The host fails: the old document serves for a while, and then no longer.
#[tokio::test]
async fn a_061_a_failing_host_excuses_an_old_document_only_for_a_while() {
    let host = Hostile::start().await;
    let documents = documents(&host);
    let day = MAX_FRESH_MS;
    let cases: &[(&str, i64)] = &[
        ("cache-control: max-age=60\r\n", 11 * MINUTE),
        (
            "cache-control: max-age=60, stale-if-error=120\r\n",
            3 * MINUTE,
        ),
        (
            "cache-control: max-age=60, stale-if-error=999999999\r\n",
            day,
        ),
        ("cache-control: max-age=60, must-revalidate\r\n", MINUTE),
        ("cache-control: no-cache\r\n", 0),
        ("cache-control: no-store\r\n", 0),
    ];
    for (index, (header, until)) in cases.iter().enumerate() {
        let path = format!("/{index}.json");
        let url = id(&host.url(&path));
        host.serve_good(&path, header);
        documents.lookup(&url, NOW).await.expect("a document");
        host.status(&path, "503 Later");
        if *until > MINUTE {
            let found = documents.lookup(&url, NOW + until - 1).await;
            assert!(found.is_ok(), "{header:?}: {found:?}");
        }
        let found = documents.lookup(&url, NOW + until).await;
        assert_eq!(found, Err(FetchError::Status(503).into()), "{header:?}");
    }
}

#[tokio::test]
async fn a_failing_host_is_not_asked_again_for_half_a_minute() {
    let host = Hostile::start().await;
    let (documents, url) = (documents(&host), id(&host.url("/c.json")));
    host.serve_good("/c.json", "cache-control: max-age=60\r\n");
    documents.lookup(&url, NOW).await.expect("a document");
    host.status("/c.json", "500 Oops");
    for (seconds, asked) in [(60, 2), (61, 2), (89, 2), (90, 3)] {
        let found = documents.lookup(&url, NOW + seconds * 1000).await;
        assert!(found.is_ok(), "{found:?}");
        assert_eq!(host.hits("/c.json"), asked, "after {seconds} s");
    }
    host.serve_good("/c.json", "cache-control: max-age=60\r\n");
    documents
        .lookup(&url, NOW + 120_000)
        .await
        .expect("a document");
    assert_eq!(host.hits("/c.json"), 4);
}

#[tokio::test]
async fn a_known_client_is_served_from_here_when_its_host_fails_or_turns_servers_away() {
    let claude = "https://claude.ai/oauth/mcp-oauth-client-metadata";
    // Its host cannot be resolved here.
    let resolver = Some(Arc::new(Names::default()) as _);
    let options = FetchOptions {
        resolver,
        ..FetchOptions::default()
    };
    let documents = ClientDocuments::fetching(Fetcher::new(options).expect("a fetcher"));
    let found = documents
        .lookup(&id(claude), NOW)
        .await
        .expect("a document");
    assert_eq!(found.source, Source::Pinned);
    let lookalike = documents.lookup(&id(&format!("{claude}.json")), NOW).await;
    assert_eq!(lookalike, Err(FetchError::Unresolvable.into()));
}
