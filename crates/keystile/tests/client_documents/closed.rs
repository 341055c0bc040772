//! Where nothing is asked: hosts that are not on the public internet, and a gate that fetches nothing at all.

use keystile_testkit::browser::Reply;
use keystile_testkit::hostile::Hostile;
use serde_json::Value;

use crate::gate::Gate;
use crate::person::{allow, authorize, begin, browser, code, reach_consent, redeem};
use crate::published::{CALLBACK, gate, id, native, open_gate, publish_native};

const CLAUDE_CODE: &str = "https://claude.ai/oauth/claude-code-client-metadata";

async fn metadata(gate: &Gate) -> Value {
    let path = "/.well-known/oauth-authorization-server";
    let reply = browser(gate).get(path).await;
    serde_json::from_str(&reply.body).expect("JSON")
}

/// The page that a stranger gets: it tells nothing about the network behind this server.
fn assert_says_nothing_about_the_network(refused: &Reply) {
    assert_eq!(refused.status, 400);
    assert_eq!(refused.location(), None);
    let text = refused.text();
    for words in [
        "This app is not known here",
        "The client can't be used: the client metadata document could not be fetched.",
        "invalid_client",
        "Whoever runs this server finds out more with: keystile doctor KS-",
    ] {
        assert!(text.contains(words), "no {words:?} in:\n{text}");
    }
    for word in ["public internet", "danger", "127.0.0.1", "resolve"] {
        assert!(!text.contains(word), "{word:?} in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_051_a_host_on_this_machine_gets_no_packet_unless_the_operator_named_it() {
    let host = Hostile::start().await;
    host.serve("/c.json", "", &native(&host, "/c.json"));
    let closed = gate(&host, &[]);
    for name in ["localhost", "127.0.0.1"] {
        let client_id = host.url_at(name, "/c.json");
        let refused = begin(&closed, &client_id, CALLBACK).await;
        assert_says_nothing_about_the_network(&refused.expect_err("refused"));
    }
    assert_eq!(host.connections().await, 0);
    // The operator reads what the stranger doesn't.
    let log = closed.log();
    assert!(
        log.contains(
            "the host is not on the public internet; for an intranet name it with --danger-fetch-allow"
        ),
        "{log}"
    );
    closed.stop();
}

/// The twin: the same host and document, and the one setting that lets it through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_the_operator_named_is_asked_and_no_other() {
    let host = Hostile::start().await;
    let client_id = publish_native(&host, "/c.json", "");
    let open = open_gate(&host, &[]);
    begin(&open, &client_id, CALLBACK)
        .await
        .expect("a sign-in begins");
    assert_eq!(host.hits("/c.json"), 1);
    // Another name for the same machine is another name.
    let refused = begin(&open, &host.url_at("127.0.0.1", "/c.json"), CALLBACK).await;
    assert_says_nothing_about_the_network(&refused.expect_err("refused"));
    assert_eq!(host.connections().await, 1);
    open.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (host, other) = (Hostile::start().await, Hostile::start().await);
    let client_id = publish_native(&host, "/c.json", "");
    let gate = open_gate(&other, &[]);
    let refused = begin(&gate, &client_id, CALLBACK).await;
    assert_says_nothing_about_the_network(&refused.expect_err("refused"));
    assert_eq!(host.hits("/c.json"), 0, "nothing was asked");
    assert!(gate.log().contains("its certificate may not be trusted"));
    gate.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n_as_05_an_air_gapped_server_says_so_and_asks_nobody() {
    let host = Hostile::start().await;
    let client_id = publish_native(&host, "/c.json", "");
    let air_gapped = open_gate(&host, &["--air-gapped"]);
    let supported = "client_id_metadata_document_supported";
    assert_eq!(metadata(&air_gapped).await[supported], false);

    let refused = begin(&air_gapped, &client_id, CALLBACK).await;
    let refused = refused.expect_err("not a known client");
    assert_eq!(refused.status, 400);
    assert_eq!(refused.location(), None);
    let text = refused.text();
    assert!(text.contains("invalid_client"), "{text}");
    assert!(
        text.contains(
            "client metadata documents are not fetched here, and this client is not a known one."
        ),
        "{text}"
    );
    let (status, answer) = redeem(&air_gapped, &client_id, CALLBACK, "ksc_none").await;
    assert_eq!(
        (status, &answer["error"]),
        (401, &Value::from("invalid_client"))
    );
    assert_eq!(host.connections().await, 0);
    air_gapped.stop();

    // The twin: the same flags but one.
    let open = open_gate(&host, &[]);
    assert_eq!(metadata(&open).await[supported], true);
    begin(&open, &id(&host, "/c.json"), CALLBACK)
        .await
        .expect("a sign-in begins");
    open.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_client_signs_in_at_an_air_gapped_server() {
    let host = Hostile::start().await;
    let air_gapped = gate(&host, &["--air-gapped", "--registration", "off"]).with_account();
    let callback = "http://localhost:51234/callback";
    let mut person = browser(&air_gapped);
    let consent = reach_consent(&mut person, &authorize(CLAUDE_CODE, callback)).await;
    let text = consent.text();
    let at = |words: &str| {
        text.find(words)
            .unwrap_or_else(|| panic!("no {words:?} in:\n{text}"))
    };
    assert!(at("claude.ai") < at("Claude Code"), "{text}");
    at("Any program on this computer could have asked this.");
    let answer = allow(&mut person, &consent).await;
    let (status, tokens) = redeem(&air_gapped, CLAUDE_CODE, callback, &code(&answer)).await;
    assert_eq!(status, 200, "{tokens}");
    let grants = air_gapped.administer(&["grant", "list"]);
    assert_eq!(grants[0]["client_name"], "claude.ai (“Claude Code”)");
    air_gapped.stop();
}
