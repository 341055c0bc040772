//! Clients whose `client_id` is a URL and who sign who they are.

use axum::body::Body;
use http::Request;
use keystile_domain::ports::{Clients, Clock as _};
use keystile_fetch::FetchOptions;
use keystile_issuer::peer::Peer;
use keystile_testkit::assertion::ClientKey;
use keystile_testkit::browser::Reply;
use keystile_testkit::hostile::{Answer, Hostile, json_reply};
use keystile_testkit::issuer::TestApp;
use serde_json::json;

use crate::fetching::fetching;
use crate::knocking::JWT_BEARER;
use crate::{authorize_url, changed, get, own_page, refused, send};

const ISSUER: &str = "http://localhost:7717";
const STRANGER: [u8; 4] = [203, 0, 113, 7];
const NEIGHBOUR: [u8; 4] = [203, 0, 113, 8];

/// Asks for a token as the client of this document.
async fn ask(test: &TestApp, from: [u8; 4], client: &str, key: &ClientKey) -> Reply {
    let now = test.clock.now().seconds();
    let assertion = key.assertion(client, ISSUER, now, "1");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "ksr_none"),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", &assertion),
    ];
    let request = Request::post("/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .extension(Peer(from.into()))
        .body(Body::from(changed(&form, &[])));
    send(test, request.expect("a legal request")).await
}

#[tokio::test]
async fn a_060_who_shows_assertions_of_strange_documents_starves_only_their_own_network() {
    let test = fetching(FetchOptions::default());
    let key = ClientKey::es256("1");
    // Inside, so no packet is sent; each would be one fetch.
    let client = |number: usize| format!("https://10.0.0.1/{number}.json");
    for number in 0..20 {
        let reply = ask(&test, STRANGER, &client(number), &key).await;
        assert_eq!(refused(&reply).0, 401, "{number}");
    }
    let reply = ask(&test, STRANGER, &client(20), &key).await;
    assert_eq!(refused(&reply), (429, "temporarily_unavailable".to_owned()));
    assert_eq!(reply.header("retry-after"), "6");
    let reply = ask(&test, NEIGHBOUR, &client(20), &key).await;
    assert_eq!(refused(&reply).0, 401, "a neighbour");
}

#[tokio::test]
async fn a_055_the_keys_of_a_document_are_on_its_own_origin() {
    let (host, beside) = (Hostile::start().await, Hostile::start().await);
    let key = ClientKey::es256("1");
    let jwks = Answer::Raw(json_reply("", &key.jwks()));
    host.answer("/jwks", jwks.clone());
    let serve = |path: &str, jwks_uri: String| {
        let mut document = host.good(path);
        document["token_endpoint_auth_method"] = json!("private_key_jwt");
        document["jwks_uri"] = json!(jwks_uri);
        host.serve(path, "", &document);
    };
    let test = fetching(crate::fetching::beside(&host));
    // The same name, and whoever listens on another port of it.
    serve("/beside", beside.url("/jwks"));
    let reply = ask(&test, STRANGER, &host.url("/beside"), &key).await;
    assert_eq!(refused(&reply), (401, "invalid_client".to_owned()));
    assert_eq!(beside.connections().await, 0);
    // The twin: its own.
    serve("/own", host.url("/jwks"));
    let reply = ask(&test, STRANGER, &host.url("/own"), &key).await;
    assert_eq!(refused(&reply), (400, "invalid_grant".to_owned()));
    assert_eq!(host.hits("/jwks"), 1);
}

#[tokio::test]
async fn a_025_nothing_is_done_for_a_disabled_client() {
    let test = fetching(FetchOptions::default());
    let (client, key) = ("https://10.0.0.1/c.json", ClientKey::es256("1"));
    let now = test.clock.now();
    Clients::disable(&*test.store, client, now)
        .await
        .expect("memory");
    // More than one network may have fetched, so nothing was.
    for number in 0..30 {
        let reply = ask(&test, STRANGER, client, &key).await;
        assert_eq!(refused(&reply).0, 401, "{number}");
        assert!(reply.body.contains("disabled"), "{}", reply.body);
        let page = get(&test, &authorize_url(client, &[])).await;
        own_page(&page, "disabled");
        assert!(page.text().contains("disabled"), "{}", page.text());
    }
    let other = "https://10.0.0.1/other.json";
    let reply = ask(&test, STRANGER, other, &key).await;
    assert_eq!(refused(&reply).0, 401, "nothing was paid for");
    assert!(!reply.body.contains("disabled"), "{}", reply.body);
}
