//! What stands in the redirect back to the client.

use http::HeaderMap;
use keystile_testkit::browser::Reply;
use keystile_testkit::issuer::TestApp;

use crate::connecting::Connecting;
use crate::{LOOPBACK, authorize_url, get, own_page, post_json, refused, sent_back};

/// How often the redirect says this.
fn count(reply: &Reply, name: &str) -> usize {
    reply
        .location_params()
        .iter()
        .filter(|(other, _)| other == name)
        .count()
}

/// The names of the parameters, in order.
fn names(reply: &Reply) -> Vec<String> {
    reply
        .location_params()
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

#[tokio::test]
async fn n_as_24_every_answer_says_once_who_gives_it() {
    let mut connecting = Connecting::new().await;
    let errors = [
        (
            "unsupported_response_type",
            ("response_type", Some("token")),
        ),
        ("invalid_request", ("response_type", None)),
        ("invalid_request", ("response_mode", Some("fragment"))),
        ("invalid_request", ("code_challenge", None)),
        (
            "invalid_request",
            ("request", Some("eyJhbGciOiJub25lIn0.e30.")),
        ),
        (
            "invalid_target",
            ("resource", Some("https://evil.example/mcp")),
        ),
        ("invalid_scope", ("scope", Some("a\"b"))),
        ("login_required", ("prompt", Some("none"))),
    ];
    for (code, change) in errors {
        let reply = connecting.begin(&[change]).await;
        assert_eq!(sent_back(&reply, LOOPBACK), code, "{change:?}");
        assert_eq!(
            names(&reply),
            ["error", "error_description", "state", "iss"],
            "{change:?}"
        );
        let iss = reply.location_params().pop().expect("iss");
        assert_eq!(iss.1, "http://localhost:7717");
    }
    let reply = connecting.answer(&[], "deny").await;
    assert_eq!(sent_back(&reply, LOOPBACK), "access_denied");
    assert_eq!(count(&reply, "iss"), 1);
    let reply = connecting.answer(&[], "allow").await;
    assert_eq!(names(&reply), ["code", "state", "iss"]);
    connecting.test.audit.fill_up();
    let reply = connecting.answer(&[], "allow").await;
    assert_eq!(sent_back(&reply, LOOPBACK), "server_error");
    assert_eq!(count(&reply, "iss"), 1);

    // A second `iss` could come from the registered query only, so none is registered.
    let test = TestApp::new();
    for name in ["iss", "code", "state", "error", "%69ss"] {
        let uri = format!("http://127.0.0.1:6274/cb?{name}=theirs");
        let body = serde_json::json!({ "redirect_uris": [&uri] });
        let reply = post_json(&test, "/oauth/register", body).await;
        assert_eq!(
            refused(&reply),
            (400, "invalid_redirect_uri".to_owned()),
            "{name}"
        );
        // An old row may have one.
        test.add_client(name, "Old", &[&uri]).await;
        own_page(
            &get(&test, &authorize_url(name, &[("redirect_uri", Some(&uri))])).await,
            name,
        );
    }
}

#[tokio::test]
async fn n_as_31_the_answer_goes_to_the_exact_redirect_with_each_part_once() {
    let mut connecting = Connecting::new().await;
    let redirects = [
        "http://127.0.0.1:6274",
        "http://127.0.0.1:80/cb",
        "http://localhost:6274/callback/",
        "http://[::1]:6274/callback",
        "https://client.example:443/cb",
        "https://client.example/a%7eb/%7E//c;d=1?tenant=a%20b+c&x",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "com.example.app:/oauth2redirect",
    ];
    for (index, redirect) in redirects.into_iter().enumerate() {
        connecting.client = format!("client-{index}");
        connecting
            .test
            .add_client(&connecting.client, "Notes", &[redirect])
            .await;
        let reply = connecting
            .answer(&[("redirect_uri", Some(redirect))], "allow")
            .await;
        assert_eq!(reply.status, 303, "{}", reply.text());
        let location = reply.location().expect("a redirect");
        let joint = if redirect.contains('?') { '&' } else { '?' };
        assert!(
            location.starts_with(&format!("{redirect}{joint}code=ksc_")),
            "{location}"
        );
        let added = location[redirect.len() + 1..].split('&');
        let added: Vec<&str> = added.filter_map(|pair| pair.split('=').next()).collect();
        assert_eq!(added, ["code", "state", "iss"], "{location}");
        assert_eq!(count(&reply, "error"), 0);
        assert!(
            location.ends_with("&state=st%26te&iss=http%3A%2F%2Flocalhost%3A7717"),
            "{location}"
        );
    }
}

#[tokio::test]
async fn an_answer_without_state_has_none() {
    let mut connecting = Connecting::new().await;
    let reply = connecting.answer(&[("state", None)], "allow").await;
    assert_eq!(names(&reply), ["code", "iss"]);
    let reply = connecting
        .begin(&[("state", None), ("prompt", Some("none"))])
        .await;
    assert_eq!(names(&reply), ["error", "error_description", "iss"]);
}

#[tokio::test]
async fn the_state_comes_back_as_it_was_and_is_never_shown() {
    let mut connecting = Connecting::new().await;
    let state = "\u{1f511} <script>\"'&=+%00#\r\n";
    let reply = connecting.answer(&[("state", Some(state))], "deny").await;
    let params = reply.location_params();
    assert_eq!(params[2], ("state".to_owned(), state.to_owned()));
    let only: HeaderMap = reply.headers.clone();
    assert_eq!(only.get_all("location").iter().count(), 1);
    let longest = "s".repeat(3072);
    let reply = connecting.begin(&[("state", Some(&longest))]).await;
    assert!(
        reply
            .location()
            .is_some_and(|to| to.starts_with("/ks/consent?tx="))
    );
    let reply = connecting
        .begin(&[("state", Some(&format!("{longest}s")))])
        .await;
    own_page(&reply, "a state of 3073 bytes");
}
