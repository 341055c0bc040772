use axum::body::Body;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, Request};
use keystile_fetch::{ClientDocuments, FetchOptions, Fetcher};
use keystile_testkit::issuer::TestApp;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::{
    CLAUDE, CLAUDE_CALLBACK, authorize_url, get as fetch, json, own_page, post_form, refused,
};

/// RFC 8414 §3, and OpenID Connect Discovery §4: the places where clients look.
const FORMS: [&str; 2] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
];

#[tokio::test]
async fn n_as_02_both_well_known_forms_give_the_same_document() {
    let test = TestApp::new();
    let [one, other] = FORMS.map(|form| fetch(&test, form));
    let (one, other) = (one.await, other.await);
    assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200));
    assert_eq!(one.header("content-type"), "application/json");
    assert_eq!(one.body, other.body);
    insta::assert_snapshot!(serde_json::to_string_pretty(&json(&one)).unwrap(), @r#"
    {
      "authorization_endpoint": "http://localhost:7717/oauth/authorize",
      "authorization_response_iss_parameter_supported": true,
      "client_id_metadata_document_supported": false,
      "code_challenge_methods_supported": [
        "S256"
      ],
      "device_authorization_endpoint": "http://localhost:7717/oauth/device",
      "grant_types_supported": [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code"
      ],
      "introspection_endpoint": "http://localhost:7717/oauth/introspect",
      "introspection_endpoint_auth_methods_supported": [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt"
      ],
      "introspection_endpoint_auth_signing_alg_values_supported": [
        "ES256",
        "EdDSA",
        "RS256"
      ],
      "issuer": "http://localhost:7717",
      "jwks_uri": "http://localhost:7717/oauth/jwks",
      "protected_resources": [
        "http://localhost:7717/knowledge-base/mcp"
      ],
      "pushed_authorization_request_endpoint": "http://localhost:7717/oauth/par",
      "registration_endpoint": "http://localhost:7717/oauth/register",
      "response_modes_supported": [
        "query"
      ],
      "response_types_supported": [
        "code"
      ],
      "revocation_endpoint": "http://localhost:7717/oauth/revoke",
      "revocation_endpoint_auth_methods_supported": [
        "none",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt"
      ],
      "revocation_endpoint_auth_signing_alg_values_supported": [
        "ES256",
        "EdDSA",
        "RS256"
      ],
      "scopes_supported": [
        "knowledge-base:call",
        "knowledge-base:read",
        "offline_access"
      ],
      "token_endpoint": "http://localhost:7717/oauth/token",
      "token_endpoint_auth_methods_supported": [
        "none",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt"
      ],
      "token_endpoint_auth_signing_alg_values_supported": [
        "ES256",
        "EdDSA",
        "RS256"
      ]
    }
    "#);
}

/// What a proxy or an attacker says about where this server lives.
const SPOOFED: [(&str, &str); 9] = [
    ("host", "evil.example"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-port", "443"),
    ("x-forwarded-prefix", "/evil"),
    ("x-original-host", "evil.example"),
    ("x-original-url", "/evil"),
    ("forwarded", "host=evil.example;proto=https"),
    ("via", "1.1 evil.example"),
];

/// The first document that a header changed, if there is one.
async fn changed_by_a_header(router: &Router) -> Option<String> {
    for form in FORMS {
        let answer = |header: Option<(&'static str, &'static str)>| {
            let mut request = Request::get(form);
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            let request = request.body(Body::empty()).expect("a legal request");
            let router = router.clone();
            async move {
                let response = router
                    .oneshot(request)
                    .await
                    .expect("the router never fails");
                let body = axum::body::to_bytes(response.into_body(), 1 << 20).await;
                String::from_utf8(body.expect("small").to_vec()).expect("UTF-8")
            }
        };
        let plain = answer(None).await;
        for header in SPOOFED {
            let spoofed = answer(Some(header)).await;
            if spoofed != plain {
                return Some(spoofed);
            }
        }
    }
    None
}

#[tokio::test]
async fn n_as_03_the_issuer_comes_from_the_configuration_only() {
    for (public, issuer) in [
        ("http://localhost:7717", "http://localhost:7717"),
        ("http://localhost:7717/", "http://localhost:7717"),
        ("https://mcp.example.com", "https://mcp.example.com"),
    ] {
        let test = TestApp::at(public);
        assert_eq!(changed_by_a_header(&test.router()).await, None);
        let document = json(&fetch(&test, FORMS[0]).await);
        assert_eq!(document["issuer"], issuer);
        let members = document.as_object().expect("an object");
        let urls = members
            .iter()
            .filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri");
        let urls: Vec<&Value> = urls.map(|(_, url)| url).collect();
        assert_eq!(urls.len(), 8, "{urls:?}");
        for url in urls {
            let url = url.as_str().expect("a URL");
            assert!(url.starts_with(&format!("{issuer}/oauth/")), "{url}");
        }
    }
}

#[tokio::test]
async fn a_document_that_follows_the_host_header_is_noticed() {
    async fn document(State(()): State<()>, headers: HeaderMap) -> Json<Value> {
        let host = headers.get("host").and_then(|host| host.to_str().ok());
        let host = host.unwrap_or("localhost:7717");
        Json(serde_json::json!({ "issuer": format!("http://{host}") }))
    }
    let broken = Router::new()
        .route(FORMS[0], get(document))
        .route(FORMS[1], get(document));
    assert!(changed_by_a_header(&broken).await.is_some());
}

#[tokio::test]
async fn n_as_04_s256_is_the_one_challenge_method() {
    let test = TestApp::new();
    for form in FORMS {
        let document = json(&fetch(&test, form).await);
        assert_eq!(
            document["code_challenge_methods_supported"],
            serde_json::json!(["S256"])
        );
    }
}

#[tokio::test]
async fn n_as_05_the_flag_says_whether_documents_are_fetched() {
    let flag = async |test: &TestApp| {
        let document = json(&fetch(test, FORMS[0]).await);
        document["client_id_metadata_document_supported"].clone()
    };
    let open = TestApp::new().with(|app| {
        let fetcher = Fetcher::new(FetchOptions::default()).expect("a fetcher");
        app.documents = ClientDocuments::fetching(fetcher);
    });
    assert_eq!(flag(&open).await, true);

    // Without a fetcher nothing can be fetched: the type has none.
    let closed = TestApp::new().with(|app| app.documents = ClientDocuments::pinned_only());
    assert_eq!(flag(&closed).await, false);
    let stranger = "https://client.example/client.json";
    let page = fetch(&closed, &authorize_url(stranger, &[])).await;
    own_page(&page, stranger);
    assert!(page.text().contains("invalid_client"), "{}", page.text());
    let form = format!(
        "grant_type=authorization_code&code=ksc_x&client_id={stranger}&code_verifier={}",
        "v".repeat(43)
    );
    let reply = post_form(&closed, "/oauth/token", form).await;
    assert_eq!(refused(&reply), (401, "invalid_client".to_owned()));

    let pinned = authorize_url(CLAUDE, &[("redirect_uri", Some(CLAUDE_CALLBACK))]);
    let reply = fetch(&closed, &pinned).await;
    assert_eq!(reply.status, 303, "{}", reply.text());
    assert!(
        reply
            .location()
            .is_some_and(|to| to.starts_with("/ks/consent?tx="))
    );
}

#[tokio::test]
async fn the_keys_are_public_halves_only() {
    let test = TestApp::new();
    let reply = fetch(&test, "/oauth/jwks").await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("content-type")),
        (200, "application/jwk-set+json")
    );
    let document = json(&reply);
    let keys = document["keys"].as_array().expect("keys");
    assert_eq!(keys.len(), 1);
    let names: Vec<&String> = keys[0].as_object().expect("a key").keys().collect();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
}

#[tokio::test]
async fn where_clients_cannot_register_there_is_no_endpoint() {
    let test = TestApp::new().with(|app| app.settings.registration = None);
    assert_eq!(
        json(&fetch(&test, FORMS[0]).await).get("registration_endpoint"),
        None
    );
    for path in ["/oauth/register", "/register"] {
        let body = r#"{"redirect_uris":["http://127.0.0.1:1/cb"]}"#;
        let reply = crate::post_json(&test, path, body).await;
        assert_eq!(
            refused(&reply),
            (404, "invalid_client_metadata".to_owned()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_2025_03_paths_are_there_while_one_server_is() {
    let one = TestApp::new();
    let reply = fetch(&one, "/authorize").await;
    own_page(&reply, "/authorize");
    let reply = post_form(&one, "/token", "client_id=x".to_owned()).await;
    assert_eq!(refused(&reply), (401, "invalid_client".to_owned()));
    let reply = crate::post_json(&one, "/register", "{}").await;
    assert_eq!(refused(&reply), (400, "invalid_redirect_uri".to_owned()));

    let two = crate::two_servers();
    assert_eq!(fetch(&two, "/authorize").await.status, 404);
    for path in ["/token", "/register"] {
        assert_eq!(
            post_form(&two, path, "client_id=x".to_owned()).await.status,
            404,
            "{path}"
        );
    }
}

/// CHECKLIST N-AS-16: what an https issuer names is https, and its session is for https alone.
#[tokio::test]
async fn n_as_16_everything_of_an_https_issuer_is_https() {
    for bad in [
        "http://mcp.example.com",
        "http://10.0.0.1:7717",
        "http://localhost.evil",
    ] {
        let issuer = keystile_protocol::issuer::Issuer::parse(bad);
        assert!(issuer.is_err(), "{bad}");
    }
    let test = TestApp::at("https://mcp.example.com").with_person().await;
    let path = "/.well-known/oauth-authorization-server";
    let metadata = crate::json(&crate::get(&test, path).await);
    let members = metadata.as_object().expect("an object").iter();
    let urls = members.filter(|(name, _)| name.ends_with("_endpoint") || name.ends_with("_uri"));
    let mut endpoints = 0;
    for (name, url) in urls {
        let url = url.as_str().expect("a URL");
        assert!(url.starts_with("https://mcp.example.com/"), "{name}: {url}");
        endpoints += 1;
    }
    assert!(endpoints >= 5, "{metadata}");
    let mut browser = test.browser();
    let reply = keystile_testkit::issuer::sign_in(&mut browser, "").await;
    let cookies = reply.set_cookies();
    assert!(!cookies.is_empty());
    for cookie in cookies {
        let safe = cookie.starts_with("__Host-") && cookie.contains("; Secure");
        assert!(safe, "{cookie}");
    }
}
