//! Documents that are no good, and redirects that a good one does not list: a page of our own, always.

use keystile_testkit::browser::Reply;
use keystile_testkit::hostile::{Answer, Hostile, json_reply, reply};
use serde_json::{Value, json};

use crate::person::{allow, authorize, begin, browser, reach_consent};
use crate::published::{CALLBACK, id, native, open_gate, publish_native};

/// A page of our own that leads nowhere, with this code and sentence.
fn assert_page(refused: &Reply, code: &str, sentence: &str) {
    let text = refused.text();
    assert_eq!(refused.status, 400, "{text}");
    assert_eq!(refused.location(), None);
    assert!(refused.header("content-type").starts_with("text/html"));
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.contains(&sentence), "no {sentence:?} in:\n{text}");
    assert!(lines.contains(&code), "no {code} in:\n{text}");
    assert!(text.contains("KS-"), "no reference in:\n{text}");
}

fn html() -> Answer {
    let page = b"<!doctype html><title>Sign in to Lantern</title>";
    Answer::Raw(reply("content-type: text/html\r\n", page))
}

fn with(mut document: Value, member: &str, value: Value) -> Answer {
    document[member] = value;
    Answer::Raw(json_reply("", &document))
}

fn raw(status: &str, header: &str) -> Answer {
    let head = format!("HTTP/1.1 {status}\r\n{header}content-length: 0\r\n\r\n");
    Answer::Raw(head.into_bytes())
}

/// What a host may answer, and the sentence on the page.
fn bad_documents(host: &Hostile) -> Vec<(&'static str, Answer, &'static str)> {
    const NOT_FETCHED: &str =
        "The client can't be used: the client metadata document could not be fetched.";
    let document = |path: &str| native(host, path);
    let spaces = " ".repeat(6000);
    let huge = reply("content-type: application/json\r\n", spaces.as_bytes());
    let location = format!("location: {}\r\n", id(host, "/good.json"));
    let many = vec![CALLBACK; 33];
    vec![
        (
            "/other-id.json",
            with(
                document("/other-id.json"),
                "client_id",
                json!(id(host, "/good.json")),
            ),
            "The client can't be used: the client metadata document is not valid: the client_id in the document is not the URL it was fetched from.",
        ),
        (
            "/html",
            html(),
            "The client can't be used: the client metadata document could not be fetched: the answer is not of the expected content type.",
        ),
        (
            "/huge.json",
            Answer::Raw(huge),
            "The client can't be used: the client metadata document could not be fetched: the answer has more than 5120 bytes.",
        ),
        (
            "/endless.json",
            Answer::Endless,
            "The client can't be used: the client metadata document could not be fetched: the answer has more than 5120 bytes.",
        ),
        (
            "/redirecting.json",
            raw("302 Found", &location),
            "The client can't be used: the client metadata document could not be fetched: the host answered with a redirect (302), and redirects are not followed.",
        ),
        (
            "/gone.json",
            raw("410 Gone", ""),
            "The client can't be used: the client metadata document could not be fetched: the host answered with status 410.",
        ),
        (
            "/secret.json",
            with(document("/secret.json"), "client_secret", json!("hunter2")),
            "The client can't be used: the client metadata document is not valid: the document has a client_secret, which would be public.",
        ),
        (
            "/keys.json",
            with(
                document("/keys.json"),
                "token_endpoint_auth_method",
                json!("private_key_jwt"),
            ),
            "The client's document has to name token_endpoint_auth_method none, or private_key_jwt with its public keys: as jwks, or at a jwks_uri on the document's own origin.",
        ),
        (
            "/many.json",
            with(document("/many.json"), "redirect_uris", json!(many)),
            "The client can't be used: the client metadata document is not valid: redirect_uris is too long; at most 2048 bytes a string and 32 entries a list.",
        ),
        ("/slow.json", Answer::Drip, NOT_FETCHED),
        ("/silent.json", Answer::Hold, NOT_FETCHED),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_document_ends_on_a_page_that_says_what_is_wrong_with_it() {
    let host = Hostile::start().await;
    publish_native(&host, "/good.json", "");
    let gate = open_gate(&host, &[]);
    for (path, answer, sentence) in bad_documents(&host) {
        host.answer(path, answer);
        let refused = begin(&gate, &id(&host, path), CALLBACK).await;
        let refused = refused.expect_err(path);
        assert_page(&refused, "invalid_client", sentence);
        assert_eq!(host.hits(path), 1, "{path}");
        for theirs in ["Sign in to Lantern", "hunter2"] {
            assert!(!refused.body.contains(theirs), "{}", refused.text());
        }
    }
    assert_eq!(host.hits("/good.json"), 0, "no redirect was followed");
    gate.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_id_that_is_no_good_url_is_never_asked_for() {
    let host = Hostile::start().await;
    let good = publish_native(&host, "/good.json", "");
    let gate = open_gate(&host, &[]);
    for spelling in [
        good.replace("https", "http"),
        good.replace("https", "HTTPS"),
        good.replace("localhost", "LOCALHOST"),
        good.replace("https://", "https://user@"),
        good.replace("/good", "/x/../good"),
        format!("{good}#fragment"),
        format!("{good}?"),
        good.replace("/good.json", "/"),
    ] {
        let refused = begin(&gate, &spelling, CALLBACK)
            .await
            .expect_err(&spelling);
        assert_eq!((refused.status.as_u16(), refused.location()), (400, None));
        let text = refused.text();
        assert!(text.contains("invalid_client"), "{spelling}: {text}");
        assert!(text.contains("client_id: "), "{spelling}: {text}");
    }
    assert_eq!(host.connections().await, 0);
    gate.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n_as_07_a_redirect_outside_of_the_fetched_document_goes_nowhere() {
    let host = Hostile::start().await;
    let native_id = publish_native(&host, "/native.json", "");
    let mut web = native(&host, "/web.json");
    web["application_type"] = json!("web");
    web["redirect_uris"] = json!([
        "https://desk.example/cb",
        "http://desk.example/cb",
        "https://*.desk.example/cb"
    ]);
    host.serve("/web.json", "", &web);
    let web_id = id(&host, "/web.json");
    let gate = open_gate(&host, &[]);
    for (client, listed) in [
        (&native_id, CALLBACK),
        (&native_id, "http://localhost/callback"),
        (&web_id, "https://desk.example/cb"),
    ] {
        begin(&gate, client, listed).await.expect(listed);
    }
    for (client, other) in [
        (&native_id, "http://127.0.0.1:49152/callback/next"),
        (&native_id, "http://127.0.0.1:49152/"),
        (&native_id, "https://evil.example/callback"),
        (&web_id, "https://desk.example/cb/next"),
        (&web_id, "https://desk.example/cb?next=1"),
        (&web_id, "https://desk.example:8443/cb"),
        (&web_id, "https://evil.desk.example/cb"),
        (&web_id, "https://*.desk.example/cb"),
        (&web_id, "http://desk.example/cb"),
        (&web_id, CALLBACK),
    ] {
        let refused = begin(&gate, client, other).await.expect_err(other);
        assert_eq!(
            (refused.status.as_u16(), refused.location()),
            (400, None),
            "{other}"
        );
        assert!(
            refused.text().contains("invalid_request"),
            "{}",
            refused.text()
        );
    }
    gate.stop();
}

/// What is needed of the document travels in an address, with the longest `state` that is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_document_and_state_still_fit() {
    let host = Hostile::start().await;
    let mut document = native(&host, "/large.json");
    let uri = |number| format!("https://desk.example/{}/{number:02}", "a".repeat(115));
    document["redirect_uris"] = (0..32).map(|number| json!(uri(number))).collect();
    let length = document.to_string().len();
    assert!((4500..=5120).contains(&length), "{length}");
    host.serve("/large.json", "", &document);
    let gate = open_gate(&host, &[]).with_account();
    let (state, mut person) = ("s".repeat(3072), browser(&gate));
    let path = authorize(&id(&host, "/large.json"), &uri(31)).replace("st%26te", &state);
    let consent = reach_consent(&mut person, &path).await;
    let answer = allow(&mut person, &consent).await;
    let location = answer.location().expect("back to the client");
    assert!(location.starts_with(&format!("{}?", uri(31))), "{location}");
    assert!(location.contains(&state));
    gate.stop();
}
