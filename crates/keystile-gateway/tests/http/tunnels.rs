//! Nothing but HTTP requests that were looked at gets through (CHECKLIST A-137).

use axum::body::Body;
use http::{Method, Request, StatusCode};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::serve::serve;
use crate::support::{App, TOOL_CALL};

/// Everything that comes back for these bytes, and for a second, plain request behind them.
async fn told(app: &App, bytes: &str) -> String {
    let mut stream = TcpStream::connect(serve(&app.gateway).await)
        .await
        .expect("works in a test");
    let second = "BAD\r\n\r\n";
    stream
        .write_all(format!("{bytes}{second}").as_bytes())
        .await
        .expect("works in a test");
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .await
        .expect("works in a test");
    text
}

#[tokio::test]
async fn a_137_no_other_protocol_is_switched_to() {
    let app = App::echo().await;
    let head = format!(
        "host: localhost:7717\r\nauthorization: Bearer {}\r\n",
        app.token()
    );
    let socket = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
                  sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let post = format!(
        "content-type: application/json\r\ncontent-length: {}\r\n",
        TOOL_CALL.len()
    );
    for (request, status) in [
        (format!("GET /kb/mcp HTTP/1.1\r\n{head}{socket}\r\n"), "501"),
        (
            format!("POST /kb/mcp HTTP/1.1\r\n{head}{socket}{post}\r\n{TOOL_CALL}"),
            "501",
        ),
        (
            format!(
                "GET /kb/mcp HTTP/1.1\r\n{head}upgrade: h2c, websocket\r\nconnection: upgrade\r\n\r\n"
            ),
            "501",
        ),
        (
            format!(
                "GET /kb/mcp HTTP/1.1\r\n{head}upgrade: TLS/1.0\r\nconnection: upgrade\r\n\r\n"
            ),
            "501",
        ),
        (
            format!("CONNECT localhost:7717 HTTP/1.1\r\n{head}\r\n"),
            "404",
        ),
        (
            format!("CONNECT 169.254.169.254:80 HTTP/1.1\r\n{head}\r\n"),
            "404",
        ),
    ] {
        let text = told(&app, &request).await;
        assert!(
            text.starts_with(&format!("HTTP/1.1 {status}")),
            "{request}: {text}"
        );
        assert!(
            !text.contains("HTTP/1.1 101") && !text.contains("HTTP/1.1 200"),
            "{text}"
        );
    }
    assert_eq!(app.server.count(), 0);
    // Java's client offers HTTP/2 with each request: it is answered as what it is.
    let offer =
        "upgrade: h2c\r\nconnection: Upgrade, HTTP2-Settings\r\nhttp2-settings: AAEAAEAA\r\n";
    let text = told(
        &app,
        &format!("POST /kb/mcp HTTP/1.1\r\n{head}{offer}{post}\r\n{TOOL_CALL}"),
    )
    .await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let seen = app.server.last();
    assert_eq!(seen.body, TOOL_CALL);
    for name in ["upgrade", "connection", "http2-settings"] {
        assert!(!seen.parts.headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn no_tunnel_is_made_over_http_2() {
    let app = App::echo().await;
    let stream = TcpStream::connect(serve(&app.gateway).await).await.unwrap();
    let io = TokioIo::new(stream);
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = |method: Method, uri: &str| {
        let token = format!("Bearer {}", app.token());
        let request = Request::builder().method(method).uri(uri);
        request
            .header("authorization", token)
            .body(Body::empty())
            .unwrap()
    };
    let plain = client
        .send_request(request(Method::CONNECT, "localhost:7717"))
        .await
        .unwrap();
    assert_eq!(plain.status(), StatusCode::NOT_FOUND);
    // RFC 8441 §3: a server that has none of it does not say that it has.
    let mut extended = request(Method::CONNECT, "http://localhost:7717/kb/mcp");
    extended
        .extensions_mut()
        .insert(Protocol::from_static("websocket"));
    assert!(client.send_request(extended).await.is_err());
    assert_eq!(app.server.count(), 0);
}
