//! Documents that have to be fetched for an authorization request.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use keystile_fetch::{ClientDocuments, FetchOptions, Fetcher};
use keystile_issuer::peer::Peer;
use keystile_testkit::issuer::TestApp;

use crate::{authorize_url, get, own_page, send};

/// Documents are fetched.
fn fetching() -> TestApp {
    TestApp::new().with(|app| {
        let fetcher = Fetcher::new(FetchOptions::default()).expect("a fetcher");
        app.documents = ClientDocuments::fetching(fetcher);
    })
}

#[tokio::test]
async fn a_060_one_network_makes_this_server_fetch_a_bounded_number_of_documents() {
    let test = fetching();
    // Inside, so no packet is sent; each would be one fetch.
    let ask = async |from: [u8; 4], number: usize| {
        let client = format!("https://10.0.0.1/{number}.json");
        let mut request = Request::get(authorize_url(&client, &[]))
            .body(Body::empty())
            .expect("a legal request");
        request.extensions_mut().insert(Peer(from.into()));
        send(&test, request).await
    };
    for number in 0..20 {
        assert_eq!(ask([192, 0, 2, 7], number).await.status, 400, "{number}");
    }
    let refused = ask([192, 0, 2, 7], 20).await;
    own_page(&refused, "one too many");
    assert_eq!(
        (refused.status.as_u16(), refused.header("retry-after")),
        (429, "6")
    );
    let text = refused.text();
    assert!(
        text.contains("Wait 6 seconds, then start connecting again."),
        "{text}"
    );
    assert_eq!(
        ask([192, 0, 2, 7], 3).await.status,
        400,
        "an answer that is known costs nothing"
    );
    assert_eq!(ask([192, 0, 2, 8], 20).await.status, 400, "a neighbour");
    test.clock.advance(Duration::from_secs(6));
    assert_eq!(ask([192, 0, 2, 7], 21).await.status, 400, "it comes back");
}

#[tokio::test]
async fn a_document_that_cannot_be_had_tells_nothing_about_the_network() {
    let test = fetching();
    for inside in ["https://10.0.0.1/c.json", "https://127.0.0.1:1/c.json"] {
        let reply = get(&test, &authorize_url(inside, &[])).await;
        own_page(&reply, inside);
        let text = reply.text();
        assert!(text.contains("could not be fetched."), "{text}");
        assert!(
            !text.contains("address") && !text.contains("10.0.0.1"),
            "{text}"
        );
    }
}
