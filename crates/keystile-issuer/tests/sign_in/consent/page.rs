//! What the page of a decision says.

use keystile_domain::ports::Clock as _;
use keystile_domain::records::{GrantType, GrantTypes, PreRegisteredClient};

use super::*;

#[tokio::test]
async fn n_as_35_the_page_names_host_name_scopes_and_the_exact_redirect() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    let page = consent_page(&test, &mut browser, "Claude", SITE).await;
    let text = page.text();
    let reference = text.lines().last().unwrap();
    assert!(reference.starts_with("Reference KS-"), "{reference}");
    insta::assert_snapshot!(text.replace(reference, "Reference KS-…"), @r"
    Keystile
    Connect this app?
    claude.ai
    It calls itself “Claude”. Apps choose that name; Keystile cannot check it.
    Keystile knows claude.ai as the address of a well-known app.
    Server
    knowledge-base
    http://localhost:7717/knowledge-base/mcp
    It will be able to
    Use every tool of knowledge-base knowledge-base:call
    Allow it
    all of this
    only this: See what knowledge-base has: its lists, resources and prompts, but use no tool knowledge-base:read
    It stays connected
    Until you disconnect it, or until it has not been used for 30 days.
    Your answer goes to
    claude.ai
    https://claude.ai/api/mcp/auth_callback
    You are
    alice
    Not you? Sign in as somebody else
    Allow
    Deny
    You can disconnect it at any time under your account.
    Reference KS-…
    ");
}

#[tokio::test]
async fn n_as_11_the_redirect_host_is_shown_and_no_name_can_hide_it() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    let tame = consent_page(&test, &mut browser, "Claude", SITE).await;
    for name in [
        "<b>claude.com</b>",
        "</dd></dl><style>dd{display:none}",
        &"claude.com ".repeat(90),
    ] {
        let page = consent_page(&test, &mut browser, name, SITE).await;
        assert!(page.body.contains("<strong>claude.ai</strong>"), "{name}");
        let of_ours = |names: Vec<String>| {
            names
                .into_iter()
                .filter(|tag| !tag.starts_with(['p', '/']) && !tag.starts_with("strong"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            of_ours(skeleton(&page.body)),
            of_ours(skeleton(&tame.body)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn n_as_12_a_client_with_only_loopback_redirects_is_warned_of() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    const WORDS: &str = "Any program on this computer could have asked this.";
    let registered = consent_page(&test, &mut browser, "MCP Inspector", LOOPBACK).await;
    assert!(registered.text().contains(WORDS), "{}", registered.text());
    let claude_code = "https://claude.ai/oauth/claude-code-client-metadata";
    let url = test.authorize_url(claude_code, "http://localhost:51234/callback");
    let document = browser.open(&url).await;
    assert!(document.text().contains(WORDS), "{}", document.text());
    assert!(
        document.text().contains("claude.ai"),
        "the host of the document stands first"
    );
    let site = consent_page(&test, &mut browser, "Claude", SITE).await;
    assert!(!site.text().contains(WORDS));
}

#[tokio::test]
async fn an_operators_name_is_not_called_a_claim_and_a_borrowed_one_is_warned_of() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    test.add_client("notes", "Our notes", &["https://notes.example/cb"])
        .await;
    let ours = browser
        .open(&test.authorize_url("notes", "https://notes.example/cb"))
        .await;
    assert!(
        ours.text()
            .contains("Whoever runs this server registered it as “Our notes”."),
        "{}",
        ours.text()
    );
    let borrowed = consent_page(&test, &mut browser, "Сlaude", "https://vscode.dev/redirect").await;
    assert!(
        borrowed
            .text()
            .contains("The name looks like Claude, the address does not."),
        "{}",
        borrowed.text()
    );
}

/// Every client that registers itself gets a refresh token, whatever it asked for.
#[tokio::test]
async fn the_page_says_how_long_the_app_stays_connected_whether_it_asked_or_not() {
    let test = TestApp::new().with_person().await;
    let mut browser = test.signed_in().await;
    const LASTS: &str =
        "It stays connected\nUntil you disconnect it, or until it has not been used for 30 days.";
    let unasked = consent_page(&test, &mut browser, "Claude", SITE)
        .await
        .text();
    assert!(
        unasked.contains(&format!("{LASTS}\nYour answer")),
        "{unasked}"
    );
    let client = test.register("Claude", &[SITE]).await;
    let url = test.authorize_url(&client, SITE) + "&scope=knowledge-base:call+offline_access";
    let asked = browser.open(&url).await.text();
    assert!(
        asked.contains(&format!("{LASTS} offline_access\n")),
        "{asked}"
    );

    // One without the right to refresh gets an access token and no more.
    let (now, site) = (test.clock.now(), vec![SITE.to_owned()]);
    let mut once = PreRegisteredClient::public("once", "Once", site, false, now);
    once.grant_types = GrantTypes::from_iter([GrantType::AuthorizationCode]);
    test.add(once, None).await;
    let url = test.authorize_url("once", SITE) + "&scope=knowledge-base:call+offline_access";
    let page = browser.open(&url).await.text();
    let once = "It stays connected\nFor 10 minutes. Then it has to ask you again.\nYour answer";
    assert!(page.contains(once), "{page}");
}
