mod address;
mod client_assertion;
mod client_auth;
mod client_credentials;
mod client_of_document;
mod client_that_signs;
mod code;
mod ends;
mod leaks;
mod refresh;
mod resource;
mod texts;

use axum::body::Body;
use http::Request;
use http::header::CONTENT_TYPE;
use keystile_protocol::jwt::{Expectations, UnverifiedJwt};
use keystile_testkit::issuer::TestApp;
use std::time::Duration;

use crate::connecting::{Connecting, claims, text};
use crate::{RESOURCE, get, json, post_form, refused, send, wire};

#[tokio::test]
async fn n_as_30_the_answer_is_json_that_no_cache_keeps() {
    let mut connecting = Connecting::new().await;
    let code = connecting.code(&[]).await;
    let reply = connecting.redeem(&code, &[]).await;
    let tokens = json(&reply);
    let redacted = wire(&reply)
        .replace(text(&tokens, "access_token"), "[access token]")
        .replace(text(&tokens, "refresh_token"), "[refresh token]");
    insta::assert_snapshot!(redacted, @r#"
    200 OK
    content-type: application/json
    cache-control: no-store

    {"access_token":"[access token]","token_type":"Bearer","expires_in":590,"refresh_token":"[refresh token]","scope":"knowledge-base:call"}
    "#);
    let again = connecting
        .refresh(text(&tokens, "refresh_token"), &[])
        .await;
    assert_eq!(
        (again.status.as_u16(), again.header("cache-control")),
        (200, "no-store")
    );
    assert_eq!(again.header("content-type"), "application/json");
}

#[tokio::test]
async fn the_access_token_says_who_for_what_and_by_whom() {
    let mut connecting = Connecting::new().await;
    let tokens = connecting.tokens().await;
    let app = &connecting.test.app;
    let keys = app.keys.verification_keys();
    let claims = claims(&tokens);
    let expected = Expectations {
        issuer: "http://localhost:7717",
        resource: RESOURCE,
        now: claims["iat"].as_u64().expect("iat"),
        skew: 0,
    };
    let verified = UnverifiedJwt::parse(text(&tokens, "access_token")).expect("a JWT");
    let verified = verified.verify(&keys, &expected).expect("ours");
    let grant = connecting.grants().await.remove(0);
    assert_eq!(verified.sub, grant.person.to_string());
    assert_eq!(verified.sid.as_deref(), Some(grant.id.to_string().as_str()));
    assert_eq!(verified.client_id, connecting.client);
    assert_eq!(verified.scope, "knowledge-base:call");
    assert_eq!(claims["nbf"], serde_json::Value::Null);
}

#[tokio::test]
async fn n_as_25_an_access_token_is_short_lived() {
    let lifetime = async |setting: Option<u64>| {
        let test = TestApp::new().with(|app| {
            if let Some(seconds) = setting {
                app.settings.access_token_lifetime = Duration::from_secs(seconds);
            }
        });
        let tokens = Connecting::at(test).await.tokens().await;
        let claims = claims(&tokens);
        let lifetime = claims["exp"].as_u64().expect("exp") - claims["iat"].as_u64().expect("iat");
        let promised = tokens["expires_in"].as_u64().expect("expires_in");
        assert!(
            (1..=lifetime).contains(&promised),
            "{promised} of {lifetime}"
        );
        lifetime
    };
    assert!(lifetime(None).await <= 15 * 60);
    assert_eq!(lifetime(Some(120)).await, 120);
    assert_eq!(
        lifetime(Some(24 * 3600)).await,
        3600,
        "no setting makes it longer"
    );
    assert_eq!(lifetime(Some(0)).await, 1);
}

#[tokio::test]
async fn each_refusal_has_its_status_and_says_what_was_expected() {
    let connecting = Connecting::new().await;
    let client = &connecting.client;
    let ask = async |form: String| wire(&post_form(&connecting.test, "/oauth/token", form).await);
    insta::assert_snapshot!(ask(String::new()).await, @r#"
    401 Unauthorized
    content-type: application/json
    cache-control: no-store
    www-authenticate: Basic realm="keystile"

    {"error":"invalid_client","error_description":"client_id is missing: send it in the form, or with what authenticates the client. (KS-…)"}
    "#);
    insta::assert_snapshot!(ask("client_id=nobody&grant_type=refresh_token".to_owned()).await, @r#"
    401 Unauthorized
    content-type: application/json
    cache-control: no-store
    www-authenticate: Basic realm="keystile"

    {"error":"invalid_client","error_description":"This client_id is not known here. Register first. (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(format!("client_id={client}")).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_request","error_description":"grant_type is missing: send application/x-www-form-urlencoded with grant_type. (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(format!("client_id={client}&grant_type=password&username=a&password=b")).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"unsupported_grant_type","error_description":"grant_type must be authorization_code, refresh_token, client_credentials or urn:ietf:params:oauth:grant-type:device_code. (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(format!("client_id={client}&grant_type=authorization_code")).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_request","error_description":"code is missing. (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(format!("client_id={client}&grant_type=authorization_code&code=ksc_x&code_verifier={}", "v".repeat(43))).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_grant","error_description":"The code is unknown here. Sign in again. The code that came has 5 characters of 68, and it was cut off. The app, or something between, changed the code: it has to decode the redirect's query once, encode the form once, and add nothing. Tell its maker. (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(format!("client_id={client}&grant_type=refresh_token&refresh_token=ksr_x")).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_grant","error_description":"The refresh token is unknown here. Sign in again. (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(format!("client_id={client}&grant_type=refresh_token&refresh_token=ksr_x&resource=https://evil.example/")).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_target","error_description":"The resource https://evil.example/ is not served here; expected http://localhost:7717/knowledge-base/mcp. (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(format!("client_id={client}&grant_type=refresh_token&refresh_token=ksr_x&scope=%22")).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_scope","error_description":"scope: a scope is printable ASCII without spaces, quotes and backslashes, at most 128 bytes, at most 64 of them. (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(format!("client_id={client}&client_id={client}")).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_request","error_description":"The app sent the parameter client_id more than once: each comes once. (KS-…)"}
    "#);
    insta::assert_snapshot!(ask(format!("client_id={client}&code=%zz")).await, @r#"
    400 Bad Request
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_request","error_description":"the parameters are not percent-encoded UTF-8. (KS-…)"}
    "#);
}

#[tokio::test]
async fn only_a_small_form_in_a_post_is_read() {
    let test = TestApp::new();
    let reply = get(&test, "/oauth/token?grant_type=authorization_code&code=x").await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("allow")),
        (405, "POST")
    );
    for kind in [
        "application/json",
        "multipart/form-data",
        "text/plain",
        "",
        "application/x-www-form-urlencodedx",
    ] {
        let request = Request::post("/oauth/token").header(CONTENT_TYPE, kind);
        let request = request
            .body(Body::from("client_id=x"))
            .expect("a legal request");
        let reply = send(&test, request).await;
        assert_eq!(
            refused(&reply),
            (400, "invalid_request".to_owned()),
            "{kind}"
        );
    }
    let request = Request::post("/oauth/token").header(
        CONTENT_TYPE,
        "Application/X-WWW-Form-URLEncoded; charset=utf-8",
    );
    let request = request
        .body(Body::from("client_id=x"))
        .expect("a legal request");
    assert_eq!(
        refused(&send(&test, request).await).1,
        "invalid_client",
        "the form was read"
    );
    let large = format!("client_id={}", "x".repeat(64 * 1024));
    insta::assert_snapshot!(wire(&post_form(&test, "/oauth/token", large).await), @r#"
    413 Payload Too Large
    content-type: application/json
    cache-control: no-store

    {"error":"invalid_request","error_description":"The body has over 65536 bytes. (KS-…)"}
    "#);
}

#[tokio::test]
async fn parameters_in_the_query_count_as_not_sent() {
    let mut connecting = Connecting::new().await;
    let code = connecting.code(&[]).await;
    let path = "/oauth/token?grant_type=authorization_code";
    let form = format!("client_id={}&code={code}", connecting.client);
    let reply = post_form(&connecting.test, path, form).await;
    assert_eq!(refused(&reply), (400, "invalid_request".to_owned()));
    assert_eq!(
        connecting.redeem(&code, &[]).await.status,
        200,
        "the code is still good"
    );
}
