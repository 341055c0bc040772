use axum::body::Body;
use http::Request;
use keystile_testkit::issuer::TestApp;
use serde_json::{Value, json};

use crate::{json as read, post_json, refused, send, wire};

const CURSOR: [&str; 3] = [
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "http://localhost:8787/callback",
];

async fn register(test: &TestApp, body: &Value) -> Value {
    let reply = post_json(test, "/oauth/register", body).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    assert_eq!(reply.header("cache-control"), "no-store");
    read(&reply)
}

#[tokio::test]
async fn a_public_client_gets_the_same_id_each_time() {
    let test = TestApp::new();
    let body = json!({
        "client_name": "Cursor",
        "redirect_uris": CURSOR,
        "token_endpoint_auth_method": "none",
        "logo_uri": "https://www.cursor.com/logo.png",
        "contacts": ["nobody"],
        "software_id": "x",
    });
    let one = register(&test, &body).await;
    let mut shuffled = body.clone();
    shuffled["redirect_uris"] = json!([CURSOR[2], CURSOR[0], CURSOR[1], CURSOR[0]]);
    shuffled["software_id"] = json!("another");
    let again = register(&test, &shuffled).await;
    assert_eq!(one["client_id"], again["client_id"]);
    assert_eq!(
        one["redirect_uris"],
        json!(CURSOR),
        "in the client's own order"
    );
    let other = register(
        &test,
        &json!({ "redirect_uris": CURSOR, "token_endpoint_auth_method": "none" }),
    )
    .await;
    assert_ne!(
        one["client_id"], other["client_id"],
        "another name is another client"
    );
    let mut shown = one.clone();
    shown["client_id"] = json!("[id]");
    insta::assert_snapshot!(serde_json::to_string_pretty(&shown).unwrap(), @r#"
    {
      "client_id": "[id]",
      "client_name": "Cursor",
      "grant_types": [
        "authorization_code",
        "refresh_token"
      ],
      "redirect_uris": [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback"
      ],
      "response_types": [
        "code"
      ],
      "scope": "knowledge-base:call offline_access",
      "token_endpoint_auth_method": "none"
    }
    "#);
}

#[tokio::test]
async fn a_068_a_registration_echoes_no_disguise() {
    let test = TestApp::new();
    let disguised = |name: &str| {
        json!({
            "client_name": name,
            "client_uri": "https://client.example/\u{202e}\u{1b}[31m",
            "logo_uri": "\u{202e}",
            "scope": "\u{202e}",
            "redirect_uris": ["http://127.0.0.1:1/cb"],
            "token_endpoint_auth_method": "none",
        })
    };
    for (given, echoed) in [
        (
            "Cla\u{202e}ude\r\n\u{1b}[31m \u{200b}Code \u{2713}",
            json!("Claude [31m Code"),
        ),
        ("\u{202e}\u{0}", Value::Null),
        (
            &"\u{1f980}".repeat(500),
            json!("\u{1f980}".repeat(64) + "\u{2026}"),
        ),
    ] {
        let answer = register(&test, &disguised(given)).await;
        assert_eq!(answer["client_name"], echoed, "{given:?}");
        assert_eq!(answer.get("client_uri"), None);
        let text = answer.to_string();
        assert!(
            !text.contains(['\u{202e}', '\u{1b}']) && !text.contains("u001b"),
            "{text}"
        );
    }
    let one = register(&test, &disguised("Claude")).await;
    let same = register(&test, &disguised("Claude\u{200b}")).await;
    assert_eq!(
        one["client_id"], same["client_id"],
        "what looks the same is the same"
    );
}

#[tokio::test]
async fn a_confidential_client_has_an_id_and_a_secret_of_its_own() {
    let test = TestApp::new();
    // RFC 7591 §2: who says nothing means client_secret_basic.
    for (said, meant) in [
        (Value::Null, "client_secret_basic"),
        (json!("client_secret_basic"), "client_secret_basic"),
        (json!("client_secret_post"), "client_secret_post"),
    ] {
        let body = json!({ "redirect_uris": ["http://127.0.0.1:1/cb"], "token_endpoint_auth_method": said });
        let (one, other) = (register(&test, &body).await, register(&test, &body).await);
        assert_eq!(one["token_endpoint_auth_method"], meant);
        assert_ne!(one["client_id"], other["client_id"]);
        assert_ne!(one["client_secret"], other["client_secret"]);
        assert_eq!(
            one["client_secret_expires_at"], 0,
            "RFC 7591 section 3.2.1: required"
        );
    }
    let public =
        json!({ "redirect_uris": ["http://127.0.0.1:1/cb"], "token_endpoint_auth_method": "none" });
    let public = register(&test, &public).await;
    assert_eq!(
        (
            public.get("client_secret"),
            public.get("client_secret_expires_at")
        ),
        (None, None)
    );
}

#[tokio::test]
async fn n_as_15_a_web_client_has_no_loopback_redirect() {
    let test = TestApp::new();
    let body = |kind: &str| json!({ "application_type": kind, "redirect_uris": ["http://localhost:1/cb"] });
    insta::assert_snapshot!(wire(&post_json(&test, "/oauth/register", body("web")).await), @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_redirect_uri","error_description":"http://localhost:1/cb: a client of application_type web has https redirects; register as native (OpenID Registration section 2). (KS-…)"}
    "#);
    let native = register(&test, &body("native")).await;
    assert_eq!(native["application_type"], "native");
}

#[tokio::test]
async fn each_refusal_says_what_was_expected() {
    let test = TestApp::new();
    let ask = async |body: &str| wire(&post_json(&test, "/oauth/register", body).await);
    insta::assert_snapshot!(ask("").await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_client_metadata","error_description":"the metadata is not strict JSON: not well-formed JSON (byte 0). (KS-…)"}
    "#);
    insta::assert_snapshot!(ask("[]").await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_client_metadata","error_description":"the metadata is not a JSON object. (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(r#"{"redirect_uris":["http://127.0.0.1/cb"],"redirect_uris":["https://evil.example/cb"]}"#).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_client_metadata","error_description":"the metadata is not strict JSON: two members of one object have the same name (byte 41). (KS-…)"}
    "#);
    insta::assert_snapshot!(ask("{}").await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_redirect_uri","error_description":"redirect_uris is missing or empty. (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(r#"{"redirect_uris":"http://127.0.0.1/cb"}"#).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_redirect_uri","error_description":"redirect_uris must be an array of strings. (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(r#"{"redirect_uris":["http://192.168.1.2/cb"]}"#).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_redirect_uri","error_description":"http://192.168.1.2/cb: http is only for localhost, 127.0.0.1 and [::1]; use https. (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(r#"{"redirect_uris":["https://evil.example/cb"]}"#).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_redirect_uri","error_description":"https://evil.example/cb: evil.example is not among the clients known here. Use a loopback redirect, or ask whoever runs this server for: keystile client redirect approve https://evil.example (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(r#"{"redirect_uris":["evil://cb"]}"#).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_redirect_uri","error_description":"evil://cb: the scheme evil is not on this server's list (cursor, vscode, vscode-insiders, windsurf, claude). Use a loopback redirect, or ask whoever runs this server for: keystile client redirect approve evil: (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(r#"{"redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"tls_client_auth"}"#).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_client_metadata","error_description":"token_endpoint_auth_method must be none, client_secret_basic, client_secret_post or private_key_jwt. (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(r#"{"redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"private_key_jwt"}"#).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_client_metadata","error_description":"private_key_jwt needs a jwks_uri, the https address of the client's public keys: keys that are sent along (jwks) are not kept, since the client_id is the whole registration. Without such an address, ask whoever runs this server for: keystile client add --auth private_key_jwt --jwks FILE. (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(r#"{"redirect_uris":["http://127.0.0.1/cb"],"grant_types":["implicit"]}"#).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_client_metadata","error_description":"grant_types must contain authorization_code, unless there are no redirect_uris and it contains the one of devices. (KS-…)"}
    "#);
    let long = format!(
        r#"{{"redirect_uris":["http://127.0.0.1/{}"],"token_endpoint_auth_method":"none"}}"#,
        "x".repeat(1200)
    );
    insta::assert_snapshot!(ask(&long).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_client_metadata","error_description":"the metadata has 1238 bytes; a registration here has at most 1024. (KS-…)"}
    "#);
}

#[tokio::test]
async fn only_a_small_json_body_in_a_post_is_read() {
    let test = TestApp::new();
    assert_eq!(crate::get(&test, "/oauth/register").await.status, 405);
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let request = Request::post("/oauth/register").header("content-type", kind);
        let body = Body::from(r#"{"redirect_uris":["http://127.0.0.1:1/cb"]}"#);
        let reply = send(&test, request.body(body).expect("a legal request")).await;
        assert_eq!(
            refused(&reply),
            (400, "invalid_request".to_owned()),
            "{kind}"
        );
    }
    let large = " ".repeat(64 * 1024 + 1);
    let reply = post_json(&test, "/oauth/register", large).await;
    assert_eq!(refused(&reply), (413, "invalid_request".to_owned()));
}
