mod documents;

use std::sync::Arc;

use keystile_testkit::issuer::{CHALLENGE, TestApp};

use crate::gone::Gone;
use crate::{
    CLAUDE, CLAUDE_CALLBACK, LOOPBACK, OTHER_RESOURCE, RESOURCE, authorize_url, get, own_page,
    sent_back, told, two_servers,
};

const CLAUDE_CODE: &str = "https://claude.ai/oauth/claude-code-client-metadata";

#[tokio::test]
async fn n_as_07_a_redirect_that_the_document_does_not_list_goes_nowhere() {
    let test = TestApp::new();
    let begin = async |client, redirect| {
        get(
            &test,
            &authorize_url(client, &[("redirect_uri", Some(redirect))]),
        )
        .await
    };
    for (client, listed) in [
        (CLAUDE, CLAUDE_CALLBACK),
        (CLAUDE, "https://claude.com/api/mcp/auth_callback"),
        (CLAUDE_CODE, "http://localhost:51234/callback"),
        (CLAUDE_CODE, "http://127.0.0.1/callback"),
    ] {
        assert_eq!(begin(client, listed).await.status, 303, "{listed}");
    }
    for (client, other) in [
        (CLAUDE, "https://evil.example/api/mcp/auth_callback"),
        (
            CLAUDE,
            "https://claude.ai.evil.example/api/mcp/auth_callback",
        ),
        (CLAUDE, "https://claude.ai/api/mcp/auth_callback/"),
        (CLAUDE, "https://claude.ai/api/mcp/auth_callback/next"),
        (CLAUDE, "https://claude.ai/api/mcp/auth_callback_too"),
        (CLAUDE, "https://claude.ai/api/mcp/auth_callback?next=1"),
        (CLAUDE, "https://claude.ai/api/mcp/AUTH_CALLBACK"),
        (CLAUDE, "https://claude.ai:443/api/mcp/auth_callback"),
        (CLAUDE, "https://claude.ai/other"),
        (CLAUDE, "https://claude.ai/"),
        (CLAUDE, "http://127.0.0.1:6274/callback"),
        (CLAUDE_CODE, "http://localhost:51234/other"),
        (CLAUDE_CODE, "http://localhost:51234/callback/"),
        (CLAUDE_CODE, "http://[::1]:51234/callback"),
        (CLAUDE_CODE, CLAUDE_CALLBACK),
    ] {
        let reply = begin(client, other).await;
        own_page(&reply, other);
        assert!(reply.text().contains("invalid_request"), "{}", reply.text());
    }
    // A star is a star, whoever listed it.
    test.add_client("wild", "Wild", &["https://client.example/*"])
        .await;
    for other in ["https://client.example/x", "https://client.example/"] {
        own_page(&begin("wild", other).await, other);
    }
}

/// Everything that can be wrong with the rest of a request.
const WRONG: [(&str, Option<&str>); 12] = [
    ("response_type", None),
    ("response_type", Some("token")),
    ("response_type", Some("code id_token")),
    ("response_mode", Some("fragment")),
    ("request", Some("eyJhbGciOiJub25lIn0.e30.")),
    ("prompt", Some("none")),
    ("code_challenge", None),
    ("code_challenge", Some("short")),
    ("code_challenge_method", Some("plain")),
    ("resource", Some("https://evil.example/mcp")),
    ("scope", Some("\"")),
    ("scope", Some("unknown")),
];

#[tokio::test]
async fn n_as_19_no_error_leaves_for_a_client_or_redirect_that_is_not_known() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let untrusted = [
        ("client_id", None),
        ("client_id", Some("nobody")),
        ("client_id", Some("ksd_forged")),
        ("client_id", Some("https://client.example/client.json")),
        (
            "client_id",
            Some("HTTPS://claude.ai/oauth/mcp-oauth-client-metadata"),
        ),
        ("redirect_uri", None),
        ("redirect_uri", Some("https://evil.example/cb")),
        ("redirect_uri", Some("http://127.0.0.1:6274/other")),
        ("redirect_uri", Some("http://localhost:6274/callback")),
        ("redirect_uri", Some("javascript:alert(1)")),
        ("redirect_uri", Some("//evil.example")),
    ];
    for bad in untrusted {
        let page = get(&test, &authorize_url("notes", &[bad])).await;
        own_page(&page, &format!("{bad:?}"));
        for wrong in WRONG {
            let reply = get(&test, &authorize_url("notes", &[bad, wrong])).await;
            own_page(&reply, &format!("{bad:?} {wrong:?}"));
        }
    }
    // The same errors are sent back as soon as both are known.
    for wrong in WRONG {
        let reply = get(&test, &authorize_url("notes", &[wrong])).await;
        sent_back(&reply, LOOPBACK);
    }
}

#[tokio::test]
async fn a_010_a_parameter_that_comes_twice_is_refused_on_our_own_page() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let good = authorize_url("notes", &[]);
    for (name, value) in [
        ("client_id", "notes"),
        ("redirect_uri", LOOPBACK),
        ("redirect_uri", "https://evil.example/cb"),
        ("state", "other"),
        ("response_type", "code"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "plain"),
        ("scope", "knowledge-base:call"),
        ("scope", ""),
        ("anything", "1&anything=2"),
    ] {
        let encoded = value.replace("://", "%3A%2F%2F");
        let again = format!("{name}={encoded}");
        let before = good.replacen('?', &format!("?{again}&"), 1);
        let query = if name == "scope" {
            format!("{again}&scope=x")
        } else {
            again
        };
        let after = format!("{good}&{query}");
        let urls = if name == "scope" {
            vec![after]
        } else {
            vec![before, after]
        };
        for url in urls {
            own_page(&get(&test, &url).await, &url);
        }
    }
}

#[tokio::test]
async fn a_016_a_challenge_that_is_not_s256_ends_before_sign_in() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let begin = async |name, value| get(&test, &authorize_url("notes", &[(name, value)])).await;
    for method in [
        None,
        Some(""),
        Some("S512"),
        Some("s256"),
        Some("plain"),
        Some("S256 "),
    ] {
        let reply = begin("code_challenge_method", method).await;
        assert_eq!(sent_back(&reply, LOOPBACK), "invalid_request", "{method:?}");
    }
    let padded = format!("{CHALLENGE}=");
    let long = format!("{CHALLENGE}A");
    let cut = &CHALLENGE[1..];
    for challenge in [
        None,
        Some(""),
        Some(cut),
        Some(&long),
        Some(&padded),
        Some("plain"),
    ] {
        let reply = begin("code_challenge", challenge).await;
        assert_eq!(
            sent_back(&reply, LOOPBACK),
            "invalid_request",
            "{challenge:?}"
        );
    }
    let doubled = authorize_url("notes", &[]) + "&code_challenge_method=S256";
    own_page(&get(&test, &doubled).await, "doubled");
}

#[tokio::test]
async fn a_028_a_resource_that_is_not_served_here_ends_before_sign_in() {
    let test = two_servers();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    for resource in [
        "https://evil.example/mcp",
        "http://localhost:7717/other/mcp",
        "http://localhost:7717/Knowledge-Base/mcp",
        "http://localhost:7717/knowledge-base/MCP",
        "http://localhost:7717/knowledge-base/mcp?x",
        "http://localhost:7717/git/../knowledge-base/mcp",
        "http://localhost:7717",
        "knowledge-base",
    ] {
        let reply = get(
            &test,
            &authorize_url("notes", &[("resource", Some(resource))]),
        )
        .await;
        assert_eq!(sent_back(&reply, LOOPBACK), "invalid_target", "{resource}");
    }
    let both = [
        ("resource", Some(RESOURCE)),
        ("resource", Some(OTHER_RESOURCE)),
    ];
    let reply = get(&test, &authorize_url("notes", &both)).await;
    assert_eq!(sent_back(&reply, LOOPBACK), "invalid_target");
    let reply = get(&test, &authorize_url("notes", &[("resource", None)])).await;
    assert_eq!(
        sent_back(&reply, LOOPBACK),
        "invalid_target",
        "two servers: one must be named"
    );
    let reply = get(&test, &authorize_url("notes", &[])).await;
    assert!(
        reply
            .location()
            .is_some_and(|to| to.starts_with("/ks/consent?tx="))
    );
}

#[tokio::test]
async fn the_longest_request_makes_an_address_below_six_kibibytes() {
    let test = TestApp::new();
    let redirect = format!("http://127.0.0.1:6274/{}", "r".repeat(2000 - 22));
    test.add_client(&"c".repeat(1024), &"\u{1f980}".repeat(64), &[&redirect])
        .await;
    let begin = async |state: usize| {
        let state = "\u{1}".repeat(state);
        let changes = [
            ("redirect_uri", Some(redirect.as_str())),
            ("state", Some(&state)),
        ];
        get(&test, &authorize_url(&"c".repeat(1024), &changes)).await
    };
    let refused = begin(3072).await;
    own_page(&refused, "too long");
    let text = refused.text();
    let fits = text
        .split_once("at most ")
        .and_then(|(_, rest)| rest.split_once(' '));
    let fits: usize = fits.expect(&text).0.parse().expect(&text);
    let location = begin(fits)
        .await
        .location()
        .expect("it is carried")
        .to_owned();
    assert!(location.len() < 6 * 1024, "{}", location.len());
    own_page(&begin(fits + 1).await, "one byte more");
}

#[tokio::test]
async fn a_store_that_fails_is_a_page_without_its_reason() {
    let test = TestApp::new().with(|app| app.clients = Arc::new(Gone));
    let reply = get(&test, &authorize_url("notes", &[])).await;
    own_page(&reply, "no store");
    assert_eq!(reply.status, 500);
    assert!(!reply.body.contains("/var/lib"), "{}", reply.text());
}

#[tokio::test]
async fn the_page_says_what_was_registered_and_how_it_differs() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &["http://127.0.0.1:6274/callback"])
        .await;
    for (came, hint) in [
        (
            "http://127.0.0.1:6274/callback/",
            "They differ only in a trailing slash.",
        ),
        (
            "http://localhost:6274/callback",
            "They differ only in localhost and 127.0.0.1",
        ),
    ] {
        let reply = get(
            &test,
            &authorize_url("notes", &[("redirect_uri", Some(came))]),
        )
        .await;
        own_page(&reply, came);
        let text = reply.text();
        assert!(
            text.contains("Registered: 'http://127.0.0.1:6274/callback'."),
            "{text}"
        );
        assert!(text.contains(hint), "{text}");
        // Anybody can write this address: it stands in no command on a page.
        assert!(!text.contains("keystile client"), "{text}");
        let to_do = format!("keystile client update notes --add-redirect-uri {came}");
        let told = told(&test, &reply);
        assert!(told.fix.contains(&to_do), "{told}");
    }
    let registered = test
        .register("Notes", &["http://127.0.0.1:6274/callback"])
        .await;
    for (client, to_do) in [
        (
            registered.as_str(),
            "Remove the connection in the app and add it again",
        ),
        (CLAUDE, "the address has to stand in the app's own document"),
    ] {
        let other = [("redirect_uri", Some("https://claude.ai/other"))];
        let text = get(&test, &authorize_url(client, &other)).await.text();
        assert!(
            text.contains("The app's return address is not registered"),
            "{text}"
        );
        assert!(text.contains(to_do), "{text}");
    }
    let forgotten = get(&test, &authorize_url("ksd_forgotten", &[]))
        .await
        .text();
    assert!(
        forgotten.contains("so that the app registers anew"),
        "{forgotten}"
    );
    let reply = get(&test, "/oauth/authorize").await;
    own_page(&reply, "no parameters");
    assert!(
        reply.text().contains("client_id is missing."),
        "{}",
        reply.text()
    );
}

#[tokio::test]
async fn a_request_makes_no_session_and_no_cookie() {
    let test = TestApp::new().with_person().await;
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let reply = get(&test, &authorize_url("notes", &[])).await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("cache-control")),
        (303, "no-store")
    );
    assert_eq!(reply.set_cookies(), Vec::<String>::new());
    assert_eq!(test.store.session_count(), 0);
    assert_eq!(test.audit.summary(), Vec::<String>::new());
}
