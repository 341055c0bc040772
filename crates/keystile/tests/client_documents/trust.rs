//! How well each client is known, and whose host gets no packet at all.

use keystile_testkit::browser::Reply;
use keystile_testkit::hostile::{Answer, Hostile, reply};
use serde_json::json;

use crate::gate::Gate;
use crate::person::{authorize, begin, browser, reach_consent, redeem};
use crate::published::{CALLBACK, authority, id, native, open_gate, publish_native};

const CLAUDE: &str = "https://claude.ai/oauth/mcp-oauth-client-metadata";
const CLAUDE_CALLBACK: &str = "https://claude.ai/api/mcp/auth_callback";

async fn consent(gate: &Gate, client_id: &str, redirect: &str) -> Reply {
    reach_consent(&mut browser(gate), &authorize(client_id, redirect)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n_as_13_only_listed_hosts_are_asked() {
    let (listed, other) = (Hostile::start().await, Hostile::start().await);
    let client = publish_native(&listed, "/c.json", "");
    let stranger = publish_native(&other, "/c.json", "");
    let trusted = authority(&client);
    let gate = open_gate(
        &listed,
        &["--client-hosts", "listed", "--trust-client-host", trusted],
    )
    .with_account();
    // The right name at another port is another host.
    let refused = begin(&gate, &stranger, CALLBACK).await;
    let refused = refused.expect_err("not listed");
    assert_eq!(refused.status, 400);
    assert_eq!(refused.location(), None);
    let text = refused.text();
    assert!(
        text.contains("only clients of listed hosts are let in here"),
        "{text}"
    );
    let flag = format!("--trust-client-host {}", authority(&stranger));
    assert!(text.contains(&flag), "{text}");
    let (status, answer) = redeem(&gate, &stranger, CALLBACK, "ksc_none").await;
    assert_eq!((status, &answer["error"]), (401, &json!("invalid_client")));
    assert_eq!(other.connections().await, 0);
    assert_eq!(other.heads().len(), 0);
    begin(&gate, &client, CALLBACK).await.expect("listed");
    assert_eq!(listed.hits("/c.json"), 1);
    // What ships with Keystile needs no host.
    begin(&gate, CLAUDE, CLAUDE_CALLBACK).await.expect("known");
    gate.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_says_in_plain_words_how_well_a_client_is_known() {
    let (known, unknown) = (Hostile::start().await, Hostile::start().await);
    let client = publish_native(&known, "/c.json", "");
    let gate = open_gate(&known, &["--trust-client-host", authority(&client)]).with_account();
    let page = consent(&gate, &client, CALLBACK).await;
    let words = format!(
        "Whoever runs this server lets {} connect.",
        authority(&client)
    );
    assert!(page.text().contains(&words), "{}", page.text());
    gate.stop();

    let gate = open_gate(&unknown, &[]).with_account();
    let stranger = publish_native(&unknown, "/c.json", "");
    let page = consent(&gate, &stranger, CALLBACK).await;
    let words = format!(
        "Neither Keystile nor whoever runs this server knows {}. Allow it only if you do.",
        authority(&stranger)
    );
    assert!(page.text().contains(&words), "{}", page.text());
    let page = consent(&gate, CLAUDE, CLAUDE_CALLBACK).await;
    let words = "Keystile knows claude.ai as the address of a well-known app.";
    assert!(page.text().contains(words), "{}", page.text());
    gate.stop();
}

/// Whether a page shows or loads anything of a client's choosing.
fn shows_a_picture_of(page: &str, logo: &str) -> bool {
    page.contains(logo) || page.contains("<img") || page.contains("url(")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_056_no_logo_is_fetched_or_shown() {
    let host = Hostile::start().await;
    let gate = open_gate(&host, &[]).with_account();
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    let png = b"\x89PNG\r\n\x1a\n";
    let pictures = [
        (
            "/logo.svg",
            "content-type: image/svg+xml\r\n",
            svg.as_slice(),
        ),
        (
            "/polyglot.gif",
            "content-type: image/gif\r\n",
            b"GIF89a/*<script>".as_slice(),
        ),
        ("/one.png", "content-type: image/png\r\n", &png[..1]),
        ("/huge.png", "content-type: image/png\r\n", png.as_slice()),
    ];
    for (logo, header, body) in pictures {
        host.answer(logo, Answer::Raw(reply(header, body)));
        let path = format!("{logo}.json");
        let mut document = native(&host, &path);
        document["logo_uri"] = json!(id(&host, logo));
        host.serve(&path, "", &document);
        let page = consent(&gate, &id(&host, &path), CALLBACK).await;
        assert_eq!(page.status, 200, "{}", page.text());
        assert!(!shows_a_picture_of(&page.body, logo), "{}", page.body);
        let policy = page.header("content-security-policy");
        let foreign = policy
            .split("; ")
            .find(|part| part.starts_with("img-src"))
            .is_some_and(|part| part.contains("https:") || part.contains('*'));
        assert!(!foreign, "{policy}");
        assert_eq!(host.hits(logo), 0, "nobody asks for {logo}");
    }
    gate.stop();
}

#[test]
fn a_page_with_the_logo_would_be_noticed() {
    let page = r#"<p class="who-host">client.example</p><img src="https://client.example/l.svg">"#;
    assert!(shows_a_picture_of(page, "/logo.svg"));
    assert!(shows_a_picture_of("<a href='/logo.svg'>", "/logo.svg"));
    assert!(!shows_a_picture_of("<p>client.example</p>", "/logo.svg"));
}
