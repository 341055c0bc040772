//! Bodies that are no JSON to every reader, and what is accepted without an answer.

use axum::body::{Body, HttpBody as _};
use http::{Request, Response};
use keystile_protocol::jwt::AccessTokenClaims;

use crate::support::{App, TOOL_CALL, anonymous, json_answer, refusal, text};

const MEDIA: [Option<&str>; 15] = [
    None,
    Some(""),
    Some("text/plain"),
    Some("application/jsonx"),
    Some("application/json+x"),
    Some("text/json"),
    Some("application/json; charset=utf-16"),
    Some("application/json; charset=utf-7"),
    Some("application/json;charset=latin1"),
    Some("multipart/form-data; boundary=x"),
    Some("application/x-www-form-urlencoded"),
    Some("application/cbor"),
    Some("application/json, text/plain"),
    Some("application/json; charset=utf-8; charset=utf-16"),
    Some("*/*"),
];

const ENCODINGS: [&str; 6] = ["gzip", "br", "zstd", "deflate", "gzip, identity", "x"];

fn post(app: &App, media: Option<&str>, encoding: Option<&str>) -> Request<Body> {
    let mut request = app.builder("POST");
    if let Some(value) = media {
        request = request.header("content-type", value);
    }
    if let Some(value) = encoding {
        request = request.header("content-encoding", value);
    }
    request
        .body(Body::from(TOOL_CALL))
        .expect("works in a test")
}

#[tokio::test]
async fn a_110_only_json_in_utf8_as_it_is() {
    let app = App::echo().await;
    let unsupported = (415, -32600, "unsupported_media_type".to_owned());
    for media in MEDIA {
        for encoding in [None, Some("gzip"), Some("identity")] {
            let answer = app.send(post(&app, media, encoding)).await;
            assert_eq!(refusal(answer).await, unsupported, "{media:?} {encoding:?}");
        }
    }
    for encoding in ENCODINGS {
        let answer = app.send(post(&app, Some("application/json"), Some(encoding)));
        assert_eq!(refusal(answer.await).await, unsupported, "{encoding}");
    }
    assert_eq!(app.server.count(), 0);
    for media in [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=\"UTF-8\"",
    ] {
        let answer = app.send(post(&app, Some(media), Some("identity"))).await;
        assert_eq!(answer.status(), 200, "{media}");
    }
}

#[tokio::test]
async fn a_body_in_another_encoding_than_it_says_is_no_json() {
    let app = App::echo().await;
    let units = || TOOL_CALL.encode_utf16();
    for body in [
        [b"\xef\xbb\xbf", TOOL_CALL.as_bytes()].concat(),
        units().flat_map(u16::to_le_bytes).collect(),
        units().flat_map(u16::to_be_bytes).collect(),
        [
            b"\xff\xfe".to_vec(),
            units().flat_map(u16::to_le_bytes).collect(),
        ]
        .concat(),
        TOOL_CALL.replace('{', "+AHs-").into_bytes(),
        TOOL_CALL
            .replace("read", "gr\u{f6}\u{df}e")
            .chars()
            .map(|it| it as u8)
            .collect(),
    ] {
        let refused = refusal(app.send(app.post(body.clone())).await).await;
        assert_eq!(
            (refused.0, refused.1),
            (400, -32700),
            "{}",
            body.escape_ascii()
        );
    }
    assert_eq!(app.server.count(), 0);
}

#[tokio::test]
async fn a_105_no_name_with_a_control_character_reaches_the_upstream_from_any_depth() {
    let app = App::echo().await;
    let mut refused = 0;
    for control in [
        "\\u0000", "\\u007f", "\\u0085", "\\r", "\\n", "\u{7f}", "\u{9f}", "\\u0000x",
    ] {
        let more = |name: &str| format!("\"{name}{control}\":\"evil\",");
        for (name, place) in [
            ("method", "\"method\""),
            ("name", "\"name\""),
            ("query", "\"query\""),
            ("deep", "\"deep\""),
        ] {
            let body = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read","arguments":{"query":[{"deep":1}]}}}"#;
            let body = body.replacen(place, &format!("{}{place}", more(name)), 1);
            let (status, code, _) = refusal(app.send(app.post(body.clone())).await).await;
            assert_eq!((status, code), (400, -32600), "{body}");
            refused += 1;
        }
    }
    assert_eq!((refused, app.server.count()), (32, 0));
}

fn notify(app: &App, path: &str, body: &'static str) -> Request<Body> {
    let claims = |claims: &mut AccessTokenClaims| {
        claims.aud = format!("http://localhost:7717{path}");
        claims.scope = format!("{}:call", &path[1..path.len() - 4]);
    };
    anonymous("POST", path)
        .header(
            "authorization",
            format!("Bearer {}", app.token_with(claims)),
        )
        .header("content-type", "application/json")
        .body(Body::from(body))
        .expect("works in a test")
}

#[tokio::test]
async fn n_tr_05_a_notification_is_accepted_or_refused_on_every_route() {
    const SAID: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let answers: [fn() -> Response<Body>; 3] = [
        || Response::builder().status(202).body(Body::empty()).unwrap(),
        || json_answer(""),
        || json_answer(r#"{"ok":true}"#),
    ];
    for answer in answers {
        let app = App::new(move |_| answer()).await;
        for path in ["/kb/mcp", "/git/mcp"] {
            let accepted = app.send(notify(&app, path, SAID)).await;
            assert_eq!(accepted.status(), 202, "{path}");
            // So it goes out with `Content-Length: 0`.
            assert_eq!(accepted.body().size_hint().exact(), Some(0), "{path}");
            assert!(!accepted.headers().contains_key("content-type"));
            let before = app.server.count();
            for bad in [
                r#"{"jsonrpc":"2.0","method":"initialized"}"#,
                r#"{"jsonrpc":"1.0","method":"notifications/initialized"}"#,
                r#"{"jsonrpc":"2.0","method":"notifications/initialized","params":[]}"#,
                r#"{"jsonrpc":"2.0","method":"notifications/initialized""#,
            ] {
                let refused = app.send(notify(&app, path, bad)).await;
                let (status, said) = text(refused).await;
                assert_eq!(status, 400, "{path} {bad}");
                assert!(said.contains("\"error\""), "{said}");
            }
            assert_eq!(app.server.count(), before);
        }
    }
}
