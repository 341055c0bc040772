//! Documents that change: while a sign-in is under way, and after it.

use keystile_testkit::hostile::{Answer, Hostile, json_reply, reply};
use serde_json::{Value, json};

use crate::person::{allow, authorize, begin, browser, code, reach_consent, redeem};
use crate::published::{CALLBACK, id, native, open_gate};

const OLD: &str = "https://desk.example/old";
const NEW: &str = "https://desk.example/new";

/// A document with this one redirect.
fn leading_to(host: &Hostile, path: &str, redirect: &str) -> Value {
    let mut document = native(host, path);
    document["redirect_uris"] = json!([redirect]);
    document
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_059_a_transaction_is_judged_by_the_document_that_it_began_with() {
    const PATH: &str = "/moving.json";
    const NEVER_KEPT: &str = "cache-control: no-store\r\n";
    let host = Hostile::start().await;
    host.serve(PATH, NEVER_KEPT, &leading_to(&host, PATH, OLD));
    let gate = open_gate(&host, &[]).with_account();
    let client_id = id(&host, PATH);
    let mut person = browser(&gate);
    let consent = reach_consent(&mut person, &authorize(&client_id, OLD)).await;
    assert!(consent.text().contains(OLD), "{}", consent.text());

    host.serve(PATH, NEVER_KEPT, &leading_to(&host, PATH, NEW));
    let answer = allow(&mut person, &consent).await;
    let location = answer.location().expect("back to the client");
    assert!(location.starts_with(&format!("{OLD}?")), "{location}");
    let code = code(&answer);
    let (status, refused) = redeem(&gate, &client_id, NEW, &code).await;
    assert_eq!(
        (status, &refused["error"]),
        (400, &json!("invalid_grant")),
        "the new redirect is of no use here"
    );
    let (status, tokens) = redeem(&gate, &client_id, OLD, &code).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(host.hits(PATH), 1, "the token endpoint asks nobody");

    let stale = begin(&gate, &client_id, OLD)
        .await
        .expect_err("the old redirect is dead");
    assert!(
        stale
            .text()
            .contains("redirect_uri is not one that this client registered.")
    );
    begin(&gate, &client_id, NEW)
        .await
        .expect("a sign-in begins");
    gate.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_061_a_good_document_that_turned_bad_lets_nobody_in() {
    let host = Hostile::start().await;
    let gate = open_gate(&host, &[]);
    let answers = |path: &str| {
        let status = |line: &str| {
            Answer::Raw(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n").into_bytes())
        };
        let mut secret = native(&host, path);
        secret["client_secret"] = json!("hunter2");
        [
            status("404 Not Found"),
            status("410 Gone"),
            // It said `no-cache`, so a failing host does not excuse the old one.
            status("500 Internal Server Error"),
            status("302 Found\r\nlocation: /"),
            Answer::Raw(reply("content-type: text/html\r\n", b"<h1>Lantern</h1>")),
            Answer::Raw(json_reply("", &secret)),
            Answer::Raw(json_reply("", &leading_to(&host, path, NEW))),
        ]
    };
    for index in 0..answers("").len() {
        let path = format!("/turning/{index}.json");
        let client_id = id(&host, &path);
        host.serve(&path, "cache-control: no-cache\r\n", &native(&host, &path));
        begin(&gate, &client_id, CALLBACK)
            .await
            .expect("a sign-in begins");
        host.answer(&path, answers(&path)[index].clone());
        let refused = begin(&gate, &client_id, CALLBACK).await.expect_err(&path);
        assert_eq!(
            (refused.status.as_u16(), refused.location()),
            (400, None),
            "{path}"
        );
        assert_eq!(host.hits(&path), 2, "{path}");
    }
    gate.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_fails_for_a_while_keeps_nobody_out() {
    let host = Hostile::start().await;
    let gate = open_gate(&host, &[]);
    host.serve(
        "/c.json",
        "cache-control: max-age=0\r\n",
        &native(&host, "/c.json"),
    );
    let client_id = id(&host, "/c.json");
    begin(&gate, &client_id, CALLBACK)
        .await
        .expect("a sign-in begins");
    host.status("/c.json", "503 Service Unavailable");
    begin(&gate, &client_id, CALLBACK)
        .await
        .expect("a sign-in begins");
    assert_eq!(host.hits("/c.json"), 2);
    // And it is left alone for half a minute.
    begin(&gate, &client_id, CALLBACK)
        .await
        .expect("a sign-in begins");
    assert_eq!(host.hits("/c.json"), 2);
    gate.stop();
}
