//! What an upstream can answer, or fail to, and what becomes of it.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use http::{Response, StatusCode};
use keystile_domain::ports::Clock as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{App, Server, TOOL_CALL, json_answer, refusal, text};

/// What an upstream says beside its status, none of which is for the client.
async fn saying(status: u16, media: &'static str) -> App {
    App::new(move |_| {
        Response::builder()
            .status(status)
            .header(
                "www-authenticate",
                "Bearer resource_metadata=\"http://evil.example/prm\"",
            )
            .header("location", "http://127.0.0.1:1/")
            .header("set-cookie", "a=b")
            .header("content-type", media)
            .body(Body::from("<h1>inner secret</h1>"))
            .expect("works in a test")
    })
    .await
}

async fn is_ours(app: &App, code: &str) {
    let answer = app.send(app.call()).await;
    for name in ["www-authenticate", "location", "set-cookie"] {
        assert!(!answer.headers().contains_key(name), "{name}");
    }
    let (status, body) = text(answer).await;
    assert_eq!(status, 502, "{body}");
    assert!(
        body.contains(code) && body.contains("\"id\":7") && body.len() < 1000,
        "{body}"
    );
    for inner in ["inner secret", "evil.example", "127.0.0.1"] {
        assert!(!body.contains(inner), "{body}");
    }
    let [attempt] = &app.flows.failed(app.clock.now())[..] else {
        panic!("one attempt is kept")
    };
    let known = Some("http://localhost:7717/kb/mcp");
    let whose = (attempt.client.as_deref(), attempt.resource.as_deref());
    assert_eq!(whose, (Some("client-1"), known), "whose call it was");
}

#[tokio::test]
async fn a_138_a_redirect_is_neither_followed_nor_relayed() {
    for status in [300, 301, 302, 303, 304, 305, 306, 307, 308] {
        for media in ["text/html", "application/json", "text/event-stream"] {
            let app = saying(status, media).await;
            is_ours(&app, "upstream_redirects").await;
            assert_eq!(app.server.count(), 1, "{status}");
        }
    }
}

#[tokio::test]
async fn a_140_the_upstream_s_sign_in_and_error_pages_are_never_relayed_as_ours() {
    for (status, code) in [
        (401, "upstream_refused_us"),
        (403, "upstream_refused_us"),
        (407, "upstream_refused_us"),
        (500, "upstream_failed"),
        (418, "upstream_failed"),
    ] {
        for media in ["text/html", "application/json", "text/event-stream"] {
            is_ours(&saying(status, media).await, code).await;
        }
    }
    let address = answering(format!(
        "HTTP/1.1 500 {}inner secret\r\ncontent-length: 0\r\n\r\n",
        "evil.example ".repeat(5000)
    ))
    .await;
    is_ours(&in_front_of(address).await, "upstream_failed").await;
}

#[tokio::test]
async fn a_140_a_reason_of_64_kb_is_nobodys_business() {
    let reason = "inner secret ".repeat(5_000);
    for status in [401, 403, 500] {
        let head = format!("HTTP/1.1 {status} {reason}\r\ncontent-length: 0\r\n\r\n");
        let app = in_front_of(answering(head).await).await;
        let (status, said) = text(app.send(app.call()).await).await;
        assert_eq!(status, 502);
        assert!(said.len() < 1000 && !said.contains("inner"), "{said:.200}");
    }
}

#[tokio::test]
async fn a_137_an_upstream_does_not_switch_the_protocol() {
    let address = answering(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\x05hello"
            .to_owned(),
    )
    .await;
    let app = in_front_of(address).await;
    let answer = app.send(app.call()).await;
    assert!(!answer.headers().contains_key("upgrade"));
    let refused = refusal(answer).await;
    assert_eq!(refused, (502, -32603, "upstream_not_mcp".to_owned()));
}

/// A server that says this to whoever comes.
async fn answering(answer: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("works in a test");
    let address = listener.local_addr().expect("works in a test");
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("works in a test");
            assert!(
                stream
                    .read(&mut vec![0; 64 * 1024])
                    .await
                    .expect("works in a test")
                    > 0
            );
            stream
                .write_all(answer.as_bytes())
                .await
                .expect("works in a test");
        }
    });
    address
}

pub(crate) async fn in_front_of(address: SocketAddr) -> App {
    let unused = Server::start(|_| json_answer("{}")).await;
    App::in_front_of(unused, &format!("http://{address}/mcp"), |upstream| {
        upstream
    })
}

#[tokio::test]
async fn the_statuses_that_mcp_gives_a_meaning_are_relayed() {
    for (status, media, body) in [
        (
            404,
            "application/json",
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}"#,
        ),
        (
            400,
            "application/json; charset=utf-8",
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"x"}}"#,
        ),
        (
            500,
            "application/json",
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"x"}}"#,
        ),
    ] {
        let app = App::new(move |_| {
            Response::builder()
                .status(status)
                .header("content-type", media)
                .header("mcp-session-id", "s9")
                .body(Body::from(body))
                .unwrap()
        })
        .await;
        let answer = app.send(app.call()).await;
        assert_eq!(answer.headers()["mcp-session-id"], app.session("s9"));
        // An error that names no request is that of the only one.
        let named = body.replace("null", "7");
        assert_eq!(
            text(answer).await,
            (StatusCode::from_u16(status).unwrap(), named)
        );
    }
}

#[tokio::test]
async fn a_status_that_http_does_not_have_does_not_pass() {
    let error = r#"{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x"}}"#;
    for status in [600, 999] {
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{error}",
            error.len()
        );
        let app = in_front_of(answering(head).await).await;
        let refused = refusal(app.send(app.call()).await).await;
        assert_eq!(refused, (502, -32603, "upstream_failed".to_owned()));
    }
}

#[tokio::test]
async fn only_where_there_was_a_session_does_a_404_say_that_it_is_gone() {
    for media in ["text/html", "text/plain; charset=utf-8"] {
        let app = App::new(move |_| {
            Response::builder()
                .status(404)
                .header("content-type", media)
                .body(Body::from("<h1>nginx"))
                .unwrap()
        })
        .await;
        assert_eq!(
            refusal(app.send(app.call()).await).await,
            (502, -32603, "upstream_not_mcp".to_owned())
        );
        for method in ["POST", "GET", "DELETE"] {
            let request = app
                .builder(method)
                .header("content-type", "application/json")
                .header("mcp-session-id", app.session("s1"))
                .body(Body::from(TOOL_CALL))
                .unwrap();
            assert_eq!(
                text(app.send(request).await).await,
                (StatusCode::NOT_FOUND, String::new()),
                "{method}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_no_mcp_server_is_said_to_be_none() {
    let app = App::new(|_| {
        Response::builder()
            .header("content-type", "text/html")
            .body(Body::from("<h1>Welcome"))
            .unwrap()
    })
    .await;
    assert_eq!(
        refusal(app.send(app.call()).await).await,
        (502, -32603, "upstream_not_mcp".to_owned())
    );
}

#[tokio::test]
async fn a_dead_upstream_is_a_502_that_says_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let server = Server::start(|_| json_answer("{}")).await;
    let app = App::in_front_of(server, &format!("http://{address}/mcp"), |upstream| {
        upstream
    });
    let (status, body) = text(app.send(app.call()).await).await;
    assert_eq!(status, 502);
    assert!(
        body.contains("upstream_unreachable") && body.contains("see whether it runs"),
        "{body}"
    );
    assert!(
        !body.contains(&address.to_string()),
        "where it is is not the client's business: {body}"
    );
    assert_eq!(app.gateway.unhealthy(), ["kb"]);
}

#[tokio::test]
async fn an_upstream_that_hangs_up_is_a_502() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.readable().await.unwrap();
            drop(stream);
        }
    });
    let server = Server::start(|_| json_answer("{}")).await;
    let app = App::in_front_of(server, &format!("http://{address}/mcp"), |upstream| {
        upstream
    });
    assert_eq!(
        refusal(app.send(app.call()).await).await,
        (502, -32603, "upstream_unreachable".to_owned())
    );
}

#[tokio::test]
async fn an_upstream_that_says_nothing_is_a_504() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let held = tokio::spawn(async move { listener.accept().await.unwrap() });
    let server = Server::start(|_| json_answer("{}")).await;
    let app = App::in_front_of(server, &format!("http://{address}/mcp"), |upstream| {
        upstream.with_call_limit(Duration::from_millis(50))
    });
    assert_eq!(
        refusal(app.send(app.call()).await).await,
        (504, -32603, "upstream_timeout".to_owned())
    );
    drop(held);
}

#[test]
fn an_upstream_is_an_http_url_with_a_host() {
    for url in [
        "",
        "/mcp",
        "127.0.0.1:3000",
        "ftp://h/x",
        "http://",
        "http://u:p@h/mcp",
        "unix:/x",
        "localhost:3000/mcp",
    ] {
        assert!(
            keystile_gateway::HttpUpstream::new("kb", url, None).is_err(),
            "{url}"
        );
    }
}

#[tokio::test]
async fn calls_in_turn_share_one_connection() {
    let app = App::echo().await;
    for _ in 0..5 {
        assert_eq!(text(app.send(app.call()).await).await.0, 200);
    }
    assert_eq!(app.server.connections.load(Ordering::SeqCst), 1);
    let (first, second) = tokio::join!(app.send(app.call()), app.send(app.call()));
    assert_eq!(
        (text(first).await.0, text(second).await.0),
        (StatusCode::OK, StatusCode::OK)
    );
    assert_eq!(app.server.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_kept_connection_that_the_upstream_closed_is_not_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (closed, mut closings) = tokio::sync::mpsc::unbounded_channel();
    let serving = tokio::spawn(async move {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 64 * 1024];
            let length = stream.read(&mut request).await.unwrap();
            assert!(length > 0);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
                ANSWER.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            drop(stream);
            closed.send(()).unwrap();
        }
    });
    let server = Server::start(|_| json_answer("{}")).await;
    let app = App::in_front_of(server, &format!("http://{address}/mcp"), |upstream| {
        upstream
    });
    for _ in 0..3 {
        assert_eq!(
            text(app.send(app.call()).await).await,
            (StatusCode::OK, ANSWER.to_owned())
        );
        closings.recv().await.unwrap();
    }
    serving.await.unwrap();
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_and_never_a_short_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut vec![0; 64 * 1024]).await.unwrap() > 0);
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{\"jsonrpc\"";
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let server = Server::start(|_| json_answer("{}")).await;
    let app = App::in_front_of(server, &format!("http://{address}/mcp"), |upstream| {
        upstream
    });
    assert_eq!(
        refusal(app.send(app.call()).await).await,
        (502, -32603, "upstream_unreachable".to_owned())
    );
}

const ANSWER: &str = r#"{"jsonrpc":"2.0","id":7,"result":{}}"#;
