//! How a client shows at the token endpoint who it is (OAuth 2.1 §2.4, §3.2.1).

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use keystile_testkit::browser::Reply;
use keystile_testkit::issuer::TestApp;

use crate::connecting::{Connecting, text};
use crate::{CLAUDE, CLAUDE_CALLBACK, LOOPBACK, changed, json, post_json, refused, send};

/// A registration with this method: id and, unless it is `none`, secret.
async fn register(test: &TestApp, method: &str) -> (String, String) {
    let body =
        serde_json::json!({ "redirect_uris": [LOOPBACK], "token_endpoint_auth_method": method });
    let reply = post_json(test, "/oauth/register", body).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let registered = json(&reply);
    let secret = registered["client_secret"].as_str().unwrap_or_default();
    (text(&registered, "client_id").to_owned(), secret.to_owned())
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// A refresh with a token that nobody made: `invalid_grant` says that the client got through.
async fn knock(test: &TestApp, authorization: &[&str], fields: &[(&str, &str)]) -> (u16, String) {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "ksr_nobody"),
    ];
    let mut request =
        Request::post("/oauth/token").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    for line in authorization {
        request = request.header(AUTHORIZATION, *line);
    }
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, Some(*value)))
        .collect();
    let body = Body::from(changed(&form, &fields));
    let reply: Reply = send(test, request.body(body).expect("a legal request")).await;
    let (status, code) = refused(&reply);
    assert_eq!(
        reply.header("www-authenticate").is_empty(),
        status != 401,
        "RFC 6749 section 5.2"
    );
    (status, code)
}

#[tokio::test]
async fn n_as_32_a_client_authenticates_as_it_registered_and_in_one_way() {
    let test = TestApp::new();
    let got_through = (400, "invalid_grant".to_owned());
    let refused = (401, "invalid_client".to_owned());
    let two_ways = (400, "invalid_request".to_owned());
    for method in ["client_secret_basic", "client_secret_post", "none"] {
        let (id, secret) = register(&test, method).await;
        assert_eq!(secret.is_empty(), method == "none");
        let shown = if secret.is_empty() { "guess" } else { &secret };
        let by = |wanted: &str| {
            if wanted == method {
                got_through.clone()
            } else {
                refused.clone()
            }
        };
        let header = basic(&id, shown);
        let in_body = [("client_id", id.as_str()), ("client_secret", shown)];
        assert_eq!(
            knock(&test, &[&header], &[]).await,
            by("client_secret_basic"),
            "{method}"
        );
        assert_eq!(
            knock(&test, &[&header], &in_body[..1]).await,
            by("client_secret_basic"),
            "{method}"
        );
        assert_eq!(
            knock(&test, &[], &in_body).await,
            by("client_secret_post"),
            "{method}"
        );
        assert_eq!(
            knock(&test, &[], &in_body[..1]).await,
            by("none"),
            "{method}"
        );
        assert_eq!(
            knock(&test, &[&header], &in_body).await,
            two_ways,
            "{method}"
        );
        assert_eq!(
            knock(&test, &[&header, &header], &[]).await,
            two_ways,
            "{method}"
        );
        let other_id = [("client_id", "nobody")];
        assert_eq!(
            knock(&test, &[&header], &other_id).await,
            two_ways,
            "{method}"
        );
    }
}

#[tokio::test]
async fn a_090_a_header_is_read_strictly() {
    let test = TestApp::new();
    let (id, secret) = register(&test, "client_secret_basic").await;
    let encoded = |text: &str| STANDARD.encode(text);
    let right = format!("{id}:{secret}");
    let escaped = format!("{id}:%{:02X}{}", secret.as_bytes()[0], &secret[1..]);
    let through = (400, "invalid_grant".to_owned());
    for good in [
        basic(&id, &secret),
        format!("basic {}", encoded(&right)),
        format!("Basic {}", encoded(&escaped)),
    ] {
        assert_eq!(knock(&test, &[&good], &[]).await, through, "{good}");
    }
    let refused = (401, "invalid_client".to_owned());
    for bad in [
        basic(&id, &format!("{secret}&x=1")),
        basic(&format!("{id}&secret={secret}"), &secret),
        basic(&id, &format!("{secret}&")),
        basic(&id, &format!("{secret} ")),
        basic(&id, &format!("%{secret}")),
        basic("", &secret),
        basic(&id, ""),
        format!("Basic {}", encoded(&format!("{id}{secret}"))),
        format!("Basic {}!", encoded(&right)),
        format!("Basic {right}"),
        format!("Bearer {}", encoded(&right)),
        format!("Basic{}", encoded(&right)),
        "Basic".to_owned(),
        String::new(),
    ] {
        assert_eq!(knock(&test, &[&bad], &[]).await, refused, "{bad}");
    }
}

#[tokio::test]
async fn a_wrong_secret_or_somebody_elses_is_refused() {
    let test = TestApp::new();
    let refused = (401, "invalid_client".to_owned());
    let (id, secret) = register(&test, "client_secret_basic").await;
    let (other, others) = register(&test, "client_secret_basic").await;
    assert_ne!(id, other, "a confidential client has an id of its own");
    let wrong = [
        basic(&id, &others),
        basic(&other, &secret),
        basic(&id, &secret[..secret.len() - 1]),
        basic(&id, ""),
        basic("", &secret),
        basic("nobody", &secret),
        format!("Basic {id}:{secret}"),
        "Basic".to_owned(),
        "Bearer x".to_owned(),
        format!("Basic {}", STANDARD.encode(&id)),
    ];
    for header in wrong {
        assert_eq!(knock(&test, &[&header], &[]).await, refused, "{header}");
    }
    let lower = basic(&id, &secret).replacen("Basic", "basic", 1);
    assert_eq!(
        knock(&test, &[&lower], &[]).await.1,
        "invalid_grant",
        "RFC 9110 section 11.1"
    );
    let encoded = basic(&id.replace('_', "%5F"), &secret.replace('_', "%5F"));
    assert_eq!(
        knock(&test, &[&encoded], &[]).await.1,
        "invalid_grant",
        "RFC 6749 section 2.3.1"
    );
}

#[tokio::test]
async fn a_client_of_a_document_is_public() {
    let test = TestApp::new();
    assert_eq!(
        knock(&test, &[], &[("client_id", CLAUDE)]).await.1,
        "invalid_grant"
    );
    assert_eq!(
        knock(&test, &[&basic(CLAUDE, "x")], &[]).await.1,
        "invalid_client"
    );
    let in_body = [("client_id", CLAUDE), ("client_secret", "x")];
    assert_eq!(knock(&test, &[], &in_body).await.1, "invalid_client");

    let mut connecting = Connecting::at(test).await;
    connecting.client = CLAUDE.to_owned();
    let redirect = [("redirect_uri", Some(CLAUDE_CALLBACK))];
    let code = connecting.code(&redirect).await;
    let reply = connecting.redeem(&code, &redirect).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test]
async fn a_confidential_client_gets_and_refreshes_tokens() {
    let mut connecting = Connecting::new().await;
    let (id, secret) = register(&connecting.test, "client_secret_post").await;
    connecting.client = id;
    let code = connecting.code(&[]).await;
    let secret = [("client_secret", Some(secret.as_str()))];
    let reply = connecting.redeem(&code, &[]).await;
    assert_eq!(refused(&reply), (401, "invalid_client".to_owned()));
    let tokens = json(&connecting.redeem(&code, &secret).await);
    let token = text(&tokens, "refresh_token");
    let reply = connecting.refresh(token, &[]).await;
    assert_eq!(refused(&reply), (401, "invalid_client".to_owned()));
    assert_eq!(connecting.refresh(token, &secret).await.status, 200);
}
