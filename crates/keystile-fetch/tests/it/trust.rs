//! Which hosts are asked at all, and how well each is known.

use keystile_fetch::{ClientDocuments, ClientHosts, Limits, LookupError, Source, Tier};
use keystile_testkit::hostile::Hostile;

use crate::{NOW, fetcher, id, names};

const CLAUDE_CODE: &str = "https://claude.ai/oauth/claude-code-client-metadata";

fn documents(host: &Hostile, no_other: bool, trusted: &[&str]) -> ClientDocuments {
    let names = names(host);
    let trusted = trusted.iter().map(|text| text.parse().expect("a host"));
    let hosts = ClientHosts {
        trusted: trusted.collect(),
        no_other,
    };
    ClientDocuments::fetching_from(fetcher(host, &names, Limits::default()), hosts)
}

/// The name of the hostile host, with its port.
fn listed(host: &Hostile, name: &str) -> String {
    let url = host.url_at(name, "");
    url.trim_start_matches("https://").to_owned()
}

#[tokio::test]
async fn n_as_13_a_host_that_is_not_listed_gets_no_packet() {
    let host = Hostile::start().await;
    host.serve_good("/c.json", "");
    let client = listed(&host, "client.example");
    let port = client.split(':').nth(1).expect("a port");
    let (longer, shorter) = (format!("evil-{client}"), format!("example:{port}"));
    // Names that merely look like the listed one, and the right name on another port.
    for trusted in ["other.example", &longer, &shorter, "client.example"] {
        let trusted = [trusted];
        let documents = documents(&host, true, &trusted);
        let url = id(&host.url("/c.json"));
        assert!(!documents.may_fetch(&url), "{trusted:?}");
        let refused = documents.lookup_for(&url, NOW, || Err("not free")).await;
        assert_eq!(
            refused.expect("nothing to pay for").unwrap_err(),
            LookupError::NotListed,
            "{trusted:?}"
        );
    }
    assert_eq!(host.connections().await, 0);
    // The twin: the same host, listed.
    let documents = documents(&host, true, &[&client]);
    let found = documents.lookup(&id(&host.url("/c.json")), NOW).await;
    assert_eq!(found.expect("a document").source, Source::Fetched);
    assert_eq!(host.hits("/c.json"), 1);
}

#[tokio::test]
async fn a_shipped_document_serves_whatever_is_listed() {
    let host = Hostile::start().await;
    let documents = documents(&host, true, &[]);
    let found = documents.lookup(&id(CLAUDE_CODE), NOW).await;
    assert_eq!(found.expect("a document").source, Source::Pinned);
    assert_eq!(host.connections().await, 0);
}

#[tokio::test]
async fn each_client_has_its_tier() {
    let host = Hostile::start().await;
    let client = listed(&host, "client.example");
    let documents = documents(&host, false, &[&client]);
    for (url, tier) in [
        (CLAUDE_CODE.to_owned(), Tier::Pinned),
        (host.url("/c.json"), Tier::TrustedHost),
        (host.url_at("other.example", "/c.json"), Tier::Unknown),
        ("https://claude.ai/oauth/another".to_owned(), Tier::Unknown),
    ] {
        assert_eq!(documents.tier(&id(&url)), tier, "{url}");
    }
}
