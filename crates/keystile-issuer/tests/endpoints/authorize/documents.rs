//! Documents that have to be fetched for an authorization request.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use keystile_fetch::FetchOptions;
use keystile_issuer::peer::Peer;
use keystile_testkit::hostile::Hostile;

use crate::fetching::{beside, fetching};
use crate::{authorize_url, get, own_page, send, told};

#[tokio::test]
async fn a_060_one_network_makes_this_server_fetch_a_bounded_number_of_documents() {
    let test = fetching(FetchOptions::default());
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
    let test = fetching(FetchOptions::default());
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

#[tokio::test]
async fn the_operator_is_told_what_is_wrong_with_a_document() {
    let host = Hostile::start().await;
    host.status("/gone", "404 Not Found");
    let mut of_another = host.good("/another");
    of_another["client_id"] = host.url("/own").into();
    host.serve("/another", "", &of_another);
    let test = fetching(beside(&host));
    for (client, reason) in [
        ("https://client.example:1/c.json".to_owned(), "unreachable"),
        (host.url("/gone"), "answer"),
        (host.url("/another"), "invalid"),
    ] {
        let reply = get(&test, &authorize_url(&client, &[])).await;
        own_page(&reply, reason);
        let told = told(&test, &reply);
        assert_eq!(told.reason, format!("client_document_{reason}"), "{told}");
        assert!(told.found.contains(&client), "{told}");
        assert!(!told.expected.is_empty() && !told.fix.is_empty(), "{told}");
    }
}
