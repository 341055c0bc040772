//! Byte by byte, over a real connection: what a client sees whose request is refused before it was read.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::serve::serve;
use crate::support::{App, TOOL_CALL};

fn head(token: Option<&str>, more: &str) -> String {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    format!(
        "POST /kb/mcp HTTP/1.1\r\nhost: localhost:7717\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\n{}{more}\r\n",
        token.unwrap_or_default()
    )
}

/// One answer with a declared length: its status line and its text.
async fn answer(stream: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().expect("works in a test")) {
                let status = head.lines().next().unwrap_or_default().to_owned();
                return (status, text);
            }
        }
        let read = stream.read_buf(&mut bytes).await.expect("it is not reset");
        assert_ne!(read, 0, "the connection ended with {text:?}");
    }
}

/// Whatever comes until the server closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .await
        .expect("it is not reset");
    text
}

#[tokio::test]
async fn a_refused_request_is_read_to_its_end_so_that_the_next_one_is_answered() {
    let app = App::echo().await;
    let mut stream = TcpStream::connect(serve(&app.gateway).await).await.unwrap();
    let body = "x".repeat(1024 * 1024);
    for _ in 0..3 {
        let head = head(None, &format!("content-length: {}\r\n", body.len()));
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
            .write_all(body.as_bytes())
            .await
            .expect("all of it is read");
        assert!(answer(&mut stream).await.0.starts_with("HTTP/1.1 401"));
    }
    assert_eq!(app.server.count(), 0);
}

#[tokio::test]
async fn a_body_over_the_limit_gets_its_413_and_no_reset() {
    let app = App::echo().await;
    let address = serve(&app.gateway).await;
    let token = app.token();
    let body = "x".repeat(40 * 1024 * 1024);
    let declared = head(Some(&token), &format!("content-length: {}\r\n", body.len()));
    let chunked = head(Some(&token), "transfer-encoding: chunked\r\n");
    let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    // Without a token as well: whoever sends that much by mistake may have none yet.
    let strange = head(None, &format!("content-length: {}\r\n", body.len()));
    for (head, body, wanted) in [
        (declared, &body, 413),
        (chunked, &chunk, 413),
        (strange, &body, 401),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
            .write_all(body.as_bytes())
            .await
            .expect("all of it is read");
        let (status, text) = answer(&mut stream).await;
        assert!(
            status.starts_with(&format!("HTTP/1.1 {wanted}")),
            "{status}"
        );
        assert_eq!(text.contains("at most 4 MiB"), wanted == 413, "{text}");
    }
    assert_eq!(app.server.count(), 0);
}

#[tokio::test]
async fn a_client_that_asks_first_is_refused_before_it_sends_anything() {
    let app = App::echo().await;
    let mut stream = TcpStream::connect(serve(&app.gateway).await).await.unwrap();
    let head = head(None, "content-length: 9000000\r\nexpect: 100-continue\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.0.starts_with("HTTP/1.1 401"));
}

/// RFC 9112 §6.1: "A server MAY reject a request that contains both Content-Length and Transfer-Encoding or process such
/// a request in accordance with the Transfer-Encoding alone. Regardless, the server MUST close the connection after
/// responding". hyper does the latter and takes `Content-Length` away before anybody sees it; what would have been
/// smuggled is never read.
#[tokio::test]
async fn two_lengths_smuggle_nothing() {
    let app = App::echo().await;
    let address = serve(&app.gateway).await;
    let token = app.token();
    let smuggled = head(
        Some(&token),
        &format!("content-length: {}\r\n", TOOL_CALL.len()),
    );
    let chunk = format!("{:x}\r\n{TOOL_CALL}\r\n0\r\n\r\n", TOOL_CALL.len());
    let body = format!("{chunk}{smuggled}{TOOL_CALL}");
    let lengths = [
        format!(
            "content-length: {}\r\ntransfer-encoding: chunked\r\n",
            body.len()
        ),
        format!(
            "transfer-encoding: chunked\r\ncontent-length: {}\r\n",
            body.len()
        ),
        "content-length: 3\r\nTransfer-Encoding: chunked\r\n".to_owned(),
    ];
    for (count, lengths) in lengths.iter().enumerate() {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{}{body}", head(Some(&token), lengths));
        stream.write_all(request.as_bytes()).await.unwrap();
        let text = rest(&mut stream).await;
        assert_eq!(text.matches("HTTP/1.1").count(), 1, "{text}");
        assert!(text.contains("connection: close"), "{text}");
        assert_eq!(
            app.server.count(),
            count + 1,
            "one message arrived, not two"
        );
        assert_eq!(app.server.last().body, TOOL_CALL);
    }
    for lengths in [
        "content-length: 3\r\ncontent-length: 4\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "content-length: +3\r\n",
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{}{body}", head(Some(&token), lengths));
        stream.write_all(request.as_bytes()).await.unwrap();
        assert!(
            answer(&mut stream).await.0.starts_with("HTTP/1.1 400"),
            "{lengths}"
        );
    }
    assert_eq!(app.server.count(), 3);
}

/// RFC 9112 §6.1. Readers differ in what a coding before `chunked` means, so nothing is read after it.
#[tokio::test]
async fn a_transfer_coding_besides_chunked_is_refused_and_ends_the_connection() {
    let app = App::echo().await;
    let address = serve(&app.gateway).await;
    let token = app.token();
    let chunk = format!("{:x}\r\n{TOOL_CALL}\r\n0\r\n\r\n", TOOL_CALL.len());
    for coding in [
        "transfer-encoding: identity, chunked\r\n",
        "transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked, chunked\r\n",
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{}{chunk}", head(Some(&token), coding));
        let twice = format!("{request}{request}");
        stream.write_all(twice.as_bytes()).await.unwrap();
        let text = rest(&mut stream).await;
        assert_eq!(text.matches("HTTP/1.1").count(), 1, "{text}");
        assert!(text.starts_with("HTTP/1.1 400"), "{text}");
        assert!(text.contains("connection: close"), "{text}");
    }
    assert_eq!(app.server.count(), 0);
}
