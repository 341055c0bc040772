//! What every endpoint for programs has in common when it refuses.

use axum::body::Body;
use http::Request;
use keystile_testkit::browser::Reply;
use keystile_testkit::issuer::TestApp;
use serde_json::{Value, json};

use crate::log::Log;
use crate::{
    LOOPBACK, authorize_url, get, json as read, post_form, post_json, reference_of, refused, send,
    wire,
};

/// Each endpoint for programs, and what it takes.
const ENDPOINTS: [(&str, &str); 8] = [
    ("/oauth/token", "POST"),
    ("/oauth/register", "POST"),
    ("/oauth/revoke", "POST"),
    ("/oauth/jwks", "GET, HEAD"),
    ("/.well-known/oauth-authorization-server", "GET, HEAD"),
    ("/.well-known/openid-configuration", "GET, HEAD"),
    ("/token", "POST"),
    ("/register", "POST"),
];

async fn with(test: &TestApp, method: &str, path: &str, kind: &str, body: &[u8]) -> Reply {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", kind);
    let body = Body::from(body.to_vec());
    send(test, request.body(body).expect("a legal request")).await
}

#[tokio::test]
async fn a_wrong_method_is_refused_in_json_and_names_the_right_one() {
    let test = TestApp::new();
    for (path, allowed) in ENDPOINTS {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "PROPFIND"] {
            if allowed.contains(method) {
                continue;
            }
            let reply = with(&test, method, path, "text/plain", b"").await;
            let context = format!("{method} {path}");
            assert_eq!(
                refused(&reply),
                (405, "invalid_request".to_owned()),
                "{context}"
            );
            assert_eq!(reply.header("allow"), allowed, "{context}");
        }
    }
    insta::assert_snapshot!(wire(&get(&test, "/oauth/token").await), @r#"
    405 Method Not Allowed
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_request","error_description":"This endpoint takes POST; GET was sent. (KS-…)"}
    "#);
}

#[tokio::test]
async fn a_page_that_is_opened_with_a_wrong_method_says_so_on_a_page() {
    let test = TestApp::new();
    for (method, path) in [
        ("POST", "/oauth/authorize"),
        ("GET", "/ks/sign-out"),
        ("PUT", "/ks/consent"),
    ] {
        let reply = with(&test, method, path, "text/plain", b"").await;
        assert_eq!(reply.status, 405, "{path}");
        assert!(
            reply.header("content-type").starts_with("text/html"),
            "{path}"
        );
        assert!(!reply.header("allow").is_empty(), "{path}");
        assert!(
            reply.text().contains("method_not_allowed"),
            "{}",
            reply.text()
        );
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_refused_in_json() {
    let test = TestApp::new();
    for path in ["/oauth/introspection", "/oauth/token/", "/oauth/a/b"] {
        for reply in [
            get(&test, path).await,
            post_form(&test, path, String::new()).await,
        ] {
            assert_eq!(
                refused(&reply),
                (404, "invalid_request".to_owned()),
                "{path}"
            );
            assert!(
                reply
                    .body
                    .contains("/.well-known/oauth-authorization-server"),
                "{}",
                reply.body
            );
        }
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_in_json() {
    const FORM: &str = "application/x-www-form-urlencoded";
    let test = TestApp::new();
    let large = vec![b'a'; 64 * 1024 + 1];
    let many = "a&".repeat(65).into_bytes();
    for path in ["/oauth/token", "/oauth/revoke", "/token"] {
        for (kind, body, status) in [
            (FORM, &b"grant_type=%zz"[..], 400),
            (FORM, b"grant_type=\xff", 400),
            (FORM, b"client_id=a&client_id=b", 400),
            (FORM, b"{\"grant_type\":\"refresh_token\"}", 401),
            (FORM, b"", 401),
            (FORM, &many, 400),
            (FORM, &large, 413),
            ("application/json", b"{}", 400),
            ("multipart/form-data; boundary=x", b"--x--", 400),
            ("", b"grant_type=refresh_token", 400),
        ] {
            let reply = with(&test, "POST", path, kind, body).await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(40)]);
            assert_eq!(refused(&reply).0, status, "{path} {kind} {shown}");
        }
    }
}

#[tokio::test]
async fn each_refusal_has_a_reference_and_one_line_in_the_log_without_a_secret() {
    const SECRET: &str = "planted-secret";
    let (log, _recording) = Log::listen();
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let registered = post_json(
        &test,
        "/oauth/register",
        json!({ "redirect_uris": [LOOPBACK], "token_endpoint_auth_method": "client_secret_post" }),
    )
    .await;
    let confidential = read(&registered)["client_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let form = |more: &str| format!("client_id=notes&{more}");
    let redeem = form(&format!(
        "grant_type=authorization_code&code={SECRET}&redirect_uri=x&code_verifier={SECRET}{}",
        "a".repeat(43)
    ));
    let refusals = [
        (
            post_form(&test, "/oauth/token", redeem).await,
            "code_not_ours",
        ),
        (
            post_form(
                &test,
                "/oauth/token",
                form(&format!("grant_type=refresh_token&refresh_token={SECRET}")),
            )
            .await,
            "refresh_token_unknown",
        ),
        (
            post_form(
                &test,
                "/oauth/token",
                form(&format!("grant_type=password&password={SECRET}")),
            )
            .await,
            "unsupported_grant_type",
        ),
        (
            post_form(
                &test,
                "/oauth/token",
                format!("client_id={confidential}&client_secret={SECRET}"),
            )
            .await,
            "client_secret_wrong",
        ),
        (
            post_form(
                &test,
                "/oauth/revoke",
                form(&format!("client_secret={SECRET}")),
            )
            .await,
            "client_auth_method",
        ),
        (
            post_form(
                &test,
                "/oauth/revoke",
                format!("client_id=other&token={SECRET}"),
            )
            .await,
            "client_unknown",
        ),
        (
            post_json(
                &test,
                "/oauth/register",
                json!({ "software_statement": SECRET }),
            )
            .await,
            "invalid_redirect_uri",
        ),
        (
            get(&test, &format!("/oauth/token?code={SECRET}")).await,
            "secret_in_address",
        ),
        (
            get(&test, &format!("/oauth/{SECRET}")).await,
            "no_such_endpoint",
        ),
        (
            get(
                &test,
                &authorize_url(
                    "notes",
                    &[("redirect_uri", Some("https://evil.example/cb"))],
                ),
            )
            .await,
            "redirect_not_registered",
        ),
        (
            get(
                &test,
                &authorize_url(
                    "notes",
                    &[("redirect_uri", Some(&format!("{LOOPBACK}?{SECRET}")))],
                ),
            )
            .await,
            "redirect_differs_in_query",
        ),
        (
            get(
                &test,
                &authorize_url(
                    "notes",
                    &[(
                        "resource",
                        Some(&format!("https://x.example/?a 'b {SECRET}")),
                    )],
                ),
            )
            .await,
            "resource_not_served",
        ),
        (
            post_json(
                &test,
                "/oauth/register",
                json!({ "redirect_uris": [format!("http://x.example/cb?'a b {SECRET}")] }),
            )
            .await,
            "invalid_redirect_uri",
        ),
        (
            post_json(
                &test,
                "/oauth/register",
                json!({ "redirect_uris": [format!("https://x.example/cb?'{SECRET}")] }),
            )
            .await,
            "redirect_not_known",
        ),
        (get(&test, "/ks/consent").await, "no_request"),
    ];
    let lines = log.lines();
    for (index, (reply, reason)) in refusals.iter().enumerate() {
        let reference = reference_of(reply);
        let of_it: Vec<&Value> = lines
            .iter()
            .filter(|line| line["fields"]["reference"] == reference.as_str())
            .collect();
        let [line] = of_it.as_slice() else {
            panic!("{index}: not one line but {of_it:?} of {lines:#?}")
        };
        assert_eq!(line["fields"]["reason"], *reason, "{line}");
        let detail = line["fields"]["detail"].as_str().unwrap_or_default();
        assert!(
            detail.len() > reason.len() + 10,
            "it says what to do: {line}"
        );
        if reply.header("content-type") == "application/json" {
            let description = read(reply)["error_description"].to_string();
            assert!(
                description.ends_with(&format!(" ({reference})\"")),
                "{description}"
            );
        }
    }
    assert_eq!(lines.len(), refusals.len(), "one line each: {lines:#?}");
    assert!(!format!("{lines:?}").contains(SECRET), "{lines:#?}");
}
