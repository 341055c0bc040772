//! What attackers put into authorization requests.

use keystile_testkit::issuer::TestApp;

use crate::{LOOPBACK, authorize_url, get, own_page, sent_back, two_servers};

/// CHECKLIST A-008: whatever stands in a request, an error page sends nobody anywhere and shows no
/// markup of others.
#[tokio::test]
async fn a_008_an_error_is_no_open_redirector_and_no_script() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let payloads = [
        "https://evil.example/",
        "//evil.example/",
        "javascript:alert(1)",
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'-alert(1)-'",
        "{{7*7}}",
        "a\r\nLocation: https://evil.example/",
    ];
    for payload in payloads {
        for name in [
            "client_id",
            "redirect_uri",
            "error",
            "error_description",
            "error_hint",
            "error_uri",
            "post_logout_redirect_uri",
            "next",
        ] {
            let changes = [
                ("redirect_uri", Some("https://evil.example/cb")),
                ("state", Some(payload)),
                ("scope", Some(payload)),
            ];
            let mut changes: Vec<_> = changes
                .into_iter()
                .filter(|(other, _)| *other != name)
                .collect();
            changes.push((name, Some(payload)));
            let reply = get(&test, &authorize_url("notes", &changes)).await;
            let context = format!("{name}={payload}");
            own_page(&reply, &context);
            for markup in [
                "<script>alert",
                "<img src",
                "href=\"https://evil",
                "href=\"//evil",
                "href=\"javascript",
            ] {
                assert!(!reply.body.contains(markup), "{context}: {}", reply.body);
            }
        }
    }
    // What is sent back to a known redirect is data in its query, and nothing more.
    for payload in payloads {
        let changes = [
            ("state", Some(payload)),
            ("scope", Some("unknown")),
            ("error", Some(payload)),
        ];
        let reply = get(&test, &authorize_url("notes", &changes)).await;
        let location = reply.location().expect("a redirect");
        assert!(
            location.starts_with(&format!("{LOOPBACK}?error=")),
            "{location}"
        );
        assert!(
            !location.contains(['<', '\"', '\'', '\r', '\n']),
            "{location}"
        );
    }
}

/// CHECKLIST A-014: nothing that a browser carries can be changed into an answer of another kind.
#[tokio::test]
async fn a_014_no_request_and_no_changed_transaction_gets_a_token_in_an_address() {
    let test = TestApp::new().with_person().await;
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    for kind in [
        "token",
        "id_token",
        "code token",
        "code id_token",
        "none",
        "CODE",
        "",
    ] {
        let reply = get(
            &test,
            &authorize_url("notes", &[("response_type", Some(kind))]),
        )
        .await;
        let error = sent_back(&reply, LOOPBACK);
        assert!(
            ["unsupported_response_type", "invalid_request"].contains(&error.as_str()),
            "{kind}"
        );
    }
    for mode in ["fragment", "form_post", "query.jwt", "web_message"] {
        let reply = get(
            &test,
            &authorize_url("notes", &[("response_mode", Some(mode))]),
        )
        .await;
        assert_eq!(sent_back(&reply, LOOPBACK), "invalid_request", "{mode}");
    }
    let reply = get(&test, &authorize_url("notes", &[])).await;
    let handle = reply
        .location()
        .expect("on to consent")
        .split_once("tx=")
        .expect("a handle")
        .1
        .to_owned();
    let mut browser = test.signed_in().await;
    assert_eq!(
        browser
            .open(&format!("/ks/consent?tx={handle}"))
            .await
            .status,
        200
    );
    let step = (handle.len() / 40).max(1);
    for at in (0..handle.len()).step_by(step) {
        let mut changed = handle.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).expect("base64url");
        let reply = browser.open(&format!("/ks/consent?tx={changed}")).await;
        own_page_or_notice(&reply, at);
    }
}

/// A damaged handle leads to a page without a form.
#[track_caller]
fn own_page_or_notice(reply: &keystile_testkit::browser::Reply, at: usize) {
    assert!(reply.status.is_client_error(), "{at}: {}", reply.status);
    assert_eq!(reply.location(), None, "{at}");
    assert!(!reply.body.contains("name=\"decision\""), "{at}");
}

/// CHECKLIST A-047: with two servers nobody could tell whose `/authorize` it is.
#[tokio::test]
async fn a_047_the_endpoints_at_the_root_stand_for_one_server_only() {
    let one = TestApp::new();
    one.add_client("notes", "Notes", &[LOOPBACK]).await;
    let facade = |url: String| url.replacen("/oauth/authorize", "/authorize", 1);
    let url = facade(authorize_url("notes", &[]));
    assert_eq!(get(&one, &url).await.status, 303);
    let two = two_servers();
    two.add_client("notes", "Notes", &[LOOPBACK]).await;
    let body = serde_json::json!({ "redirect_uris": [LOOPBACK] });
    for reply in [
        get(&two, &url).await,
        crate::post_form(&two, "/token", "grant_type=authorization_code".to_owned()).await,
        crate::post_json(&two, "/register", &body).await,
    ] {
        assert_eq!(crate::refused(&reply), (404, "invalid_request".to_owned()));
        assert!(
            reply.body.contains("oauth-authorization-server"),
            "{}",
            reply.body
        );
    }
    // At their own places they serve both, and each resource by name only.
    let reply = get(&two, &authorize_url("notes", &[])).await;
    assert_eq!(reply.status, 303);
    let reply = get(&two, &authorize_url("notes", &[("resource", None)])).await;
    assert_eq!(sent_back(&reply, LOOPBACK), "invalid_target");
}
