//! Host, Origin, paths, CORS.

use axum::body::Body;
use http::Request;

use crate::support::{App, ORIGIN, TOOL_CALL, anonymous, refusal, text};

fn with_host(app: &App, uri: &str, hosts: &[&str]) -> Request<Body> {
    let mut request = Request::builder().method("POST").uri(uri);
    request = request.header("authorization", format!("Bearer {}", app.token()));
    request = request.header("content-type", "application/json");
    for host in hosts {
        request = request.header("host", *host);
    }
    request
        .body(Body::from(TOOL_CALL))
        .expect("works in a test")
}

#[tokio::test]
async fn n_tr_01_a_foreign_origin_is_refused_on_every_method() {
    let app = App::echo().await;
    for origin in [
        "null",
        "https://evil.example",
        "http://localhost.evil",
        "http://localhost:",
        "http://localhost:x",
        "http://127.0.0.1.evil.example",
        "http://evil@localhost:1",
        "file://",
        "http://[::2]:1",
        "https://app.example.evil",
        "http://app.example",
        "https://app.example:8443",
        "ws://localhost:1",
        "http://LOCALHOST.",
        "",
        "http://0.0.0.0:7717",
        "http://192.168.0.1",
        "http://localhost:7717/x",
    ] {
        for method in ["POST", "GET", "DELETE", "OPTIONS"] {
            let request = app
                .builder(method)
                .header("origin", origin)
                .header("upgrade", "websocket");
            let answer = app.send(request.body(Body::from(TOOL_CALL)).unwrap()).await;
            assert_eq!(
                refusal(answer).await,
                (403, -32600, "foreign_origin".to_owned()),
                "{origin} {method}"
            );
        }
    }
    let twice = app
        .builder("POST")
        .header("origin", ORIGIN)
        .header("origin", ORIGIN);
    assert_eq!(
        app.send(twice.body(Body::from(TOOL_CALL)).unwrap())
            .await
            .status(),
        403
    );
    assert_eq!(app.server.count(), 0);
    for origin in [
        ORIGIN,
        "http://localhost:6274",
        "http://127.0.0.1:1",
        "http://[::1]:5173",
        "http://localhost",
        "https://app.example",
    ] {
        let request = app
            .builder("POST")
            .header("origin", origin)
            .header("content-type", "application/json");
        let answer = app.send(request.body(Body::from(TOOL_CALL)).unwrap()).await;
        assert_eq!(answer.status(), 200, "{origin}");
        assert_eq!(answer.headers()["access-control-allow-origin"], origin);
        assert!(
            !answer
                .headers()
                .contains_key("access-control-allow-credentials")
        );
        assert_eq!(answer.headers()["vary"], "Origin");
        let exposed = answer.headers()["access-control-expose-headers"]
            .to_str()
            .unwrap();
        assert!(exposed.contains("WWW-Authenticate") && exposed.contains("Mcp-Session-Id"));
    }
}

#[tokio::test]
async fn n_tr_02_a_foreign_host_is_told_the_right_url() {
    let app = App::echo().await;
    for host in [
        "evil.example",
        "localhost",
        "localhost:7718",
        "localhost:7717.evil.example",
        "127.0.0.2:7717",
        "x/health?y=",
        "localhost:7717/x",
        "user@localhost:7717",
        "[::ffff:127.0.0.1]:7717",
        "2130706433:7717",
        " localhost:7717",
        "localhost:07717",
    ] {
        let answer = app.send(with_host(&app, "/kb/mcp", &[host])).await;
        assert_eq!(answer.status(), 421, "{host}");
        let (_, body) = crate::support::text(answer).await;
        assert!(
            body.contains(ORIGIN) && body.contains("wrong_host"),
            "{body}"
        );
    }
    for (uri, hosts, status) in [
        ("/kb/mcp", &[][..], 400),
        ("/kb/mcp", &["localhost:7717", "localhost:7717"], 400),
        ("/kb/mcp", &["localhost:7717", "evil.example"], 400),
        ("http://evil.example/kb/mcp", &["localhost:7717"], 421),
        ("http://localhost:7717/kb/mcp", &["evil.example"], 421),
        ("http://localhost:7717/kb/mcp", &["localhost:7717"], 200),
        ("http://localhost:7717/kb/mcp", &[], 200),
        ("/kb/mcp", &["LocalHost:7717"], 200),
        ("/kb/mcp", &["127.0.0.1:7717"], 200),
        ("/kb/mcp", &["[::1]:7717"], 200),
    ] {
        assert_eq!(
            app.send(with_host(&app, uri, hosts)).await.status(),
            status,
            "{uri} {hosts:?}"
        );
    }
    assert_eq!(app.server.count(), 5);
}

#[tokio::test]
async fn a_preflight_names_what_mcp_clients_send() {
    let app = App::echo().await;
    let request = anonymous("OPTIONS", "/kb/mcp")
        .header("origin", "http://localhost:6274")
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization, Mcp-Param-Region, x-evil, mcp-param-{}",
        );
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status(), 204);
    let allowed = answer.headers()["access-control-allow-headers"]
        .to_str()
        .unwrap();
    assert!(
        allowed.contains("Authorization") && allowed.contains("Mcp-Param-Region"),
        "{allowed}"
    );
    assert!(!allowed.contains("x-evil") && !allowed.contains('{'));
    assert_eq!(
        answer.headers()["access-control-allow-methods"],
        "POST, GET, DELETE, OPTIONS"
    );
    assert_eq!(app.server.count(), 0);
}

#[tokio::test]
async fn a_122_forwarded_headers_change_nothing() {
    let app = App::echo().await;
    for (name, value) in [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-uri", "/git/mcp"),
        ("x-forwarded-prefix", "/x"),
        ("x-forwarded-for", "1.2.3.4"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-original-url", "/git/mcp"),
        ("x-rewrite-url", "/git/mcp"),
        ("x-host", "evil.example"),
        ("x-forwarded-server", "evil.example"),
        ("x-http-method-override", "DELETE"),
        ("x-original-host", "evil"),
        ("via", "1.1 evil"),
        ("x-real-ip", "1.2.3.4"),
        ("true-client-ip", "1.2.3.4"),
        ("x-forwarded-port", "1"),
    ] {
        let bare = anonymous("POST", "/kb/mcp")
            .header(name, value)
            .body(Body::from(TOOL_CALL))
            .unwrap();
        let answer = app.send(bare).await;
        assert_eq!(answer.status(), 401);
        assert!(
            crate::support::challenge(&answer)
                .contains("http://localhost:7717/.well-known/oauth-protected-resource/kb/mcp"),
            "{name}"
        );
        let request = app
            .builder("POST")
            .header(name, value)
            .header("content-type", "application/json");
        assert_eq!(
            app.send(request.body(Body::from(TOOL_CALL)).unwrap())
                .await
                .status(),
            200
        );
        let seen = app.server.last();
        assert_eq!(
            (seen.parts.method.as_str(), seen.parts.uri.path()),
            ("POST", "/upstream/mcp"),
            "{name}"
        );
        assert!(!seen.parts.headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn a_124_only_the_exact_path_is_an_endpoint() {
    let app = App::echo().await;
    for path in ["/kb/mcp", "/kb/mcp/"] {
        assert!(app.gateway.place(path).is_some(), "{path}");
    }
    for path in [
        "/kb//mcp",
        "//kb/mcp",
        "/kb/mcp//",
        "/KB/mcp",
        "/kb/MCP",
        "/kb/%6dcp",
        "/kb/mcp;x",
        "/kb/./mcp",
        "/git/../kb/mcp",
        "/kb/mcp%2f",
        "/kb%2fmcp",
        "/kb/mcp.",
        "/kb/mcp%00",
        "/kb",
        "/",
        "/other/mcp",
        "/kb/mcp/..",
        "/%2e/kb/mcp",
        "/kb/mcp/x",
        "/healthz",
        "/kb\\mcp",
    ] {
        assert!(app.gateway.place(path).is_none(), "{path}");
        let Ok(uri) = path.parse::<http::Uri>() else {
            continue;
        };
        let mut request = app.call();
        *request.uri_mut() = uri;
        assert_eq!(app.send(request).await.status(), 404, "{path}");
    }
    for uri in ["/kb/mcp?x=/healthz", "/kb/mcp?next=/ks/login"] {
        let request = anonymous("POST", uri).body(Body::from(TOOL_CALL)).unwrap();
        assert_eq!(app.send(request).await.status(), 401, "{uri}");
    }
    assert_eq!(app.server.count(), 0);
}

#[tokio::test]
async fn where_nobody_speaks_json_rpc_a_refusal_is_an_oauth_error_or_a_page() {
    let app = App::echo().await;
    let refused = |accept: &str| {
        let request = Request::get("/oauth/authorize")
            .header("host", "localhost:7717")
            .header("origin", "https://evil.example")
            .header("accept", accept);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let refusal = app.gateway.guard().check(&parts).unwrap_err();
        refusal.respond_outside_mcp(&parts.headers, &Zeros)
    };
    for accept in ["application/json", "*/*", "text/html, application/json"] {
        let answer = refused(accept);
        assert_eq!(answer.headers()["content-type"], "application/json");
        let (status, body) = text(answer).await;
        assert_eq!(status, 403);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["error"], "invalid_request");
        let description = body["error_description"].as_str().unwrap();
        assert!(
            description.contains("--origin") && description.contains("(KS-"),
            "{description}"
        );
        assert!(!description.contains("evil"), "{description}");
    }
    let answer = refused("text/html,application/xhtml+xml,*/*;q=0.8");
    assert_eq!(
        answer.headers()["content-type"],
        "text/plain; charset=utf-8"
    );
    let (status, page) = text(answer).await;
    assert_eq!(status, 403);
    assert!(
        page.starts_with("Web pages of this origin") && page.contains("Reference: KS-"),
        "{page}"
    );
}

#[tokio::test]
async fn metadata_is_refused_in_the_words_of_oauth() {
    let app = App::echo().await;
    let request = Request::get("/.well-known/oauth-protected-resource/kb/mcp")
        .header("host", "evil.example")
        .body(Body::empty())
        .unwrap();
    let (status, body) = text(app.send(request).await).await;
    assert_eq!(status, 421);
    assert!(
        body.contains(r#""error":"invalid_request""#) && body.contains(ORIGIN),
        "{body}"
    );
}

struct Zeros;

impl keystile_domain::ports::Rng for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}
