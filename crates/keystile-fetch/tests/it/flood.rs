//! Nobody can keep this server busy with documents.

use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::future::join_all;
use keystile_fetch::{ClientDocuments, FetchError, FetchOptions, Fetcher, Limits};
use keystile_testkit::hostile::{Answer, Hostile, reply};

use crate::{NOW, documents, fetcher, id, impatient, names};

#[tokio::test]
async fn a_060_a_document_is_taken_up_to_its_limit_and_uncompressed() {
    let host = Hostile::start().await;
    let documents = documents(&host);
    let mut huge = host.good("/huge").to_string();
    huge.push_str(&" ".repeat(2_000_000));
    host.answer(
        "/huge",
        Answer::Raw(reply("content-type: application/json\r\n", huge.as_bytes())),
    );
    host.answer("/endless", Answer::Endless);
    let good = host.good("/gzip").to_string();
    let gzip = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
    host.answer("/gzip", Answer::Raw(reply(gzip, good.as_bytes())));
    let cases = [
        ("/huge", FetchError::TooLarge(5120)),
        ("/endless", FetchError::TooLarge(5120)),
        ("/gzip", FetchError::Encoded),
    ];
    for (path, error) in cases {
        let found = documents.lookup(&id(&host.url(path)), NOW).await;
        assert_eq!(found, Err(error.into()), "{path}");
    }
    for head in host.heads() {
        assert_eq!(head.header("accept-encoding"), Some("identity"));
    }
}

#[tokio::test]
async fn a_060_a_slow_host_costs_no_more_than_the_time_limit() {
    let host = Hostile::start().await;
    let names = names(&host);
    let documents = ClientDocuments::fetching(fetcher(&host, &names, impatient()));
    host.answer("/drip", Answer::Drip);
    host.answer("/hold", Answer::Hold);
    for path in ["/drip", "/hold"] {
        let url = id(&host.url(path));
        let lookup = documents.lookup(&url, NOW);
        let found = tokio::time::timeout(impatient().total * 10, lookup).await;
        assert_eq!(found, Ok(Err(FetchError::Timeout.into())), "{path}");
    }
    let options = FetchOptions {
        resolver: Some(crate::names::silent()),
        limits: impatient(),
        ..FetchOptions::default()
    };
    let documents = ClientDocuments::fetching(Fetcher::new(options).expect("a fetcher"));
    let found = documents
        .lookup(&id("https://client.example/c.json"), NOW)
        .await;
    assert_eq!(
        found,
        Err(FetchError::Timeout.into()),
        "a resolver that never answers"
    );
    assert_eq!(Limits::default().total, Duration::from_secs(3));
}

/// 500 tarpits under many names, all on one address, and an honest host beside them.
#[tokio::test]
async fn a_060_a_tarpit_holds_a_few_connections_and_delays_nobody_else() {
    let tarpit = Hostile::start().await;
    let honest = tarpit.start_beside(Ipv4Addr::new(127, 0, 0, 2)).await;
    honest.serve_good("/c.json", "");
    let names = names(&honest);
    let options = FetchOptions {
        danger_allow: vec!["127.0.0.0/8".parse().expect("a network")],
        extra_ca_file: Some(tarpit.ca_file()),
        resolver: Some(names.clone()),
        limits: Limits::default(),
    };
    let documents = ClientDocuments::fetching(Fetcher::new(options).expect("a fetcher"));
    tarpit.hold_all();
    let attack: Vec<_> = (0..500)
        .map(|index| {
            let name = format!("n{}.tarpit.example", index % 250);
            names.always(&name, &[tarpit.ip()]);
            let url = id(&tarpit.url_at(&name, &format!("/{index}")));
            let documents = documents.clone();
            tokio::spawn(async move { documents.lookup(&url, NOW).await })
        })
        .collect();
    tarpit.opened(4).await;
    let found = documents.lookup(&id(&honest.url("/c.json")), NOW).await;
    assert!(found.is_ok(), "{found:?}");
    assert!(
        attack.iter().all(|lookup| !lookup.is_finished()),
        "the attack still goes on"
    );
    for lookup in attack {
        assert!(lookup.await.expect("the lookup ends").is_err());
    }
    assert!(
        tarpit.most_open() <= 4,
        "{} connections at once",
        tarpit.most_open()
    );
}

#[tokio::test]
async fn many_lookups_of_one_document_are_one_request() {
    let host = Hostile::start().await;
    // Even one that may not be kept.
    host.serve_good("/c.json", "cache-control: no-store\r\n");
    let documents = documents(&host);
    let url = id(&host.url("/c.json"));
    let found = join_all((0..200).map(|_| documents.lookup(&url, NOW))).await;
    assert!(found.iter().all(Result::is_ok));
    assert_eq!(host.hits("/c.json"), 1);
    documents.lookup(&url, NOW).await.expect("a document");
    assert_eq!(host.hits("/c.json"), 2);
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_take_the_answer_from_the_others() {
    let host = Hostile::start().await;
    host.answer("/c.json", Answer::Hold);
    let names = names(&host);
    let documents = ClientDocuments::fetching(fetcher(&host, &names, impatient()));
    let url = id(&host.url("/c.json"));
    let first = tokio::spawn({
        let (documents, url) = (documents.clone(), url.clone());
        async move { documents.lookup(&url, NOW).await }
    });
    host.opened(1).await;
    let second = documents.lookup(&url, NOW);
    first.abort();
    assert_eq!(second.await, Err(FetchError::Timeout.into()));
    assert_eq!(host.most_open(), 1);
}
