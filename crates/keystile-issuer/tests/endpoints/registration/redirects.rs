//! Which redirects a registration may have, and that they are what it has.

use keystile_domain::decide::register::RegistrationMode;
use keystile_domain::ports::{Clock as _, Registrations as _};
use keystile_testkit::issuer::TestApp;
use serde_json::{Value, json};

use super::{PLACE, REGISTER, STRANGER, begin, client_id, in_mode, public};
use crate::{authorize_url, get, own_page, post_json, refused};

#[tokio::test]
async fn a_012_no_other_origin_passes_for_an_approved_one() {
    let test = in_mode(RegistrationMode::Approval);
    let now = test.clock.now();
    let place = "https://example.com";
    test.store.approve_place(place, now).await.expect("memory");
    for other in [
        "https://badexample.com/cb",
        "https://example.com.evil/cb",
        "https://apps.example.com/cb",
        "https://example.com:444/cb",
        "https://example.com./cb",
        "https://example.co/cb",
        "example.com:/cb",
    ] {
        let reply = post_json(&test, REGISTER, public(other)).await;
        assert_eq!(
            refused(&reply),
            (400, "invalid_redirect_uri".to_owned()),
            "{other}"
        );
    }
    let reply = post_json(&test, REGISTER, public("https://example.com/cb")).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
}

/// CHECKLIST A-070: which redirects a type may have, and whether the port may vary.
#[tokio::test]
async fn a_070_the_type_of_an_application_says_which_redirects_it_has() {
    let test = TestApp::new();
    let https = "https://claude.ai/api/mcp/auth_callback";
    let scheme = "cursor://anysphere.cursor-mcp/oauth/callback";
    let (loopback, moved) = ("http://127.0.0.1:4711/cb", "http://127.0.0.1:815/cb");
    // type, method, redirect, status, and whether another port will do
    let table = [
        (json!("web"), "none", loopback, 400, false),
        (json!("web"), "client_secret_basic", loopback, 400, false),
        (json!("web"), "none", scheme, 400, false),
        (json!("web"), "none", https, 201, false),
        (json!("native"), "none", loopback, 201, true),
        (json!("native"), "client_secret_post", loopback, 201, true),
        (json!("native"), "none", scheme, 201, false),
        // RFC 8252 §7.2: a claimed https redirect, compared exactly.
        (json!("native"), "none", https, 201, false),
        (Value::Null, "none", loopback, 201, true),
        (Value::Null, "client_secret_basic", loopback, 201, false),
        (Value::Null, "none", https, 201, false),
        (json!("desktop"), "none", loopback, 400, false),
        (json!(["native"]), "none", loopback, 400, false),
    ];
    for (kind, method, redirect, status, varies) in table {
        let body = json!({ "application_type": kind, "token_endpoint_auth_method": method, "redirect_uris": [redirect] });
        let context = body.to_string();
        let reply = post_json(&test, REGISTER, &body).await;
        assert_eq!(reply.status, status, "{context}: {}", reply.body);
        if status != 201 {
            continue;
        }
        let client = client_id(&reply);
        let begin = async |to| begin(&test, &client, to).await;
        assert_eq!(begin(redirect).await.status, 303, "{context}");
        let elsewhere = begin(moved).await.status == 303;
        assert_eq!(elsewhere, varies, "{context}");
    }
}

#[tokio::test]
async fn a_009_no_redirect_has_a_fragment() {
    let test = TestApp::new();
    test.add_client(
        "notes",
        "Notes",
        &["http://127.0.0.1:1/cb#x", "http://127.0.0.1:1/cb"],
    )
    .await;
    for bad in [
        "http://127.0.0.1:1/cb#x",
        "http://127.0.0.1:1/cb#",
        "http://127.0.0.1:1/#/../evil",
        "https://claude.ai/api/mcp/auth_callback#x",
        "cursor://anysphere.cursor-mcp/oauth/callback#x",
    ] {
        let reply = post_json(&test, REGISTER, public(bad)).await;
        assert_eq!(
            refused(&reply),
            (400, "invalid_redirect_uri".to_owned()),
            "{bad}"
        );
        let url = authorize_url("notes", &[("redirect_uri", Some(bad))]);
        own_page(&get(&test, &url).await, bad);
    }
    // Encoded it is a part of the path, and another path is another redirect.
    let url = authorize_url(
        "notes",
        &[("redirect_uri", Some("http://127.0.0.1:1/cb%23x"))],
    );
    own_page(&get(&test, &url).await, "%23");
}

#[tokio::test]
async fn a_011_a_host_has_one_spelling() {
    let test = in_mode(RegistrationMode::Approval);
    let now = test.clock.now();
    for place in ["https://example.org", "https://xn--exmple-cua.org"] {
        test.store.approve_place(place, now).await.expect("memory");
    }
    for bad in [
        // RUSTSEC-2024-0421: it was once the same as example.org.
        "https://xn--example-.org/cb",
        "https://ex\u{e4}mple.org/cb",
        "https://EXAMPLE.org/cb",
        "https://example\u{3002}org/cb",
        "https://\u{ff45}xample.org/cb",
        "https://ex%61mple.org/cb",
        "https://exam\u{ad}ple.org/cb",
    ] {
        let reply = post_json(&test, REGISTER, public(bad)).await;
        assert_eq!(
            refused(&reply),
            (400, "invalid_redirect_uri".to_owned()),
            "{bad}"
        );
    }
    for fine in ["https://example.org/cb", "https://xn--exmple-cua.org/cb"] {
        let reply = post_json(&test, REGISTER, public(fine)).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
    }
}

#[tokio::test]
async fn n_as_38_a_redirect_that_changed_has_to_be_registered_again() {
    let test = in_mode(RegistrationMode::Approval);
    let now = test.clock.now();
    test.store.approve_place(PLACE, now).await.expect("memory");
    let reply = post_json(&test, REGISTER, public(STRANGER)).await;
    let client = client_id(&reply);
    let begin = async |to| begin(&test, &client, to).await;
    assert_eq!(begin(STRANGER).await.status, 303);
    for changed in [
        "https://app.example/cb/",
        "https://app.example/cb2",
        "https://app.example/cb?x=1",
        "https://app.example/CB",
        "https://app.example:443/cb",
        "https://app.example/",
    ] {
        own_page(&begin(changed).await, changed);
    }
    for wild in [
        "https://*.example/cb",
        "https://*/cb",
        "http://127.0.0.1:*/cb",
    ] {
        let reply = post_json(&test, REGISTER, public(wild)).await;
        assert_eq!(
            refused(&reply),
            (400, "invalid_redirect_uri".to_owned()),
            "{wild}"
        );
    }
}
