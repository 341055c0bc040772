//! What a person sees when a client of a document asks.

use keystile_testkit::hostile::Hostile;
use serde_json::json;

use crate::person::{authorize, browser, reach_consent};
use crate::published::{CALLBACK, authority, id, native, open_gate, publish_native};

const ANY_PROGRAM: &str = "Any program on this computer could have asked this.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_of_the_document_stands_before_the_name_that_it_chose() {
    let host = Hostile::start().await;
    let gate = open_gate(&host, &[]).with_account();
    let client_id = publish_native(&host, "/native.json", "");
    let mut person = browser(&gate);
    let consent = reach_consent(&mut person, &authorize(&client_id, CALLBACK)).await;
    let text = consent.text();
    let lines: Vec<_> = text.lines().collect();
    let who = lines.iter().position(|line| *line == "Connect this app?");
    let who = who.unwrap_or_else(|| panic!("no question in:\n{text}"));
    assert_eq!(lines[who + 1], authority(&client_id), "{text}");
    assert_eq!(
        lines[who + 2],
        "It calls itself “Lantern”. Apps choose that name; Keystile cannot check it."
    );
    assert!(text.contains(ANY_PROGRAM), "{text}");
    assert!(text.contains(CALLBACK), "{text}");
    gate.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_borrowed_name_is_told_and_a_redirect_to_a_site_is_no_loopback() {
    let host = Hostile::start().await;
    let gate = open_gate(&host, &[]).with_account();
    let mut document = native(&host, "/borrowed.json");
    document["client_name"] = json!("Claude");
    document["redirect_uris"] = json!(["https://desk.example/cb", "http://127.0.0.1/callback"]);
    host.serve("/borrowed.json", "", &document);
    let path = authorize(&id(&host, "/borrowed.json"), "https://desk.example/cb");
    let consent = reach_consent(&mut browser(&gate), &path).await;
    let text = consent.text();
    assert!(
        text.contains("The name looks like Claude, the address does not."),
        "{text}"
    );
    assert!(!text.contains(ANY_PROGRAM), "{text}");
    assert!(text.contains("desk.example"), "{text}");
    gate.stop();
}
